// A pool of record buffers that sessions share: a session holds one only while frames wait in it or a record
// arrives in pieces, so an idle session owns none. Bounded; the hit rate is a metric.

import { sealedRecordBytesMax } from './record-cipher.ts'

/** Buffers that the pool keeps for reuse: 4 MiB at most. */
const buffersKeptMax = 64

export class RecordBuffers {
  readonly #free: Uint8Array[] = []
  hits = 0
  misses = 0

  /** Room for a record, sealed or not. What it holds is of no meaning. */
  take(): Uint8Array {
    const buffer = this.#free.pop()
    if (buffer === undefined) {
      this.misses += 1
      return new Uint8Array(sealedRecordBytesMax)
    }
    this.hits += 1
    return buffer
  }

  /** The caller no longer uses the buffer. Plaintext in it is overwritten by the next user, not wiped. */
  give(buffer: Uint8Array): void {
    if (this.#free.length < buffersKeptMax) this.#free.push(buffer)
  }
}
