// Memory for secrets: owned by one object, wiped when it goes, never printed.
//
// What JavaScript cannot promise: the runtime may have copied the bytes while moving them, and
// strings cannot be wiped at all. Keys handed to OpenSSL live in its own memory, which OpenSSL
// cleanses when it frees it.

import { inspect } from 'node:util'
import type { Random } from '@myelin/base'
import { disposedError } from './errors.ts'

export const redacted = '[redacted]'

/** Overwrites with zeros. */
export function wipe(bytes: Uint8Array): void {
  bytes.fill(0)
}

/**
 * The same object, which from now on prints and serialises with `[redacted]` in place of the named
 * fields. For plain values that must carry a secret; the fields themselves stay readable.
 */
export function concealFields<Value extends object>(
  value: Value,
  ...fields: readonly (keyof Value)[]
): Value {
  const shown = () => {
    const held = fields.filter((field) => value[field] !== undefined)
    return { ...value, ...Object.fromEntries(held.map((field) => [field, redacted])) }
  }
  // Not enumerable, so that the value compares and spreads as if they were not there.
  return Object.defineProperties(value, {
    toJSON: { value: shown },
    [inspect.custom]: { value: shown },
  })
}

/**
 * Bytes that belong to this object alone; `using secret = new SecretBytes(…)` wipes them at the
 * end.
 */
export class SecretBytes {
  #bytes: Uint8Array | undefined

  /** Takes ownership: do not keep or change `bytes` afterwards. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  static generate(random: Random, length: number): SecretBytes {
    return new SecretBytes(random.fill(new Uint8Array(length)))
  }

  /** The bytes themselves, not a copy; valid until the secret is disposed. */
  get bytes(): Uint8Array {
    if (this.#bytes === undefined) throw disposedError('a secret')
    return this.#bytes
  }

  get isDisposed(): boolean {
    return this.#bytes === undefined
  }

  [Symbol.dispose](): void {
    if (this.#bytes !== undefined) wipe(this.#bytes)
    this.#bytes = undefined
  }

  toString(): string {
    return redacted
  }

  toJSON(): string {
    return redacted
  }

  [inspect.custom](): string {
    return `SecretBytes ${redacted}`
  }
}
