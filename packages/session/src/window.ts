// How much a receiver grants at once, sized to the path (R022): a window of less than the bandwidth-delay product makes
// the sender wait for credit, a larger one only lets more pile up here. The need is what the application took per
// millisecond times the shortest round trip, twice, since credit is announced late by up to a quarter of a window.
// A receiver that takes slowly thus keeps its first window, however long the path is.

import type { Clock } from '@myelin/base'

/** The shortest round trip of late: a longer one tells of queues, not of the path. */
export class RoundTrips {
  readonly #clock: Clock
  readonly #spanMs: number
  /** Of the last whole span, and of this one. */
  #last = Number.POSITIVE_INFINITY
  #current = Number.POSITIVE_INFINITY
  #sinceMs = 0

  /** Forgets a sample after one to two times `spanMs`. */
  constructor(clock: Clock, spanMs: number) {
    this.#clock = clock
    this.#spanMs = spanMs
  }

  /** Milliseconds, or undefined where there is no sample. */
  get shortestMs(): number | undefined {
    const shortest = Math.min(this.#last, this.#current)
    return Number.isFinite(shortest) ? shortest : undefined
  }

  get nowMs(): number {
    return this.#clock.monotonicMs()
  }

  /** True where the current span has no sample yet. */
  get isStale(): boolean {
    this.#turn()
    return !Number.isFinite(this.#current)
  }

  add(ms: number): void {
    this.#turn()
    this.#current = Math.min(this.#current, ms)
  }

  #turn(): void {
    const { nowMs } = this
    if (nowMs - this.#sinceMs < this.#spanMs) return
    // A span without a sample leaves the older one: better than to know nothing.
    if (Number.isFinite(this.#current)) this.#last = this.#current
    this.#current = Number.POSITIVE_INFINITY
    this.#sinceMs = nowMs
  }
}

export class AdaptiveWindow {
  bytes: number
  readonly #trips: RoundTrips
  readonly #bytesMin: number
  readonly #bytesMax: number | AdaptiveWindow
  /** When the last credit was granted. */
  #sinceMs: number
  /** The largest need since the last look. */
  #needBytes = 0

  /** Begins with `bytesMin` and comes back to it. The bound may be another window: that of the session. */
  constructor(trips: RoundTrips, bytesMin: number, bytesMax: number | AdaptiveWindow) {
    this.#trips = trips
    this.#bytesMin = bytesMin
    this.#bytesMax = bytesMax
    this.bytes = bytesMin
    this.#sinceMs = trips.nowMs
  }

  /** The application has taken so many bytes since the last call. Grows the window where it holds the peer up. */
  taken(bytes: number): void {
    const { nowMs, shortestMs: tripMs } = this.#trips
    const elapsedMs = nowMs - this.#sinceMs
    this.#sinceMs = nowMs
    if (tripMs === undefined) return
    // Clocks tick: what took no time at all says as much as what took one tick.
    const needBytes = (2 * bytes * tripMs) / Math.max(elapsedMs, clockTickMs)
    this.#needBytes = Math.max(this.#needBytes, needBytes)
    if (needBytes <= this.bytes) return
    const max = typeof this.#bytesMax === 'number' ? this.#bytesMax : this.#bytesMax.bytes
    this.bytes = Math.max(this.bytes, Math.min(2 * this.bytes, max))
  }

  /** To be called now and then: halves a window of which little was needed since the last call. */
  relax(): void {
    if (this.#needBytes < this.bytes / 4)
      this.bytes = Math.max(this.#bytesMin, Math.floor(this.bytes / 2))
    this.#needBytes = 0
  }
}

/** Timers of browsers and of the simulator tick no finer. */
const clockTickMs = 0.1
