// Memory for short plaintexts, which lie side by side: memory of one's own for each costs as much as the cipher. What
// one of them holds nobody else's view can reach.

const slabBytes = 32 * 1024

export class Slab {
  #bytes = new Uint8Array(0)
  #used: number = slabBytes

  /** Zeroed memory that was never given before; `length` is at most 32 KiB. */
  take(length: number): Uint8Array {
    if (this.#used + length > slabBytes) {
      this.#bytes = new Uint8Array(slabBytes)
      this.#used = 0
    }
    const start = this.#used
    this.#used += (length + 7) & ~7
    return this.#bytes.subarray(start, start + length)
  }
}
