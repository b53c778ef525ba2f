// A disk with two images: what was written and what is durable. A write becomes durable after a while; only
// then does `put` resolve. A crash loses the writes under way, each wholly or not at all, as an atomic rename
// does.

import type { Store } from '@myelin/base'
import type { Host } from './host.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { Simulation } from './simulation.ts'

interface PendingWrite {
  readonly key: string
  /** Undefined deletes. */
  readonly value: Uint8Array | undefined
}

const syncMsMean = 4

export class SimulatedStore implements Store {
  readonly #simulation: Simulation
  readonly #host: Host
  readonly #random: SeededRandom
  readonly #durable: Map<string, Uint8Array>
  readonly #pending = new Set<PendingWrite>()
  #isCrashed = false
  writes = 0

  constructor(simulation: Simulation, host: Host, previous?: SimulatedStore) {
    this.#simulation = simulation
    this.#host = host
    this.#random = simulation.random(`disk/${host.name}/${host.incarnation}`)
    this.#durable = new Map(previous === undefined ? [] : previous.#durable)
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#later(0.2, () => this.#durable.get(key)?.slice())
  }

  put(key: string, value: Uint8Array): Promise<void> {
    return this.#write({ key, value: new Uint8Array(value) })
  }

  delete(key: string): Promise<void> {
    return this.#write({ key, value: undefined })
  }

  list(prefix: string): Promise<string[]> {
    return this.#later(0.2, () =>
      [...this.#durable.keys()].filter((key) => key.startsWith(prefix)).sort(),
    )
  }

  /** What is under way is decided now: some of it reached the disk. */
  crash(): void {
    for (const write of this.#pending) if (this.#random.chance(0.5)) this.#apply(write)
    this.#pending.clear()
    this.#isCrashed = true
  }

  #write(write: PendingWrite): Promise<void> {
    if (this.#isCrashed) return new Promise(() => {})
    this.#pending.add(write)
    return this.#later(this.#random.exponential(syncMsMean), () => {
      this.#pending.delete(write)
      this.#apply(write)
      this.writes += 1
      this.#simulation.trace.add(
        this.#simulation.nowMs,
        'durable',
        this.#host.name,
        write.key,
        write.value?.length ?? -1,
      )
    })
  }

  #apply({ key, value }: PendingWrite): void {
    if (value === undefined) this.#durable.delete(key)
    else this.#durable.set(key, value)
  }

  /** A crashed machine's calls never return. */
  #later<Value>(delayMs: number, act: () => Value): Promise<Value> {
    return new Promise((resolve) => {
      if (this.#isCrashed) return
      this.#simulation.schedule(delayMs, () => {
        if (!this.#isCrashed) resolve(act())
      })
    })
  }
}
