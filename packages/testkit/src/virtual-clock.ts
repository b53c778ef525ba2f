// A clock that stands still until the test moves it. Timers fire in order of their time, then of their making.

import type { Clock, Timer } from '@myelin/base'

interface Entry {
  readonly atMs: number
  readonly order: number
  readonly callback: () => void
}

export class VirtualClock implements Clock {
  #nowMs: number
  #skewMs = 0
  #made = 0
  readonly #timers = new Set<Entry>()

  /** Starts at `startMs` of the Unix epoch. */
  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs
  }

  wallMs(): number {
    return this.#nowMs + this.#skewMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const entry = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#made, callback }
    this.#made += 1
    this.#timers.add(entry)
    return { cancel: () => void this.#timers.delete(entry) }
  }

  defer(callback: () => void): void {
    queueMicrotask(callback)
  }

  get timersPending(): number {
    return this.#timers.size
  }

  /** Moves the wall clock alone: what an operator or NTP does. */
  skew(byMs: number): void {
    this.#skewMs += byMs
  }

  /** Lets `ms` pass; between timers, what they caused to be deferred runs to its end. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await settle()
    for (let next = this.#earliest(untilMs); next !== undefined; next = this.#earliest(untilMs)) {
      this.#timers.delete(next)
      this.#nowMs = next.atMs
      next.callback()
      await settle()
    }
    this.#nowMs = untilMs
  }

  #earliest(untilMs: number): Entry | undefined {
    let found: Entry | undefined
    for (const entry of this.#timers) {
      if (entry.atMs > untilMs) continue
      if (
        found === undefined ||
        entry.atMs < found.atMs ||
        (entry.atMs === found.atMs && entry.order < found.order)
      ) {
        found = entry
      }
    }
    return found
  }
}

/** One turn of the real event loop: every microtask that is due has run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
