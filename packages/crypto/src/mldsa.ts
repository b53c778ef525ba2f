// ML-DSA signatures (FIPS 204) over node:crypto: ML-DSA-87 to sign and verify, ML-DSA-65 to verify.
//
// Pure ML-DSA with an optional context of up to 255 bytes. OpenSSL signs hedged (§3.4): two
// signatures of the same message differ, and a fault or a leak of one tells nothing of the key. The
// expanded private key is never stored; the 32-byte seed is the key.

import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { inspect } from 'node:util'
import { emptyBytes, type Random } from '@myelin/base'
import { CryptoError, disposedError, requireLength } from './errors.ts'
import {
  mlDsa65PublicBytes,
  mlDsa65SignatureBytes,
  mlDsa87PublicBytes,
  mlDsa87SignatureBytes,
  mlDsaContextBytesMax,
  mlDsaSeedBytes,
  postQuantumKeyCacheEntriesMax,
} from './limits.ts'
import { PublicKeyCache } from './public-key-cache.ts'
import { redacted, wipe } from './secret.ts'

const cache65 = new PublicKeyCache('ml-dsa-65', postQuantumKeyCacheEntriesMax)
const cache87 = new PublicKeyCache('ml-dsa-87', postQuantumKeyCacheEntriesMax)

export class MlDsa87KeyPair {
  /** 2,592 bytes. Do not write to it. */
  readonly publicKey: Uint8Array
  #secret: KeyObject | undefined

  private constructor(secret: KeyObject) {
    this.#secret = secret
    this.publicKey = new Uint8Array(createPublicKey(secret).export({ format: 'raw-public' }))
  }

  static generate(random: Random): MlDsa87KeyPair {
    const seed = random.fill(new Uint8Array(mlDsaSeedBytes))
    const pair = MlDsa87KeyPair.fromSeed(seed)
    wipe(seed)
    return pair
  }

  /** From the 32-byte seed ξ of FIPS 204 §5.1. The bytes stay the caller's. */
  static fromSeed(seed: Uint8Array): MlDsa87KeyPair {
    requireLength(seed, mlDsaSeedBytes, 'an ML-DSA-87 seed')
    return new MlDsa87KeyPair(
      createPrivateKey({ key: seed, format: 'raw-seed', asymmetricKeyType: 'ml-dsa-87' }),
    )
  }

  /** The 4,627-byte signature; the verifier must give the same `context` (at most 255 bytes). */
  sign(message: Uint8Array, context: Uint8Array = emptyBytes): Uint8Array {
    if (this.#secret === undefined) throw disposedError('an ML-DSA-87 key pair')
    if (context.length > mlDsaContextBytesMax) {
      const text = `the context has ${context.length} bytes; use at most ${mlDsaContextBytesMax}`
      throw new CryptoError('CRYPTO_LENGTH', text, { kind: 'usage' })
    }
    const signature = sign(null, message, { key: this.#secret, context })
    return new Uint8Array(signature.buffer, signature.byteOffset, signature.length)
  }

  /** A copy of the seed, the caller's to wipe. */
  exportSeed(): Uint8Array {
    if (this.#secret === undefined) throw disposedError('an ML-DSA-87 key pair')
    return new Uint8Array(this.#secret.export({ format: 'raw-seed' }))
  }

  /** Forgets the secret; OpenSSL cleanses its memory when the last reference is gone. */
  [Symbol.dispose](): void {
    this.#secret = undefined
  }

  toJSON(): string {
    return redacted
  }

  [inspect.custom](): string {
    return `MlDsa87KeyPair ${redacted}`
  }
}

/** False for anything that is not a signature of `message` under `context` by that key. */
export function verifyMlDsa87(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  context: Uint8Array = emptyBytes,
): boolean {
  if (publicKey.length !== mlDsa87PublicBytes) return false
  if (signature.length !== mlDsa87SignatureBytes) return false
  return verifyWith(cache87.get(publicKey), message, signature, context)
}

export function verifyMlDsa65(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  context: Uint8Array = emptyBytes,
): boolean {
  if (publicKey.length !== mlDsa65PublicBytes) return false
  if (signature.length !== mlDsa65SignatureBytes) return false
  return verifyWith(cache65.get(publicKey), message, signature, context)
}

function verifyWith(
  key: KeyObject | undefined,
  message: Uint8Array,
  signature: Uint8Array,
  context: Uint8Array,
): boolean {
  if (key === undefined || context.length > mlDsaContextBytesMax) return false
  return verify(null, message, { key, context }, signature)
}
