// LZ4 blocks (the official block format: token, literals, u16 LE offset, match; no frame around them), written
// here because the JavaScript ports are slow or, with a reused table, wrong. A 1 KiB message takes microseconds.
//
// The block rules that the compressor keeps: the last five bytes are literals, a match begins at least twelve
// bytes before the end, offsets are 1 to 65,535. The decompressor never touches memory outside its two arrays.

import { assert } from '@myelin/base'

/** `lz4Decompress`: the block is not one. */
export const lz4Malformed = -1
/** `lz4Compress`, `lz4Decompress`: the output does not fit its target. */
export const lz4TargetFull = -2

const matchBytesMin = 4
const lastLiteralBytes = 5
const matchFreeTailBytes = 12
const offsetMax = 0xffff

const tableBits = 13
/** One entry per hash: `base` plus the position at which that hash was last seen. */
const table = new Uint32Array(2 ** tableBits)
/**
 * Positions of earlier calls lie below `base`, so the table needs no clearing and nothing of one input shows
 * in the output for another, neither its bytes nor its length.
 */
let base = 1
/** How much input passes before the table is cleared after all; with a block on top it still fits a u32. */
const clearAfterBytes = 2 ** 26

/** Compresses one block into `target` and returns its length, or `lz4TargetFull`. */
export function lz4Compress(source: Uint8Array, target: Uint8Array): number {
  const length = source.length
  assert(length <= 2 ** 31, 'an LZ4 block holds at most 2 GiB')
  if (base > clearAfterBytes) {
    table.fill(0)
    base = 1
  }
  const origin = base
  base += length
  return compressFrom(origin, source, target)
}

function compressFrom(origin: number, source: Uint8Array, target: Uint8Array): number {
  const length = source.length
  const lastMatchStart = length - matchFreeTailBytes
  const matchEnd = length - lastLiteralBytes
  let anchor = 0
  let position = 0
  let written = 0
  let misses = 0
  while (position <= lastMatchStart) {
    const word = readWord(source, position)
    const slot = Math.imul(word, 2654435761) >>> (32 - tableBits)
    const candidate = (table[slot] as number) - origin
    table[slot] = origin + position
    const isMatch =
      candidate >= 0 && position - candidate <= offsetMax && readWord(source, candidate) === word
    if (!isMatch) {
      // The longer nothing matches, the larger the steps: incompressible input passes quickly.
      position += 1 + (misses >> 6)
      misses += 1
      continue
    }
    misses = 0
    const offset = position - candidate
    let end = position + matchBytesMin
    while (end < matchEnd && source[end] === source[end - offset]) end += 1
    // A large step may have landed inside the match: it begins where the bytes begin to agree.
    let start = position
    while (start > anchor && start > offset && source[start - 1] === source[start - 1 - offset]) {
      start -= 1
    }
    written = writeLiterals(source, anchor, start, target, written, end - start)
    if (written < 0 || written + 2 > target.length) return lz4TargetFull
    target[written] = offset
    target[written + 1] = offset >>> 8
    written = writeExtension(target, written + 2, end - start - matchBytesMin)
    if (written < 0) return lz4TargetFull
    position = end
    anchor = end
  }
  return writeLiterals(source, anchor, length, target, written, 0)
}

/** Writes a token with its literals; `matchLength` 0 is the end of the block. */
function writeLiterals(
  source: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  offset: number,
  matchLength: number,
): number {
  if (offset >= target.length) return lz4TargetFull
  const count = to - from
  const matchNibble = matchLength === 0 ? 0 : Math.min(15, matchLength - matchBytesMin)
  target[offset] = (Math.min(15, count) << 4) | matchNibble
  const at = writeExtension(target, offset + 1, count)
  if (at < 0 || at + count > target.length) return lz4TargetFull
  copy(source, from, count, target, at)
  return at + count
}

/** What a nibble of 15 does not say: bytes of 255 and a last one below. */
function writeExtension(target: Uint8Array, offset: number, value: number): number {
  if (value < 15) return offset
  const full = Math.floor((value - 15) / 255)
  if (offset + full >= target.length) return lz4TargetFull
  target.fill(255, offset, offset + full)
  target[offset + full] = (value - 15) % 255
  return offset + full + 1
}

/** Decompresses one block into `target`; returns the bytes written, `lz4Malformed` or `lz4TargetFull`. */
export function lz4Decompress(source: Uint8Array, target: Uint8Array): number {
  const length = source.length
  let position = 0
  let written = 0
  while (position < length) {
    const token = source[position] as number
    position += 1
    let literals = token >>> 4
    if (literals === 15) {
      let byte = 255
      while (byte === 255) {
        if (position >= length) return lz4Malformed
        byte = source[position] as number
        position += 1
        literals += byte
      }
    }
    if (literals > length - position) return lz4Malformed
    if (literals > target.length - written) return lz4TargetFull
    copy(source, position, literals, target, written)
    position += literals
    written += literals
    // A block ends after literals; every other sequence has a match.
    if (position === length) return written
    if (length - position < 2) return lz4Malformed
    const offset = (source[position] as number) | ((source[position + 1] as number) << 8)
    position += 2
    if (offset === 0 || offset > written) return lz4Malformed
    let match = (token & 15) + matchBytesMin
    if (match === 15 + matchBytesMin) {
      let byte = 255
      while (byte === 255) {
        if (position >= length) return lz4Malformed
        byte = source[position] as number
        position += 1
        match += byte
      }
    }
    if (match > target.length - written) return lz4TargetFull
    repeat(target, written, offset, match)
    written += match
  }
  return lz4Malformed
}

/** Below this a loop beats the call into the engine. */
const copyLoopBytesMax = 32

function copy(source: Uint8Array, from: number, count: number, target: Uint8Array, at: number) {
  if (count > copyLoopBytesMax) {
    target.set(source.subarray(from, from + count), at)
    return
  }
  for (let i = 0; i < count; i += 1) target[at + i] = source[from + i] as number
}

/** Appends `count` bytes from `offset` back; where that overlaps the output, the pattern repeats. */
function repeat(target: Uint8Array, at: number, offset: number, count: number): void {
  if (count > copyLoopBytesMax && offset >= count) {
    target.copyWithin(at, at - offset, at - offset + count)
    return
  }
  for (let i = at; i < at + count; i += 1) target[i] = target[i - offset] as number
}

function readWord(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] as number) |
    ((bytes[offset + 1] as number) << 8) |
    ((bytes[offset + 2] as number) << 16) |
    ((bytes[offset + 3] as number) << 24)
  )
}
