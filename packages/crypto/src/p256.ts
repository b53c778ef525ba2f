// The NIST curve P-256 over node:crypto: ECDH (NIST SP 800-56A) and ECDSA verification with SHA-256
// (FIPS 186-5), for certificates and Noise profiles of others. Myelin's own keys are on Curve25519.
//
// Points are uncompressed (04 ‖ x ‖ y, SEC 1 §2.3.3) and checked to lie on the curve before use;
// the order is prime, so nothing else can go wrong with them. Signatures are strict DER.

import { createECDH, createPublicKey, type ECDH, ECDH as EcdhStatic, verify } from 'node:crypto'
import { inspect } from 'node:util'
import { compareBytes, hexDecode, type Random } from '@myelin/base'
import { CryptoError, disposedError, requireLength } from './errors.ts'
import { encodeSpki } from './key-encoding.ts'
import { p256PublicBytes, p256SecretBytes } from './limits.ts'
import { redacted, wipe } from './secret.ts'

const curve = 'prime256v1'

/** n, the order of the group (SEC 2 §2.4.2). */
const order = hexDecode(
  'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
) as Uint8Array

/** Whether the bytes are an uncompressed point of the curve. */
export function isAcceptableP256(publicKey: Uint8Array): boolean {
  if (publicKey.length !== p256PublicBytes || publicKey[0] !== 4) return false
  try {
    EcdhStatic.convertKey(publicKey, curve)
    return true
  } catch {
    return false
  }
}

export class P256KeyPair {
  /** 65 bytes. Do not write to it. */
  readonly publicKey: Uint8Array
  #secret: ECDH | undefined

  private constructor(secret: ECDH) {
    this.#secret = secret
    this.publicKey = new Uint8Array(secret.getPublicKey())
  }

  static generate(random: Random): P256KeyPair {
    const secret = new Uint8Array(p256SecretBytes)
    // All but 2^-32 of the 32-byte strings are scalars, so this ends at once.
    do random.fill(secret)
    while (!isScalar(secret))
    const pair = P256KeyPair.fromSecret(secret)
    wipe(secret)
    return pair
  }

  /** From a scalar of 32 bytes, 1 to n - 1. The bytes stay the caller's. */
  static fromSecret(secret: Uint8Array): P256KeyPair {
    requireLength(secret, p256SecretBytes, 'a P-256 secret')
    if (!isScalar(secret)) {
      const message = 'a P-256 secret is zero or not below the order; generate another'
      throw new CryptoError('CRYPTO_KEY_INVALID', message, { kind: 'usage' })
    }
    const ecdh = createECDH(curve)
    ecdh.setPrivateKey(secret)
    return new P256KeyPair(ecdh)
  }

  /** The x-coordinate of the shared point, 32 bytes; undefined for a key that is not acceptable. */
  agree(peerPublic: Uint8Array): Uint8Array | undefined {
    if (this.#secret === undefined) throw disposedError('a P-256 key pair')
    if (peerPublic.length !== p256PublicBytes || peerPublic[0] !== 4) return undefined
    try {
      const shared = this.#secret.computeSecret(peerPublic)
      return new Uint8Array(shared.buffer, shared.byteOffset, shared.length)
    } catch {
      return undefined
    }
  }

  /** Forgets the secret; OpenSSL cleanses its memory when the last reference is gone. */
  [Symbol.dispose](): void {
    this.#secret = undefined
  }

  toJSON(): string {
    return redacted
  }

  [inspect.custom](): string {
    return `P256KeyPair ${redacted}`
  }
}

/** ECDSA with SHA-256; `signature` is the DER of SEQUENCE { r, s }. */
export function verifyEcdsaP256(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.length !== p256PublicBytes || publicKey[0] !== 4) return false
  try {
    const spki = Buffer.from(encodeSpki('p256', publicKey))
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    return verify('sha256', message, { key, dsaEncoding: 'der' }, signature)
  } catch {
    return false
  }
}

function isScalar(secret: Uint8Array): boolean {
  return secret.some((byte) => byte !== 0) && compareBytes(secret, order) < 0
}
