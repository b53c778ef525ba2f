// The one error class of this package. Thrown only for misuse by local code; what a peer sends is
// answered with `undefined`, `false` or a Result, never with a throw. Messages never hold key
// material.

import { MyelinError } from '@myelin/base'

export type CryptoErrorCode =
  /** OpenSSL failed where it cannot: memory is exhausted or the library is not what it says. */
  | 'CRYPTO_ENGINE'
  /** A key of the right length that the algorithm refuses (a low-order point, a zero scalar). */
  | 'CRYPTO_KEY_INVALID'
  /** A key, nonce, seed, context or output length that the algorithm does not have. */
  | 'CRYPTO_LENGTH'
  /** A secret or key was used after it was disposed. */
  | 'CRYPTO_DISPOSED'
  /** A cipher state has used up its nonces; rekey long before. */
  | 'CRYPTO_NONCE_EXHAUSTED'
  /** A Noise protocol name that does not parse or names an algorithm that is not here. */
  | 'CRYPTO_NOISE_NAME'
  /** A Noise handshake was used out of order or set up with the wrong keys. */
  | 'CRYPTO_NOISE_STATE'
  /** A payload that does not fit a Noise message of 65,535 bytes. */
  | 'CRYPTO_NOISE_TOO_LONG'

export class CryptoError extends MyelinError<CryptoErrorCode> {}

/** Throws `CRYPTO_LENGTH` unless `bytes` has exactly `length` bytes. */
export function requireLength(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length !== length) {
    const message = `${what} has ${bytes.length} bytes; pass exactly ${length}`
    throw new CryptoError('CRYPTO_LENGTH', message, { kind: 'usage' })
  }
}

export function disposedError(what: string): CryptoError {
  const message = `${what} was used after it was disposed; keep it until the last use`
  return new CryptoError('CRYPTO_DISPOSED', message, { kind: 'usage' })
}
