// Comparison in constant time, for tags, tokens and nonces (R004).

import { timingSafeEqual } from 'node:crypto'

/**
 * Whether two byte strings are equal, in a time that depends on their lengths only. Lengths are
 * compared first, so a secret's length must not itself be secret.
 */
export function equalConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
