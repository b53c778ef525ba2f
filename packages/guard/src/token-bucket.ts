// A token bucket: `perSecond` on average, `burst` at once. Pure; time comes in with each call.

export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export class TokenBucket {
  readonly #rate: Rate
  #tokens: number
  #lastMs: number

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate
    this.#tokens = rate.burst
    this.#lastMs = nowMs
  }

  /** True, and the tokens are gone; false, and nothing has changed. */
  take(tokens: number, nowMs: number): boolean {
    this.#refill(nowMs)
    if (this.#tokens < tokens) return false
    this.#tokens -= tokens
    return true
  }

  /** Milliseconds until `tokens` are there. Infinity where the burst never holds so many. */
  waitMs(tokens: number, nowMs: number): number {
    this.#refill(nowMs)
    if (tokens > this.#rate.burst) return Number.POSITIVE_INFINITY
    return Math.max(0, ((tokens - this.#tokens) / this.#rate.perSecond) * 1000)
  }

  #refill(nowMs: number): void {
    const passedMs = nowMs - this.#lastMs
    // A clock that stands still or runs backwards gives nothing.
    if (passedMs <= 0) return
    this.#tokens = Math.min(
      this.#rate.burst,
      this.#tokens + (passedMs / 1000) * this.#rate.perSecond,
    )
    this.#lastMs = nowMs
  }
}
