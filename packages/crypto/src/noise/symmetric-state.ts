// SymmetricState of Noise rev 34 §5.2: the chaining key ck, the transcript hash h and a
// CipherState. ck and every temporary key are wiped as soon as they are replaced.

import { concatBytes, emptyBytes, utf8Encode } from '@myelin/base'
import { digest, type HashName, hashBytes, hkdf } from '../kdf.ts'
import { wipe } from '../secret.ts'
import { CipherState } from './cipher-state.ts'
import type { NoiseCipher } from './protocol-name.ts'

export class SymmetricState {
  readonly #cipher: NoiseCipher
  readonly #hash: HashName
  readonly #cipherState: CipherState
  #ck: Uint8Array
  #h: Uint8Array

  /** InitializeSymmetric: h is the name, padded to a hash length or hashed if longer. */
  constructor(protocolName: string, cipher: NoiseCipher, hash: HashName) {
    this.#cipher = cipher
    this.#hash = hash
    const name = utf8Encode(protocolName)
    const length = hashBytes(hash)
    this.#h = name.length <= length ? new Uint8Array(length) : digest(hash, name)
    if (name.length <= length) this.#h.set(name)
    this.#ck = this.#h.slice()
    this.#cipherState = new CipherState(cipher)
  }

  get hasKey(): boolean {
    return this.#cipherState.hasKey
  }

  /** h, a copy: public to both sides, and unique to this handshake once it is complete (§11.2). */
  get handshakeHash(): Uint8Array {
    return this.#h.slice()
  }

  /** Mixes key material and wipes it. */
  mixKey(material: Uint8Array): void {
    const [ck, key] = this.#derive(material, 2)
    wipe(material)
    this.#replaceCk(ck as Uint8Array)
    this.#useKey(key as Uint8Array)
  }

  /** As `mixKey`, for a public key that must survive (§9.2: `e` in psk handshakes). */
  mixPublicKey(publicKey: Uint8Array): void {
    this.mixKey(new Uint8Array(publicKey))
  }

  mixHash(data: Uint8Array): void {
    this.#h = digest(this.#hash, concatBytes(this.#h, data))
  }

  /** §9.2, for psk tokens; the psk stays the caller's. */
  mixKeyAndHash(psk: Uint8Array): void {
    const [ck, hashed, key] = this.#derive(psk, 3)
    this.#replaceCk(ck as Uint8Array)
    this.mixHash(hashed as Uint8Array)
    wipe(hashed as Uint8Array)
    this.#useKey(key as Uint8Array)
  }

  /** EncryptAndHash into `target` at `offset`; returns the bytes written. */
  encryptAndHash(plaintext: Uint8Array, target: Uint8Array, offset: number): number {
    const length = this.#cipherState.sealInto(this.#h, plaintext, target, offset)
    this.mixHash(target.subarray(offset, offset + length))
    return length
  }

  /** DecryptAndHash; undefined for a forgery, and then the state must not be used again. */
  decryptAndHash(sealed: Uint8Array): Uint8Array | undefined {
    const plaintext = this.#cipherState.decryptWithAd(this.#h, sealed)
    if (plaintext !== undefined) this.mixHash(sealed)
    return plaintext
  }

  /**
   * Split: the cipher of the initiator's messages and that of the responder's. Wipes this state's
   * keys.
   */
  split(): [CipherState, CipherState] {
    const [first, second] = this.#derive(emptyBytes, 2)
    this[Symbol.dispose]()
    return [this.#transport(first as Uint8Array), this.#transport(second as Uint8Array)]
  }

  [Symbol.dispose](): void {
    wipe(this.#ck)
    this.#cipherState[Symbol.dispose]()
  }

  /** §4.3 HKDF: as RFC 5869 with the chaining key as salt and no info, cut into hash lengths. */
  #derive(material: Uint8Array, outputs: 2 | 3): Uint8Array[] {
    const length = hashBytes(this.#hash)
    const okm = hkdf(this.#hash, material, this.#ck, emptyBytes, outputs * length)
    const parts = [okm.slice(0, length), okm.slice(length, 2 * length)]
    if (outputs === 3) parts.push(okm.slice(2 * length))
    wipe(okm)
    return parts
  }

  #replaceCk(ck: Uint8Array): void {
    wipe(this.#ck)
    this.#ck = ck
  }

  #useKey(key: Uint8Array): void {
    this.#cipherState.initializeKey(truncate(key))
  }

  #transport(key: Uint8Array): CipherState {
    const state = new CipherState(this.#cipher)
    state.initializeKey(truncate(key))
    return state
  }
}

/** §5.2: a key from a 64-byte hash is cut to 32 bytes; the rest is wiped. */
function truncate(key: Uint8Array): Uint8Array {
  if (key.length === 32) return key
  const short = key.slice(0, 32)
  wipe(key)
  return short
}
