// A response that says "failed": code(u16) · text. The code is of the application's table, and small: what
// exactly went wrong inside stays inside.

import { ByteReader, utf8Decode } from '@myelin/base'
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

const encoder = new TextEncoder()

/** The last one: a peer that is refused chooses how often, and is mostly told the same. */
let latest: { readonly code: number; readonly message: string; readonly payload: Uint8Array } = {
  code: -1,
  message: '',
  payload: new Uint8Array(0),
}

/** The bytes may be those of an earlier call: they are sent, never changed. */
export function encodeFailure(code: number, message: string): Uint8Array {
  if (latest.code === code && latest.message === message) return latest.payload
  const payload = encode(code, message)
  latest = { code, message, payload }
  return payload
}

function encode(code: number, message: string): Uint8Array {
  // As long as it must be, as it may wait. Never ends inside a character, as a cut of the encoded text would.
  const payload = new Uint8Array(2 + Math.min(textBytesMax, Buffer.byteLength(message)))
  payload[0] = code >>> 8
  payload[1] = code
  const { written } = encoder.encodeInto(message, payload.subarray(2))
  return payload.subarray(0, 2 + written)
}

export function decodeFailure(payload: Uint8Array): RequestFailure {
  const reader = new ByteReader(payload)
  const code = reader.u16()
  const text = utf8Decode(reader.take(Math.min(reader.remaining, textBytesMax)))
  return new RequestFailure(code, text ?? 'no reason given')
}
