// The handshake nonces of the recent past: the last `capacity` of them, whoever sent them (R136). A set for
// the look-up and a ring for the order; both bounded by construction.

import { hexEncode } from '@myelin/base'

export class NonceCache {
  readonly #seen = new Set<string>()
  readonly #ring: (string | undefined)[]
  #next = 0

  constructor(capacity: number) {
    this.#ring = new Array(capacity)
  }

  get size(): number {
    return this.#seen.size
  }

  /** False where the nonce is among the last `capacity`; else remembers it, forgetting the oldest. */
  accept(nonce: Uint8Array): boolean {
    const key = hexEncode(nonce)
    if (this.#seen.has(key)) return false
    const oldest = this.#ring[this.#next]
    if (oldest !== undefined) this.#seen.delete(oldest)
    this.#ring[this.#next] = key
    this.#next = (this.#next + 1) % this.#ring.length
    this.#seen.add(key)
    return true
  }
}
