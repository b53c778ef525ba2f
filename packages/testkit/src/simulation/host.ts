// One machine of a simulation: the ports that its programs get. A crash takes all of it at once: timers never
// fire, sockets break, writes under way are lost; the next boot finds what was durable.

import type { Clock, Random, Store, Timer } from '@myelin/base'
import type { DatagramTransport, StreamTransport } from '@myelin/transport'
import type { SimulatedEvent } from './event-heap.ts'
import type { Simulation } from './simulation.ts'
import { SimulatedStore } from './store.ts'

/** How far a machine's wall clock may be off, in ms. */
const clockOffsetMsMax = 500
/** How much faster or slower it may run. */
const clockDriftMax = 50e-6

export class Host {
  readonly name: string
  /** Counts boots, from 1. */
  readonly incarnation: number
  readonly clock: Clock
  readonly random: Random
  readonly store: SimulatedStore
  readonly transport: StreamTransport
  readonly datagrams: DatagramTransport
  readonly #simulation: Simulation
  readonly #timers = new Set<SimulatedEvent>()
  #skewMs: number
  #isUp = true

  constructor(simulation: Simulation, name: string, previous?: Host) {
    this.#simulation = simulation
    this.name = name
    this.incarnation = (previous?.incarnation ?? 0) + 1
    const nature = simulation.random(`clock/${name}`)
    this.#skewMs = nature.between(-clockOffsetMsMax, clockOffsetMsMax)
    const drift = (2 * nature.fraction() - 1) * clockDriftMax
    this.clock = this.#makeClock(drift)
    this.random = simulation.random(`secrets/${name}/${this.incarnation}`)
    this.store = new SimulatedStore(simulation, this, previous?.store)
    this.transport = simulation.network.streams(this)
    this.datagrams = simulation.network.datagrams(this)
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Ports in the form in which `createAgent` takes them. */
  get ports(): {
    clock: Clock
    random: Random
    store: Store
    transports: readonly StreamTransport[]
  } {
    return {
      clock: this.clock,
      random: this.random,
      store: this.store,
      transports: [this.transport],
    }
  }

  /** The machine loses power. Its programs are not told. */
  crash(): void {
    if (!this.#isUp) return
    this.#isUp = false
    this.#simulation.trace.add(this.#simulation.nowMs, 'crash', this.name)
    for (const timer of this.#timers) timer.isCancelled = true
    this.#timers.clear()
    this.store.crash()
    this.#simulation.network.hostCrashed(this)
  }

  /** Somebody sets the wall clock. */
  skew(byMs: number): void {
    this.#skewMs += byMs
  }

  #makeClock(drift: number): Clock {
    const simulation = this.#simulation
    return {
      wallMs: () => Math.floor(simulation.wallMs + simulation.nowMs * drift + this.#skewMs),
      monotonicMs: () => simulation.nowMs * (1 + drift),
      setTimer: (delayMs, callback) => this.#setTimer(delayMs / (1 + drift), callback),
      defer: (callback) => queueMicrotask(() => this.#isUp && callback()),
    }
  }

  #setTimer(delayMs: number, callback: () => void): Timer {
    if (!this.#isUp) return { cancel: () => {} }
    const event = this.#simulation.schedule(delayMs, () => {
      this.#timers.delete(event)
      callback()
    })
    this.#timers.add(event)
    return {
      cancel: () => {
        event.isCancelled = true
        this.#timers.delete(event)
      },
    }
  }
}
