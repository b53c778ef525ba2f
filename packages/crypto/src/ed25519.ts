// Ed25519 signatures (RFC 8032 §5.1) over node:crypto.
//
// What is accepted, once for all of Myelin, so that all agents decide alike: the cofactorless
// equation of RFC 8032 §5.1.7 with s below the group order, canonical encodings of A and R, and
// neither A nor R of low order. That is `verify_strict` of ed25519-dalek: RFC 8032 plus the refusal
// of keys under which one signature fits many messages. A or R may have a low-order component
// beside their main one, if the equation holds without the cofactor.

import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { inspect } from 'node:util'
import { hexDecode, type Random } from '@myelin/base'
import { disposedError, requireLength } from './errors.ts'
import {
  ed25519PublicBytes,
  ed25519SeedBytes,
  ed25519SignatureBytes,
  publicKeyCacheEntriesMax,
} from './limits.ts'
import { PublicKeyCache } from './public-key-cache.ts'
import { redacted, wipe } from './secret.ts'

/** y-coordinates of the eight low-order points, sign bit clear (either sign is refused). */
const lowOrderPoints: readonly Uint8Array[] = [
  `00${'00'.repeat(31)}`, // order 4
  `01${'00'.repeat(31)}`, // order 1
  `ec${'ff'.repeat(30)}7f`, // order 2
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', // order 8
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', // order 8
].map((hex) => hexDecode(hex) as Uint8Array)

const cache = new PublicKeyCache('ed25519', publicKeyCacheEntriesMax)

export class Ed25519KeyPair {
  /** 32 bytes. Do not write to it. */
  readonly publicKey: Uint8Array
  #secret: KeyObject | undefined

  private constructor(secret: KeyObject, publicKey: Uint8Array) {
    this.#secret = secret
    this.publicKey = publicKey
  }

  static generate(random: Random): Ed25519KeyPair {
    const seed = random.fill(new Uint8Array(ed25519SeedBytes))
    const pair = Ed25519KeyPair.fromSeed(seed)
    wipe(seed)
    return pair
  }

  /** From the 32-byte private key of RFC 8032 §5.1.5. The bytes stay the caller's. */
  static fromSeed(seed: Uint8Array): Ed25519KeyPair {
    requireLength(seed, ed25519SeedBytes, 'an Ed25519 seed')
    const key = createPrivateKey({ key: seed, format: 'raw-private', asymmetricKeyType: 'ed25519' })
    const publicKey = new Uint8Array(createPublicKey(key).export({ format: 'raw-public' }))
    return new Ed25519KeyPair(key, publicKey)
  }

  /** The 64-byte signature; deterministic. */
  sign(message: Uint8Array): Uint8Array {
    const signature = sign(null, message, this.#live())
    return new Uint8Array(signature.buffer, signature.byteOffset, signature.length)
  }

  /** A copy of the seed, the caller's to wipe. */
  exportSeed(): Uint8Array {
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
    return `Ed25519KeyPair ${redacted}`
  }

  #live(): KeyObject {
    if (this.#secret === undefined) throw disposedError('an Ed25519 key pair')
    return this.#secret
  }
}

/** False for anything that is not a signature by that key; the header says exactly what is. */
export function verifyEd25519(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (!isAcceptableEd25519(publicKey) || signature.length !== ed25519SignatureBytes) return false
  if (!isAcceptableEd25519(signature.subarray(0, ed25519PublicBytes))) return false
  const key = cache.get(publicKey)
  return key !== undefined && verify(null, message, key, signature)
}

/**
 * Whether 32 bytes can be a public key: a canonical y (RFC 8032 §5.1.3) that is not of low order.
 * That the point lies on the curve shows only in a verification.
 */
export function isAcceptableEd25519(point: Uint8Array): boolean {
  if (point.length !== ed25519PublicBytes || !isBelowP(point)) return false
  return !lowOrderPoints.some((low) => isSameY(point, low))
}

/** y < p = 2^255 - 19, the sign bit aside. */
function isBelowP(point: Uint8Array): boolean {
  if (((point[31] as number) & 0x7f) !== 0x7f) return true
  for (let i = 30; i > 0; i -= 1) if (point[i] !== 0xff) return true
  return (point[0] as number) < 0xed
}

function isSameY(point: Uint8Array, y: Uint8Array): boolean {
  for (let i = 0; i < ed25519PublicBytes - 1; i += 1) if (point[i] !== y[i]) return false
  return ((point[31] as number) & 0x7f) === y[31]
}
