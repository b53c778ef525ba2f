// How much may be under way, sized to the path (R022): a window of less than the bandwidth-delay product makes the sender
// wait for credit; with a larger one the rest stands in the buffers of the system, and what is urgent behind it. The need
// is what came per millisecond times the shortest round trip, and half as much again, since credit is announced late by
// up to a quarter of a window. Only round trips of a quiet session count: under load they measure the very queue that
// the window makes, and a window would justify itself.

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

/** Least time over which a rate is taken. */
const rateMsMin = 5
/** Credit is announced when a quarter of the window is used, so a peer that is held up sends 3/4 of it at least. */
const spare = 1.5

export class AdaptiveWindow {
  bytes: number
  readonly #trips: RoundTrips
  readonly #bytesMin: number
  readonly #bytesMax: number | AdaptiveWindow
  /** What came since then. */
  #bytes = 0
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

  /** So many bytes have come, or were taken, since the last call. Grows the window where it holds the peer up. */
  taken(bytes: number): void {
    const { nowMs, shortestMs: tripMs } = this.#trips
    this.#bytes += bytes
    const elapsedMs = nowMs - this.#sinceMs
    // Over less than a round trip, or a few turns of the event loop, a rate tells of the pieces that data comes in.
    if (tripMs === undefined || elapsedMs < Math.max(tripMs, rateMsMin)) return
    const needBytes = (spare * this.#bytes * tripMs) / elapsedMs
    this.#sinceMs = nowMs
    this.#bytes = 0
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
