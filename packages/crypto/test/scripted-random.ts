// Randomness for tests: the bytes of a script, in order, and an error when they are used up.

import assert from 'node:assert/strict'
import { concatBytes, type Random } from '@myelin/base'

export function scriptedRandom(...parts: readonly Uint8Array[]): Random & { remaining(): number } {
  const script = concatBytes(...parts)
  let offset = 0
  return {
    fill(target) {
      assert.ok(offset + target.length <= script.length, 'the script of random bytes is used up')
      target.set(script.subarray(offset, offset + target.length))
      offset += target.length
      return target
    },
    remaining: () => script.length - offset,
  }
}

export function bytesOf(value: number, length: number): Uint8Array {
  return new Uint8Array(length).fill(value)
}
