// X25519 key agreement (RFC 7748) over node:crypto.
//
// What is accepted: any 32 bytes that are not a low-order point. The top bit is masked and values
// from p to 2^255 - 1 are reduced, as RFC 7748 §5 demands of a receiver; points on the twist are
// fine by design. Low-order points are refused before the multiplication and an all-zero result
// after it (§6.1), so a peer cannot force a shared secret. An acceptable key therefore never makes
// a later `agree` fail.

import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto'
import { inspect } from 'node:util'
import { hexDecode, type Random } from '@myelin/base'
import { disposedError, requireLength } from './errors.ts'
import { x25519Bytes } from './limits.ts'
import { redacted, wipe } from './secret.ts'

/**
 * The u-coordinates of order 1, 2, 4 and 8 on curve and twist, with their forms above p; top bit
 * clear.
 */
const lowOrderPoints: readonly Uint8Array[] = [
  `00${'00'.repeat(31)}`,
  `01${'00'.repeat(31)}`,
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  `ec${'ff'.repeat(30)}7f`, // p - 1
  `ed${'ff'.repeat(30)}7f`, // p, which is 0
  `ee${'ff'.repeat(30)}7f`, // p + 1, which is 1
].map((hex) => hexDecode(hex) as Uint8Array)

/** Whether a peer's public key may be used: 32 bytes, not of low order. */
export function isAcceptableX25519(publicKey: Uint8Array): boolean {
  if (publicKey.length !== x25519Bytes) return false
  return !lowOrderPoints.some((point) => isSamePoint(publicKey, point))
}

export class X25519KeyPair {
  /** 32 bytes. Do not write to it. */
  readonly publicKey: Uint8Array
  #secret: KeyObject | undefined

  private constructor(secret: KeyObject, publicKey: Uint8Array) {
    this.#secret = secret
    this.publicKey = publicKey
  }

  static generate(random: Random): X25519KeyPair {
    const secret = random.fill(new Uint8Array(x25519Bytes))
    const pair = X25519KeyPair.fromSecret(secret)
    wipe(secret)
    return pair
  }

  /**
   * From the 32-byte scalar of RFC 7748 (clamped where it is used). The bytes stay the caller's.
   */
  static fromSecret(secret: Uint8Array): X25519KeyPair {
    requireLength(secret, x25519Bytes, 'an X25519 secret')
    const key = createPrivateKey({
      key: secret,
      format: 'raw-private',
      asymmetricKeyType: 'x25519',
    })
    const publicKey = new Uint8Array(createPublicKey(key).export({ format: 'raw-public' }))
    return new X25519KeyPair(key, publicKey)
  }

  /**
   * The 32-byte shared secret, the caller's to wipe; undefined for a key that is not acceptable.
   */
  agree(peerPublic: Uint8Array): Uint8Array | undefined {
    const privateKey = this.#live()
    if (!isAcceptableX25519(peerPublic)) return undefined
    try {
      const publicKey = createPublicKey({
        key: peerPublic,
        format: 'raw-public',
        asymmetricKeyType: 'x25519',
      })
      const shared = diffieHellman({ privateKey, publicKey })
      return new Uint8Array(shared.buffer, shared.byteOffset, shared.length)
    } catch {
      return undefined // OpenSSL refuses an all-zero result
    }
  }

  /** A copy of the secret scalar, the caller's to wipe. */
  exportSecret(): Uint8Array {
    return new Uint8Array(this.#live().export({ format: 'raw-private' }))
  }

  /** Forgets the secret; OpenSSL cleanses its memory when the last reference is gone. */
  [Symbol.dispose](): void {
    this.#secret = undefined
  }

  toJSON(): string {
    return redacted
  }

  [inspect.custom](): string {
    return `X25519KeyPair ${redacted}`
  }

  #live(): KeyObject {
    if (this.#secret === undefined) throw disposedError('an X25519 key pair')
    return this.#secret
  }
}

function isSamePoint(publicKey: Uint8Array, point: Uint8Array): boolean {
  for (let i = 0; i < x25519Bytes - 1; i += 1) if (publicKey[i] !== point[i]) return false
  return ((publicKey[x25519Bytes - 1] as number) & 0x7f) === point[x25519Bytes - 1]
}
