// Gives large memory back at once instead of leaving it to the collector. Buffers of ciphertext live for one
// turn, but V8 counts them as external memory and answers 64 MiB of it with a full collection: at full speed
// those took more time than the cipher.

import { recordBytesMax } from './limits.ts'

/** Less is not worth a call. */
const releasedBytesMin = recordBytesMax / 4

/**
 * Detaches the memory of `bytes` if they are large and all there is of it; otherwise does nothing. Only for its
 * one owner: every view on that memory is empty afterwards.
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes
  if (bytes.length < releasedBytesMin || bytes.length !== buffer.byteLength) return
  if (buffer instanceof ArrayBuffer) buffer.transfer(0)
}
