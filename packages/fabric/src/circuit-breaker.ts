// A circuit breaker (Nygard, "Release It!", 2nd ed., ch. 5) for one peer: after some failed attempts in a row nothing
// is attempted for a while, and callers hear so at once instead of waiting for one more timeout. Then one attempt
// may try: its success closes the circuit, its failure opens it again. Pure: time comes with each call.

import { circuitFailuresMax, circuitOpenMs } from './limits.ts'

export type CircuitState = 'closed' | 'open' | 'half-open'

export interface CircuitOptions {
  /** Failures in a row that open it. */
  readonly failuresMax?: number
  /** How long it stays open. */
  readonly openMs?: number
}

export class CircuitBreaker {
  readonly #failuresMax: number
  readonly #openMs: number
  #failures = 0
  #openUntilMs = 0
  #isProbing = false

  constructor({ failuresMax = circuitFailuresMax, openMs = circuitOpenMs }: CircuitOptions = {}) {
    this.#failuresMax = failuresMax
    this.#openMs = openMs
  }

  state(nowMs: number): CircuitState {
    if (this.#failures < this.#failuresMax) return 'closed'
    return nowMs < this.#openUntilMs ? 'open' : 'half-open'
  }

  /** Milliseconds until an attempt may be made; 0 where it may be made now. */
  waitMs(nowMs: number): number {
    if (this.state(nowMs) === 'closed') return 0
    return Math.max(this.#isProbing ? 1 : 0, this.#openUntilMs - nowMs)
  }

  /** An attempt begins. In the state `half-open` it is the only one until it ends. */
  begin(nowMs: number): void {
    this.#isProbing = this.state(nowMs) !== 'closed'
  }

  succeed(): void {
    this.#failures = 0
    this.#isProbing = false
  }

  /** True: this failure opened the circuit, or kept it open. */
  fail(nowMs: number): boolean {
    this.#isProbing = false
    this.#failures += 1
    if (this.#failures < this.#failuresMax) return false
    this.#openUntilMs = nowMs + this.#openMs
    return true
  }

  /** The attempt ended without saying anything of the peer: it was called off. */
  abandon(): void {
    this.#isProbing = false
  }
}
