// What is sent: a ring of random payloads, so that nothing compresses and each message can be told from its
// neighbours, and the sum by which the other end shows that it got them.

import { randomFillSync } from 'node:crypto'

const ringBytesMax = 4 * 1024 * 1024
const ringLengthMax = 256
/** Of a stream every so many bytes one is summed up: prime, and wherever the chunks begin. */
const streamStep = 1021

export function payloadsOf(bytes: number): readonly Uint8Array[] {
  const count = Math.max(2, Math.min(ringLengthMax, Math.floor(ringBytesMax / bytes)))
  return Array.from({ length: count }, () => randomFillSync(new Uint8Array(bytes)))
}

/** Bytes of one payload that are summed up: more would measure the sum of large ones. */
const summedMax = 1024

/** Depends on bytes from all over the payload and on the order of payloads. */
export function checksum(start: number, payload: Uint8Array): number {
  let sum = start
  const step = Math.max(1, Math.floor(payload.length / summedMax))
  for (let i = payload.length - 1; i >= 0; i -= step) {
    sum = (Math.imul(sum, 31) + (payload[i] as number)) | 0
  }
  return sum
}

/** As `checksum`, of a stream whose next bytes are these: the same however the stream is cut into chunks. */
export function streamSum(start: number, position: number, chunk: Uint8Array): number {
  let sum = start
  const first = (streamStep - (position % streamStep)) % streamStep
  for (let i = first; i < chunk.length; i += streamStep) {
    sum = (Math.imul(sum, 31) + (chunk[i] as number)) | 0
  }
  return sum
}
