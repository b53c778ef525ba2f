// Peer records whose signature was found genuine: their digests, oldest out first. A verification takes ten times
// as long as the digest, and the record of a peer comes with each of its handshakes. The digest covers the whole
// record, signature included, so that what is remembered is a fact that does not age; whether the record is valid
// now, and its agent trusted, is asked each time by those who use it.

import { sha256 } from '@myelin/crypto'

export class VerifiedRecords {
  readonly #capacity: number
  /** Digests as latin1 strings; a Set iterates in the order of insertion. */
  readonly #digests = new Set<string>()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#digests.size
  }

  /** True where `verify` says so, now or once for the very same bytes. */
  check(encoded: Uint8Array, verify: () => boolean): boolean {
    const { buffer, byteOffset, byteLength } = sha256(encoded)
    const digest = Buffer.from(buffer, byteOffset, byteLength).toString('latin1')
    // A record that is in use again becomes the youngest.
    if (!this.#digests.delete(digest)) {
      if (!verify()) return false
      if (this.#digests.size >= this.#capacity) {
        const [oldest] = this.#digests
        if (oldest !== undefined) this.#digests.delete(oldest)
      }
    }
    this.#digests.add(digest)
    return true
  }
}
