// A whole cluster of production code in one process, on a clock that jumps from event to event: one seed, one
// run. Hosts have clocks that drift, stores that lose what was not yet durable, and a network that delays,
// loses, duplicates, reorders and cuts. Everything that happens is in the trace.

import { EventHeap, type SimulatedEvent } from './event-heap.ts'
import { Host } from './host.ts'
import { type LinkQuality, perfectLink, SimulatedNetwork } from './network.ts'
import { SeededRandom } from './seeded-random.ts'
import { Trace } from './trace.ts'

export interface SimulationOptions {
  readonly seed: number | bigint | string
  /** Of every link until it is changed. */
  readonly link?: Partial<LinkQuality>
}

/** The wall clocks of all simulations start here: 14 November 2023, 22:13:20 UTC. */
const startMs = 1_700_000_000_000

export class Simulation {
  readonly seed: string
  readonly trace = new Trace()
  readonly network: SimulatedNetwork
  readonly #random: SeededRandom
  readonly #heap = new EventHeap()
  readonly #hosts = new Map<string, Host>()
  #nowMs = 0
  #made = 0
  #events = 0

  constructor({ seed, link = {} }: SimulationOptions) {
    this.seed = String(seed)
    this.#random = new SeededRandom(this.seed)
    this.network = new SimulatedNetwork(this, { ...perfectLink, ...link })
  }

  /** Milliseconds since the start of the run. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** The same, since 1970, for wall clocks. */
  get wallMs(): number {
    return startMs + this.#nowMs
  }

  /** Events that have run. */
  get eventCount(): number {
    return this.#events
  }

  /** A stream of randomness for one concern. */
  random(concern: string): SeededRandom {
    return this.#random.fork(concern)
  }

  /** The host of that name: made on first use, booted anew after a crash. */
  host(name: string): Host {
    const known = this.#hosts.get(name)
    if (known?.isUp) return known
    const host = new Host(this, name, known)
    this.#hosts.set(name, host)
    this.trace.add(this.#nowMs, 'boot', name, host.incarnation)
    return host
  }

  /** Runs `run` after `delayMs` of simulated time. */
  schedule(delayMs: number, run: () => void): SimulatedEvent {
    const event = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#made,
      run,
      isCancelled: false,
    }
    this.#made += 1
    this.#heap.push(event)
    return event
  }

  /** Lets `ms` pass. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    await settle()
    while (await this.#step(endMs)) {}
    this.#nowMs = endMs
  }

  /** Runs until `condition` holds; false when it does not within `ms` of simulated time. */
  async until(condition: () => boolean, ms: number): Promise<boolean> {
    const endMs = this.#nowMs + ms
    await settle()
    while (!condition()) if (!(await this.#step(endMs))) break
    return condition()
  }

  /** Resolves as `work` does while time passes; rejects when it takes longer than `ms`: a hang. */
  async complete<Value>(work: Promise<Value>, ms: number, what: string): Promise<Value> {
    let isSettled = false
    const finish = () => {
      isSettled = true
    }
    work.then(finish, finish)
    if (!(await this.until(() => isSettled, ms))) {
      throw new Error(
        `${what} did not end within ${ms} ms of simulated time (seed ${this.seed})\n${this.trace.tail().join('\n')}`,
      )
    }
    return await work
  }

  /** Keeps time passing in the background, for code that awaits it without knowing. */
  runInBackground(): Disposable {
    let isRunning = true
    const loop = async () => {
      while (isRunning)
        await this.#step(Number.POSITIVE_INFINITY).then((isBusy) => (isBusy ? undefined : settle()))
    }
    void loop()
    return {
      [Symbol.dispose]: () => {
        isRunning = false
      },
    }
  }

  async #step(endMs: number): Promise<boolean> {
    for (;;) {
      const next = this.#heap.peek()
      if (next === undefined || next.atMs > endMs) return false
      this.#heap.pop()
      if (next.isCancelled) continue
      this.#nowMs = next.atMs
      this.#events += 1
      next.run()
      await settle()
      return true
    }
  }
}

/** Lets everything that an event caused run to its end: promises, then what they deferred. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
