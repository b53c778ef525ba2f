// What the targets share: usual bounds, texts as bytes, and a number that an input determines.

import { kib, utf8Encode } from '@myelin/base'
import type { FuzzBounds } from '@myelin/testkit'

/**
 * For decoders whose output is about as long as their input. The allocation is what makes a difference between
 * a decoder that believes an announced length and one that does not: announced are up to 4 GiB.
 */
export function boundsWith(changes: Partial<FuzzBounds> = {}): FuzzBounds {
  return {
    msMax: 50,
    inputBytesMax: 4 * kib,
    outputBytesMax: 4 * kib,
    allocatedBytesMax: 1024 * kib,
    ...changes,
  }
}

export function texts(...words: readonly string[]): Uint8Array[] {
  return words.map(utf8Encode)
}

/** FNV-1a: what a target does by chance depends on the input alone, so that the input reproduces it. */
export function hashOf(input: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of input) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
