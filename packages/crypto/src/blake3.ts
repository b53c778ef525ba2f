// BLAKE3 (github.com/BLAKE3-team/BLAKE3-specs): hash, keyed hash and key derivation. OpenSSL has
// none, so this is the JavaScript of @noble/hashes, checked against the official vectors.

import { blake3 as nobleBlake3 } from '@noble/hashes/blake3.js'
import { CryptoError, requireLength } from './errors.ts'
import { blake3OutputBytesMax } from './limits.ts'

/** The hash of `data`, 32 bytes unless `length` says otherwise. */
export function blake3(data: Uint8Array, length = 32): Uint8Array {
  checkLength(length)
  return nobleBlake3(data, { dkLen: length })
}

/** A MAC or PRF under a key of 32 bytes. */
export function blake3Keyed(key: Uint8Array, data: Uint8Array, length = 32): Uint8Array {
  requireLength(key, 32, 'a BLAKE3 key')
  checkLength(length)
  return nobleBlake3(data, { key, dkLen: length })
}

/**
 * A key from key material. `context` is a fixed, globally unique string of the application, never
 * user input: `"myelin 2026-11 session resumption"`.
 */
export function blake3DeriveKey(context: string, material: Uint8Array, length = 32): Uint8Array {
  checkLength(length)
  return nobleBlake3(material, { context: Buffer.from(context, 'utf8'), dkLen: length })
}

function checkLength(length: number): void {
  if (Number.isSafeInteger(length) && length > 0 && length <= blake3OutputBytesMax) return
  const message = `a BLAKE3 output of ${length} bytes; use 1 to ${blake3OutputBytesMax}`
  throw new CryptoError('CRYPTO_LENGTH', message, { kind: 'usage' })
}
