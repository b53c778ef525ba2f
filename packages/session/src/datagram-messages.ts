// Several messages in one datagram: each behind its length, a varint (RFC 9000 §16). Not the frames of a session:
// those number, time and reassemble messages, which a datagram that may be lost cannot use, in 16 bytes each.

import { err, ok, type Result } from '@myelin/base'
import { readVarint, varintLength, writeVarint } from '@myelin/wire'
import { checkOption } from './datagram-keys.ts'
import { datagramBytesMax } from './limits.ts'

export type DatagramMessagesFault = 'datagram_messages'

/** Collects messages until a datagram is full. */
export class DatagramBatch {
  readonly #bytes: Uint8Array
  #length = 0

  /** `bytesMax`: what the socket takes, less `datagramOverheadBytes` of the sealer. */
  constructor(bytesMax: number) {
    this.#bytes = new Uint8Array(checkOption('bytesMax', bytesMax, datagramBytesMax))
  }

  /** Bytes taken so far, lengths included. */
  get byteLength(): number {
    return this.#length
  }

  /** Copies a message in. False: no room; seal what is there and add it again. */
  add(message: Uint8Array): boolean {
    const at = this.#length
    if (at + varintLength(message.length) + message.length > this.#bytes.length) return false
    const body = writeVarint(this.#bytes, at, message.length)
    this.#bytes.set(message, body)
    this.#length = body + message.length
    return true
  }

  /** What has been added, valid until the next `add`, which begins anew. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#length = 0
    return taken
  }
}

/** The messages of an opened datagram, as views of it: all of them, or the fault. */
export function readDatagramMessages(
  plaintext: Uint8Array,
): Result<readonly Uint8Array[], DatagramMessagesFault> {
  const messages: Uint8Array[] = []
  let offset = 0
  while (offset < plaintext.length) {
    const length = readVarint(plaintext, offset)
    if (length < 0) return err('datagram_messages')
    const body = offset + (1 << ((plaintext[offset] as number) >>> 6))
    if (length > plaintext.length - body) return err('datagram_messages')
    messages.push(plaintext.subarray(body, body + length))
    offset = body + length
  }
  return ok(messages)
}
