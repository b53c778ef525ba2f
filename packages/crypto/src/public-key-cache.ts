// Imported public keys, least recently used first out. Importing costs a tenth of a verification
// for Ed25519 and about half of one for ML-DSA, and a swarm verifies the same few keys again and
// again.

import { createPublicKey, type KeyObject } from 'node:crypto'

export type CachedKeyType = 'ed25519' | 'ml-dsa-65' | 'ml-dsa-87'

export class PublicKeyCache {
  readonly #type: CachedKeyType
  readonly #capacity: number
  /** From the key's bytes as a latin1 string; a Map iterates in the order of insertion. */
  readonly #keys = new Map<string, KeyObject>()

  constructor(type: CachedKeyType, capacity: number) {
    this.#type = type
    this.#capacity = capacity
  }

  get size(): number {
    return this.#keys.size
  }

  /** The key object, or undefined when OpenSSL refuses the bytes. Check the length before. */
  get(publicKey: Uint8Array): KeyObject | undefined {
    const { buffer, byteOffset, byteLength } = publicKey
    const name = Buffer.from(buffer, byteOffset, byteLength).toString('latin1')
    const known = this.#keys.get(name)
    if (known !== undefined) {
      this.#keys.delete(name)
      this.#keys.set(name, known)
      return known
    }
    const imported = importKey(this.#type, publicKey)
    if (imported === undefined) return undefined
    if (this.#keys.size >= this.#capacity) {
      const [oldest] = this.#keys.keys()
      if (oldest !== undefined) this.#keys.delete(oldest)
    }
    this.#keys.set(name, imported)
    return imported
  }
}

function importKey(type: CachedKeyType, key: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key, format: 'raw-public', asymmetricKeyType: type })
  } catch {
    return undefined
  }
}
