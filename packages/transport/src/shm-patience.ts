// How long a shared-memory stream without bytes stays awake before it sleeps. Pure.
//
// The window adapts, as halt polling in KVM does: it grows when bytes cut a sleep short, and shrinks when a sleep
// was long. Writing begins the wait anew only if bytes have come since it last did: so a request waits for its
// answer, and a stream that only writes does not wait at all.

import { shmWindowUsMin } from './limits.ts'

export class Patience {
  readonly #windowUsMax: number
  #windowUs: number
  #idleSinceMs: number | undefined
  #hasHeard = true

  constructor(windowUsMax: number) {
    this.#windowUsMax = windowUsMax
    this.#windowUs = windowUsMax
  }

  /** Waiting does not pay at all. */
  get isNone(): boolean {
    return this.#windowUs === 0
  }

  /** Something happened: the wait begins anew with the next turn. */
  restart(): void {
    this.#idleSinceMs = undefined
  }

  /** Bytes came. */
  heard(): void {
    this.#hasHeard = true
  }

  /** Bytes were written; true when it is worth waiting for an answer. */
  spoke(isAsleep: boolean): boolean {
    if (!this.#hasHeard) return false
    this.#hasHeard = false
    // Nothing came while we slept, until we spoke: more waiting would not have paid.
    if (isAsleep) this.#shrink()
    this.restart()
    return true
  }

  /** Whether a turn in vain at this time is one too many. */
  isOver(nowMs: number): boolean {
    this.#idleSinceMs ??= nowMs
    return (nowMs - this.#idleSinceMs) * 1_000 >= this.#windowUs
  }

  /** The other side ended our sleep. */
  woken(nowMs: number): void {
    const idleUs = (nowMs - (this.#idleSinceMs ?? nowMs)) * 1_000
    if (idleUs >= this.#windowUsMax) this.#shrink()
    else this.#windowUs = Math.min(this.#windowUsMax, Math.max(shmWindowUsMin, 4 * this.#windowUs))
  }

  #shrink(): void {
    this.#windowUs = this.#windowUs < 2 * shmWindowUsMin ? 0 : this.#windowUs / 2
  }
}
