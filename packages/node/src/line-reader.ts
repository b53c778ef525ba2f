// Lines out of a byte stream, for protocols of one document per line. Bounded: a line that never ends is
// noticed at its bound, whatever the size of the chunks. Pure.

const newline = 0x0a
const capacityFirst = 4096

export class LineReader {
  readonly #bytesMax: number
  #rest = new Uint8Array(0)
  #length = 0

  /** `bytesMax` counts a line without its newline. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes of the line that has begun. */
  get pendingBytes(): number {
    return this.#length
  }

  /**
   * Calls `onLine` for each line that `chunk` ends, without its newline. The bytes may be views: they are
   * valid during the call. False when a line is too long; nothing can be read after it.
   */
  push(chunk: Uint8Array, onLine: (line: Uint8Array) => void): boolean {
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const part = chunk.subarray(start, end)
      if (this.#length + part.length > this.#bytesMax) return false
      onLine(this.#finish(part))
      start = end + 1
    }
    return this.#keep(chunk.subarray(start))
  }

  #finish(part: Uint8Array): Uint8Array {
    if (this.#length === 0) return part
    this.#keep(part)
    const line = this.#rest.subarray(0, this.#length)
    this.#rest = new Uint8Array(0)
    this.#length = 0
    return line
  }

  #keep(part: Uint8Array): boolean {
    const length = this.#length + part.length
    if (length > this.#bytesMax) return false
    if (length > this.#rest.length) {
      const grown = new Uint8Array(Math.max(length, capacityFirst, this.#rest.length * 2))
      grown.set(this.#rest.subarray(0, this.#length))
      this.#rest = grown
    }
    this.#rest.set(part, this.#length)
    this.#length = length
    return true
  }
}
