// The mutations, each a small function. One may write into `bytes`, which is a working copy, or return others.
// Binary formats break at lengths and boundaries, text formats at tokens and numbers; all kinds are tried on
// everything, since one input may hold both.

import type { SeededRandom } from '../simulation/seeded-random.ts'
import {
  boundariesOf,
  integerForms,
  readInteger,
  twistedLengths,
  writeInteger,
} from './integers.ts'

export interface MutationTools {
  readonly random: SeededRandom
  /** Bytes that mean something in the format: magic numbers, keywords, delimiters. */
  readonly tokens: readonly Uint8Array[]
  /** Another sample, to splice with. */
  readonly other: Uint8Array
  readonly inputBytesMax: number
}

export type Mutation = (bytes: Uint8Array, tools: MutationTools) => Uint8Array

const bytesOfInterest = Uint8Array.of(
  ...[0x00, 0x01, 0x0a, 0x0d, 0x20, 0x22, 0x25, 0x2f, 0x3a, 0x5b, 0x5c, 0x7b, 0x7f, 0x80],
  ...[0x90, 0xc0, 0xc1, 0xcf, 0xd9, 0xdf, 0xe0, 0xf0, 0xfe, 0xff],
)
const numbersOfInterest = [
  '0',
  '-0',
  '-1',
  '1',
  '00',
  '1e999',
  '1e-999',
  '0.5',
  '65536',
  '4294967296',
  '9007199254740991',
  '9007199254740993',
  '18446744073709551616',
  '1'.repeat(400),
].map((text) => new TextEncoder().encode(text))
/** A piece that is doubled or moved is rarely longer. */
const blockBytesMax = 64

