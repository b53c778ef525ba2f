// ML-KEM-768 key encapsulation (FIPS 203) over node:crypto.
//
// Decapsulation rejects implicitly: a forged ciphertext of the right length gives a secret that
// nobody else has, not an error (§6.3), so a handshake notices at its next authentication tag.
// Public keys with a coefficient of q or more are refused at import (§7.2). Encapsulation draws its
// 32 random bytes inside OpenSSL, which takes no random source from its caller.

import {
  createPrivateKey,
  createPublicKey,
  decapsulate,
  encapsulate,
  type KeyObject,
} from 'node:crypto'
import { inspect } from 'node:util'
import { concatBytes, hexDecode, type Random } from '@myelin/base'
import { disposedError, requireLength } from './errors.ts'
import {
  mlKem768CiphertextBytes,
  mlKem768DecapsulationKeyBytes,
  mlKem768PublicBytes,
  mlKem768SeedBytes,
} from './limits.ts'
import { redacted, wipe } from './secret.ts'

export interface Encapsulation {
  /** 1,088 bytes, for the owner of the public key. */
  readonly ciphertext: Uint8Array
  /** 32 bytes, the caller's to wipe. */
  readonly sharedSecret: Uint8Array
}

/** RFC 9935 §6: PKCS #8 with the expanded key, up to its 2,400 bytes. */
const expandedKeyPrefix = hexDecode(
  '30820978020100300b060960864801650304040204820964' + '04820960',
) as Uint8Array

/** … and with the seed alone, up to its 64 bytes. OpenSSL takes half the time over it that it takes over the bare seed. */
const seedKeyPrefix = hexDecode(
  '3054020100300b0609608648016503040402' + '0442' + '8040',
) as Uint8Array

export class MlKem768PublicKey {
  readonly #key: KeyObject

  private constructor(key: KeyObject) {
    this.#key = key
  }

  /** Undefined unless the bytes are a valid encapsulation key (FIPS 203 §7.2). */
  static fromBytes(publicKey: Uint8Array): MlKem768PublicKey | undefined {
    if (publicKey.length !== mlKem768PublicBytes) return undefined
    try {
      return new MlKem768PublicKey(
        createPublicKey({
          key: publicKey,
          format: 'raw-public',
          asymmetricKeyType: 'ml-kem-768',
        }),
      )
    } catch {
      return undefined
    }
  }

  encapsulate(): Encapsulation {
    const { ciphertext, sharedKey } = encapsulate(this.#key)
    return { ciphertext: plain(ciphertext), sharedSecret: plain(sharedKey) }
  }
}

export class MlKem768KeyPair {
  /** 1,184 bytes. Do not write to it. */
  readonly publicKey: Uint8Array
  #secret: KeyObject | undefined

  private constructor(secret: KeyObject) {
    this.#secret = secret
    this.publicKey = new Uint8Array(createPublicKey(secret).export({ format: 'raw-public' }))
  }

  static generate(random: Random): MlKem768KeyPair {
    const seed = random.fill(new Uint8Array(mlKem768SeedBytes))
    const pair = MlKem768KeyPair.fromSeed(seed)
    wipe(seed)
    return pair
  }

  /** From d ‖ z, 64 bytes (FIPS 203 §7.1). The bytes stay the caller's. */
  static fromSeed(seed: Uint8Array): MlKem768KeyPair {
    requireLength(seed, mlKem768SeedBytes, 'an ML-KEM-768 seed')
    const der = Buffer.from(concatBytes(seedKeyPrefix, seed).buffer)
    try {
      return new MlKem768KeyPair(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
    } finally {
      wipe(der)
    }
  }

  /**
   * From an expanded decapsulation key of 2,400 bytes; undefined when its parts do not fit (§7.3).
   */
  static fromDecapsulationKey(expanded: Uint8Array): MlKem768KeyPair | undefined {
    if (expanded.length !== mlKem768DecapsulationKeyBytes) return undefined
    const der = Buffer.from(concatBytes(expandedKeyPrefix, expanded).buffer)
    try {
      return new MlKem768KeyPair(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
    } catch {
      return undefined
    } finally {
      wipe(der)
    }
  }

  /**
   * The 32-byte shared secret, the caller's to wipe; undefined for a ciphertext of the wrong
   * length.
   */
  decapsulate(ciphertext: Uint8Array): Uint8Array | undefined {
    if (this.#secret === undefined) throw disposedError('an ML-KEM-768 key pair')
    if (ciphertext.length !== mlKem768CiphertextBytes) return undefined
    return plain(decapsulate(this.#secret, ciphertext))
  }

  /** Forgets the secret; OpenSSL cleanses its memory when the last reference is gone. */
  [Symbol.dispose](): void {
    this.#secret = undefined
  }

  toJSON(): string {
    return redacted
  }

  [inspect.custom](): string {
    return `MlKem768KeyPair ${redacted}`
  }
}

/** A fresh secret for the owner of `publicKey`; undefined when that is not a valid key. */
export function encapsulateMlKem768(publicKey: Uint8Array): Encapsulation | undefined {
  return MlKem768PublicKey.fromBytes(publicKey)?.encapsulate()
}

function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}
