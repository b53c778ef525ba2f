// Sees the keys that sessions use, and finds secrets in text. For the tests that look after secrets.

import { equalBytes, type Random } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import { type Aead, aes256Gcm, chacha20Poly1305 } from '@myelin/crypto'

/** An array that held a secret: the array itself, and what it held when it was first seen. */
export interface Seen {
  readonly bytes: Uint8Array
  readonly secret: Uint8Array
}

/** Nothing of it is left where it was, but what another key has there by chance: keys share memory, in turn. */
export const isWiped = ({ bytes, secret }: Seen): boolean =>
  bytes.filter((byte, i) => byte !== 0 && byte === secret[i]).length <= 3

/** Every key that goes through the AEADs, with the array it lies in; until disposed. */
export class KeyWatch implements Disposable {
  readonly #keys = new Map<Uint8Array, Seen[]>()
  readonly #restore: (() => void)[] = []

  constructor() {
    for (const aead of [aes256Gcm, chacha20Poly1305] as Aead[]) {
      const { open, sealInto } = aead
      aead.open = (key, ...rest) => open.call(aead, this.#see(key), ...rest)
      aead.sealInto = (key, ...rest) => sealInto.call(aead, this.#see(key), ...rest)
      this.#restore.push(() => Object.assign(aead, { open, sealInto }))
    }
  }

  get keys(): Seen[] {
    return [...this.#keys.values()].flat()
  }

  [Symbol.dispose](): void {
    for (const restore of this.#restore) restore()
  }

  #see(key: Uint8Array): Uint8Array {
    // Not by a name in text: no string is to hold a secret.
    const seen = this.#keys.get(key) ?? []
    this.#keys.set(key, seen)
    if (!seen.some(({ secret }) => equalBytes(secret, key)))
      seen.push({ bytes: key, secret: key.slice() })
    return key
  }
}

/** A random source that remembers what it gave, and into which array. */
export class RandomWatch implements Random {
  readonly #drawn: Seen[] = []

  // Private, since sessions print their environment, and this is in it.
  get drawn(): readonly Seen[] {
    return this.#drawn
  }

  fill<Target extends Uint8Array>(target: Target): Target {
    systemRandom.fill(target)
    this.#drawn.push({ bytes: target, secret: target.slice() })
    return target
  }
}

/** How bytes may stand in a text. Half of a secret is enough to be found. */
export function formsOf(secret: Uint8Array): string[] {
  const half = Buffer.from(secret.subarray(0, Math.max(8, secret.length >> 1)))
  const hex = half.toString('hex')
  // Base64 may start at any of the three places within a group: the group's own bytes are left out.
  const base64 = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), half])
      .toString('base64')
      .slice(shift === 0 ? 0 : 4)
      .replace(/=+$/, '')
      .slice(0, -2),
  )
  const base64url = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))
  const numbers = [...half]
  return [
    hex,
    hex.toUpperCase(),
    hex.replace(/..(?!$)/g, '$& '),
    ...base64,
    ...base64url,
    numbers.join(','),
    numbers.join(', '),
    numbers.join(' '),
    half.toString('latin1'),
  ]
}

/** The forms of secrets that a text gives away. */
export function leaksIn(text: string, secrets: readonly Uint8Array[]): string[] {
  // Long lists of numbers are broken into lines.
  const plain = text.replace(/\s+/g, ' ')
  return secrets.flatMap(formsOf).filter((form) => text.includes(form) || plain.includes(form))
}
