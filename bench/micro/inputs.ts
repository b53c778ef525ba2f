// What is compressed, sealed and sent: words in a fixed pseudo-random order, and bytes without any order.

import { randomFillSync } from 'node:crypto'

const words =
  'the agent that reads this report sends its gradient to the coordinator of round seven and waits until all of the other workers have answered or their lease has run out then it begins again with another shard of the data'.split(
    ' ',
  )
/** Numerical Recipes' generator modulo 2^32. */
const [factor, addend] = [1_664_525, 1_013_904_223]

export function textOf(bytes: number): Uint8Array {
  const parts: string[] = []
  let state = 1
  for (let length = 0; length < bytes; ) {
    state = (Math.imul(state, factor) + addend) >>> 0
    const word = words[Math.floor((state / 2 ** 32) * words.length)] as string
    parts.push(word)
    length += word.length + 1
  }
  return new TextEncoder().encode(parts.join(' ').padEnd(bytes, '.').slice(0, bytes))
}

export function noiseOf(bytes: number): Uint8Array {
  return randomFillSync(new Uint8Array(bytes))
}
