// Inputs for a decoder, made from samples of what it reads. Two ways: a systematic one that tries at every
// offset what a length field or a boundary there could do, and a random one that stacks mutations.

import type { SeededRandom } from '../simulation/seeded-random.ts'
import {
  boundariesOf,
  type IntegerForm,
  integerForms,
  readInteger,
  twistedLengths,
  writeInteger,
} from './integers.ts'
import { type Mutation, mutations } from './mutations.ts'

export interface MutatorOptions {
  readonly tokens?: readonly Uint8Array[]
  /** No input is longer, samples aside. */
  readonly inputBytesMax: number
}

export interface Mutator {
  /** Takes a sample, or a piece of several, and changes it a little or much. Never writes into a sample. */
  mutate(samples: readonly Uint8Array[]): Uint8Array
}

/** Of two inputs one has a single mutation, of four one has two, and so on. */
const anotherChance = 0.5
const stackMax = 8

const table: readonly Mutation[] = Object.values(mutations)

export function mutator(
  random: SeededRandom,
  { tokens = [], inputBytesMax }: MutatorOptions,
): Mutator {
  return {
    mutate: (samples) => {
      const other = samples.length > 1 ? random.pick(samples) : new Uint8Array(0)
      const tools = { random, tokens, other, inputBytesMax }
      let bytes: Uint8Array = random.pick(samples).slice()
      for (let stacked = 0; stacked < stackMax; stacked += 1) {
        bytes = random.pick(table)(bytes, tools)
        if (!random.chance(anotherChance)) break
      }
      return bytes
    },
  }
}

type Step = (bytes: Uint8Array, offset: number) => Uint8Array

const steps: readonly Step[] = [
  (bytes, offset) => bytes.subarray(0, offset),
  (bytes, offset) => {
    bytes.copyWithin(offset, offset + 1)
    return bytes.subarray(0, bytes.length - 1)
  },
  ...integerForms.flatMap(integerSteps),
]

function integerSteps(form: IntegerForm): Step[] {
  const boundarySteps = boundariesOf[form.bytes].map((value): Step => {
    return (bytes, offset) => {
      writeInteger(bytes, offset, form, value)
      return bytes
    }
  })
  const lengthSteps = twistedLengths(0n, 0, form).map((_, index): Step => {
    return (bytes, offset) => {
      const behind = Math.max(0, bytes.length - offset - form.bytes)
      const values = twistedLengths(readInteger(bytes, offset, form), behind, form)
      writeInteger(bytes, offset, form, values[index] ?? 0n)
      return bytes
    }
  })
  return [...boundarySteps, ...lengthSteps]
}

/** How many inputs `systematicInput` makes of this sample. */
export function systematicCount(sample: Uint8Array): number {
  return sample.length * steps.length
}

/** The input `index` of all that one step at one offset of the sample makes. */
export function systematicInput(sample: Uint8Array, index: number): Uint8Array {
  const step = steps[index % steps.length] as Step
  return step(sample.slice(), Math.floor(index / steps.length))
}
