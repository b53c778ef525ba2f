// The sliding window that lets each counter pass once, in any order (after RFC 4303 §3.4.3 and RFC 6479). Counters
// at most 1,023 below the highest one are told apart; older ones are refused, seen or not. Pure. `mark` only what
// has been authenticated, else a forger moves the window.

import { replayWindowCounters } from './limits.ts'

const wordBits = 32

export class ReplayWindow {
  /** One bit per counter, a ring: the bit of `counter` is `counter mod replayWindowCounters`. */
  readonly #seen = new Uint32Array(replayWindowCounters / wordBits)
  #highest = -1

  /** `late` is below the window. */
  check(counter: number): 'fresh' | 'seen' | 'late' {
    if (counter > this.#highest) return 'fresh'
    if (counter <= this.#highest - replayWindowCounters) return 'late'
    const bit = counter % replayWindowCounters
    return (((this.#seen[bit >>> 5] as number) >>> (bit & 31)) & 1) === 0 ? 'fresh' : 'seen'
  }

  /** Only for a counter that `check` calls fresh. */
  mark(counter: number): void {
    if (counter > this.#highest) this.#advance(counter)
    const bit = counter % replayWindowCounters
    this.#seen[bit >>> 5] = (this.#seen[bit >>> 5] as number) | (1 << (bit & 31))
  }

  /** The bits of the counters that enter the window still hold what left it. */
  #advance(counter: number): void {
    if (counter - this.#highest >= replayWindowCounters) this.#seen.fill(0)
    else
      for (let entering = this.#highest + 1; entering <= counter; entering += 1) {
        const bit = entering % replayWindowCounters
        this.#seen[bit >>> 5] = (this.#seen[bit >>> 5] as number) & ~(1 << (bit & 31))
      }
    this.#highest = counter
  }
}
