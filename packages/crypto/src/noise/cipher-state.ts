// CipherState of Noise rev 34 §5.1: a key and a counter that is the nonce.
//
// The counter is a double, not a BigInt: exact up to 2^53 - 1, where this object refuses to go on
// (§5.1 would end at 2^64 - 1, which rekey reserves). Nothing is allocated per message but what
// OpenSSL returns.

import { CryptoError, disposedError, requireLength } from '../errors.ts'
import { aeadTagBytes, noiseNonceMax } from '../limits.ts'
import { wipe } from '../secret.ts'
import type { NoiseCipher } from './protocol-name.ts'

const noBytes = new Uint8Array(0)

export class CipherState {
  readonly #cipher: NoiseCipher
  readonly #nonceBytes: Uint8Array
  readonly #nonceView: DataView
  #key: Uint8Array | undefined
  #nonce = 0
  #isDisposed = false

  constructor(cipher: NoiseCipher) {
    this.#cipher = cipher
    this.#nonceBytes = new Uint8Array(cipher.aead.nonceBytes)
    this.#nonceView = new DataView(this.#nonceBytes.buffer)
  }

  get hasKey(): boolean {
    return this.#key !== undefined
  }

  /** The counter of the next message. */
  get nonce(): number {
    return this.#nonce
  }

  /** Bytes that sealing adds: 16, or 0 before there is a key. */
  get overheadBytes(): number {
    return this.#key === undefined ? 0 : aeadTagBytes
  }

  /** Takes ownership of `key` (32 bytes) and starts counting at 0. */
  initializeKey(key: Uint8Array): void {
    if (this.#isDisposed) throw disposedError('a cipher state')
    requireLength(key, 32, 'a Noise cipher key')
    if (this.#key !== undefined) wipe(this.#key)
    this.#key = key
    this.#nonce = 0
  }

  /** §5.1 SetNonce, for transports that lose or reorder messages (§11.4). */
  setNonce(nonce: number): void {
    if (!Number.isSafeInteger(nonce) || nonce < 0 || nonce > noiseNonceMax) throw nonceError()
    this.#nonce = nonce
  }

  /** EncryptWithAd into new memory; without a key a copy of the plaintext. */
  encryptWithAd(ad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const sealed = new Uint8Array(plaintext.length + this.overheadBytes)
    this.sealInto(ad, plaintext, sealed, 0)
    return sealed
  }

  /**
   * EncryptWithAd into `target` at `offset`; returns the bytes written. The plaintext may lie
   * there.
   */
  sealInto(ad: Uint8Array, plaintext: Uint8Array, target: Uint8Array, offset: number): number {
    if (this.#isDisposed) throw disposedError('a cipher state')
    const key = this.#key
    if (key === undefined) {
      target.set(plaintext, offset)
      return plaintext.length
    }
    const nonce = this.#currentNonce()
    const length = this.#cipher.aead.sealInto(key, nonce, plaintext, ad, target, offset)
    this.#nonce += 1
    return length
  }

  /**
   * DecryptWithAd; undefined when the tag does not fit, and then the counter stays. The result is
   * new memory, but without a key it is `sealed` itself.
   */
  decryptWithAd(ad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    if (this.#isDisposed) throw disposedError('a cipher state')
    const key = this.#key
    if (key === undefined) return sealed
    const plaintext = this.#cipher.aead.open(key, this.#currentNonce(), sealed, ad)
    if (plaintext !== undefined) this.#nonce += 1
    return plaintext
  }

  /**
   * §4.2 REKEY: the key becomes the encryption of 32 zeros under nonce 2^64 - 1. The counter stays.
   */
  rekey(): void {
    const key = this.#key
    if (key === undefined) throw disposedError('a cipher state without a key')
    this.#nonceView.setUint32(this.#cipher.counterOffset, 0xffffffff)
    this.#nonceView.setUint32(this.#cipher.counterOffset + 4, 0xffffffff)
    const sealed = this.#cipher.aead.seal(key, this.#nonceBytes, new Uint8Array(32), noBytes)
    key.set(sealed.subarray(0, 32))
    wipe(sealed)
  }

  /** A copy of the key, for a protocol that derives its own record keys. The caller wipes it. */
  exportKey(): Uint8Array {
    if (this.#key === undefined) throw disposedError('a cipher state without a key')
    return new Uint8Array(this.#key)
  }

  /** Wipes the key; any later use throws. */
  [Symbol.dispose](): void {
    if (this.#key !== undefined) wipe(this.#key)
    this.#key = undefined
    this.#isDisposed = true
  }

  #currentNonce(): Uint8Array {
    if (this.#nonce > noiseNonceMax) throw nonceError()
    const { counterOffset, isLittleEndian } = this.#cipher
    const low = this.#nonce >>> 0
    const high = Math.floor(this.#nonce / 2 ** 32)
    this.#nonceView.setUint32(counterOffset, isLittleEndian ? low : high, isLittleEndian)
    this.#nonceView.setUint32(counterOffset + 4, isLittleEndian ? high : low, isLittleEndian)
    return this.#nonceBytes
  }
}

function nonceError(): CryptoError {
  const message = 'the nonces of a cipher state are used up or out of range; open a new session'
  return new CryptoError('CRYPTO_NONCE_EXHAUSTED', message, { kind: 'usage' })
}