export const mutations: Readonly<Record<string, Mutation>> = {
  flipBit: (bytes, { random }) => {
    const at = below(random, bytes.length)
    if (bytes.length > 0) bytes[at] = (bytes[at] as number) ^ (1 << below(random, 8))
    return bytes
  },
  setByte: (bytes, { random }) => {
    const at = below(random, bytes.length)
    const isRandom = random.chance(0.3)
    if (bytes.length > 0) bytes[at] = isRandom ? random.u32() : pickByte(random)
    return bytes
  },
  setBoundary: (bytes, { random }) => {
    const form = random.pick(integerForms)
    writeInteger(bytes, below(random, bytes.length), form, random.pick(boundariesOf[form.bytes]))
    return bytes
  },
  twistLength: (bytes, { random }) => {
    const form = random.pick(integerForms)
    const at = below(random, bytes.length)
    const value = readInteger(bytes, at, form)
    const behind = Math.max(0, bytes.length - at - form.bytes)
    writeInteger(bytes, at, form, random.pick(twistedLengths(value, behind, form)))
    return bytes
  },
  /** RFC 9000 §16: the two top bits give the width. */
  twistVarint: (bytes, { random }) => {
    const width = random.between(0, 3)
    const at = below(random, bytes.length)
    const end = Math.min(bytes.length, at + (1 << width))
    for (let i = at; i < end; i += 1) bytes[i] = random.chance(0.5) ? 0xff : random.u32()
    if (bytes.length > 0) bytes[at] = (width << 6) | ((bytes[at] as number) & 0x3f)
    return bytes
  },
  truncate: (bytes, { random }) => bytes.subarray(0, random.between(0, bytes.length)),
  extend: (bytes, tools) => {
    const { random } = tools
    const tail = new Uint8Array(random.between(1, blockBytesMax))
    if (random.chance(0.5)) random.fill(tail)
    else tail.fill(pickByte(random))
    return replace(bytes, bytes.length, bytes.length, tail, tools)
  },
  splice: (bytes, tools) => {
    const { random, other } = tools
    const from = random.between(0, other.length)
    return replace(
      bytes,
      random.between(0, bytes.length),
      bytes.length,
      other.subarray(from),
      tools,
    )
  },
  insertOther: (bytes, tools) => {
    const { random, other } = tools
    const { start, end } = block(random, other)
    const at = random.between(0, bytes.length)
    return replace(bytes, at, at, other.subarray(start, end), tools)
  },
  duplicateBlock: (bytes, tools) => {
    const { start, end } = block(tools.random, bytes)
    return replace(bytes, end, end, bytes.subarray(start, end), tools)
  },
  /** Many times over: what a decoder does for each piece adds up, and shows where it adds up squared. */
  repeatBlock: (bytes, tools) => {
    const { random, inputBytesMax } = tools
    const { start, end } = block(random, bytes)
    const room = Math.max(0, inputBytesMax - bytes.length)
    // Seldom to the brim: short inputs are quick, and most faults need few repetitions.
    const repeated = new Uint8Array(random.between(0, room >> random.between(0, 6)))
    const piece = bytes.subarray(start, Math.min(end, start + repeated.length))
    if (piece.length === 0) return bytes
    repeated.set(piece)
    for (let filled = piece.length; filled < repeated.length; filled *= 2)
      repeated.copyWithin(filled, 0, filled)
    return replace(bytes, end, end, repeated, tools)
  },
  deleteBlock: (bytes, tools) => {
    const { start, end } = block(tools.random, bytes)
    return replace(bytes, start, end, new Uint8Array(0), tools)
  },
  swapBlocks: (bytes, { random }) => {
    const a = block(random, bytes)
    const b = block(random, bytes)
    const length = Math.min(a.end - a.start, b.end - b.start)
    const held = bytes.slice(a.start, a.start + length)
    bytes.copyWithin(a.start, b.start, b.start + length)
    bytes.set(held, b.start)
    return bytes
  },
  fillBlock: (bytes, { random }) => {
    const { start, end } = block(random, bytes)
    if (random.chance(0.5)) random.fill(bytes.subarray(start, end))
    else bytes.fill(pickByte(random), start, end)
    return bytes
  },
  insertToken: (bytes, tools) => {
    const { random, tokens } = tools
    if (tokens.length === 0) return bytes
    const token = random.pick(tokens)
    const at = random.between(0, bytes.length)
    const isOver = random.chance(0.5)
    return replace(bytes, at, isOver ? Math.min(bytes.length, at + token.length) : at, token, tools)
  },
  /** A run of ASCII digits becomes another number. */
  replaceNumber: (bytes, tools) => {
    const { random } = tools
    const found = digitsFrom(bytes, below(random, bytes.length))
    if (found === undefined) return bytes
    return replace(bytes, found.start, found.end, random.pick(numbersOfInterest), tools)
  },
}

/** Everything behind `end` moves; the outcome is cut at the bound of inputs. */
function replace(
  bytes: Uint8Array,
  start: number,
  end: number,
  part: Uint8Array,
  { inputBytesMax }: MutationTools,
): Uint8Array {
  const length = start + part.length + bytes.length - end
  const out = new Uint8Array(length)
  out.set(bytes.subarray(0, start))
  out.set(part, start)
  out.set(bytes.subarray(end), start + part.length)
  return length > inputBytesMax ? out.subarray(0, inputBytesMax) : out
}

function block(random: SeededRandom, bytes: Uint8Array): { start: number; end: number } {
  const start = below(random, bytes.length)
  const longest = random.chance(0.1) ? bytes.length : blockBytesMax
  return { start, end: Math.min(bytes.length, start + random.between(1, Math.max(1, longest))) }
}

function digitsFrom(bytes: Uint8Array, from: number): { start: number; end: number } | undefined {
  const isDigit = (at: number) => (bytes[at] ?? 0) >= 0x30 && (bytes[at] ?? 0) <= 0x39
  let start = from
  while (start < bytes.length && !isDigit(start)) start += 1
  if (start >= bytes.length) return undefined
  let end = start
  while (isDigit(end)) end += 1
  return { start, end }
}

function pickByte(random: SeededRandom): number {
  return bytesOfInterest[below(random, bytesOfInterest.length)] as number
}

/** From 0 to `bound` - 1; 0 where there is nothing to choose from. */
function below(random: SeededRandom, bound: number): number {
  return bound <= 1 ? 0 : random.between(0, bound - 1)
}
