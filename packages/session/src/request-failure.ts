// A response that says "failed": code(u16) · text. The code is of the application's table, and small: what
// exactly went wrong inside stays inside.

import { ByteReader, ByteWriter, utf8Decode } from '@myelin/base'
import { SessionError } from './errors.ts'

const textBytesMax = 1024

export class RequestFailure extends SessionError {
  /** The number that the peer's application gave. */
  readonly remoteCode: number
  /** The peer's own words, for people. */
  readonly remoteMessage: string

  constructor(remoteCode: number, remoteMessage: string) {
    super('SESSION_REQUEST_FAILED', `the peer could not answer: ${remoteMessage}`, {
      kind: 'recoverable',
    })
    this.remoteCode = remoteCode
    this.remoteMessage = remoteMessage
  }
}

export function encodeFailure(code: number, message: string): Uint8Array {
  const text = new Uint8Array(textBytesMax)
  // Never ends inside a character, as a cut of the encoded text would.
  const { written } = new TextEncoder().encodeInto(message, text)
  return new ByteWriter(64).u16(code).put(text.subarray(0, written)).finish()
}

export function decodeFailure(payload: Uint8Array): RequestFailure {
  const reader = new ByteReader(payload)
  const code = reader.u16()
  const text = utf8Decode(reader.take(Math.min(reader.remaining, textBytesMax)))
  return new RequestFailure(code, text ?? 'no reason given')
}
