// Variable-length integers of QUIC (RFC 9000 §16): the two top bits of the first byte give the length, 1, 2, 4
// or 8 bytes. Values are JavaScript numbers, so the 62-bit range ends here at 2^53-1; what is beyond is a
// fault. Nothing is allocated: reading returns the value or one of two negative codes.

import { WireError } from './errors.ts'
import { assertRoom } from './packet.ts'

/** `readVarint`: the bytes end inside the number. */
export const varintTruncated = -1
/** `readVarint`: the number exceeds 2^53-1. */
export const varintOversize = -2

/** Bytes of the shortest encoding of `value`. */
export function varintLength(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    const message = `a varint is an integer from 0 to 2^53-1, not ${value}`
    throw new WireError('WIRE_VARINT_RANGE', message)
  }
  if (value < 0x40) return 1
  if (value < 0x4000) return 2
  return value < 0x4000_0000 ? 4 : 8
}

/** Writes the shortest encoding and returns the offset behind it. */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  const length = varintLength(value)
  assertRoom(target, offset, length)
  if (length === 1) {
    target[offset] = value
  } else if (length === 2) {
    target[offset] = 0x40 | (value >>> 8)
    target[offset + 1] = value
  } else if (length === 4) {
    writeU32(target, offset, value)
    target[offset] = 0x80 | (value >>> 24)
  } else {
    const high = Math.floor(value / 2 ** 32)
    writeU32(target, offset, high)
    target[offset] = 0xc0 | (high >>> 24)
    writeU32(target, offset + 4, value % 2 ** 32)
  }
  return offset + length
}

/** Bytes of the number that begins at `offset`, as its first byte tells; 0 when there is no byte. */
export function varintLengthAt(bytes: Uint8Array, offset: number): number {
  const first = bytes[offset]
  return first === undefined ? 0 : 1 << (first >>> 6)
}

/**
 * The number that begins at `offset`, or `varintTruncated`, or `varintOversize`. Longer encodings than
 * needed are valid (RFC 9000 §16); a format that wants one encoding per value compares the lengths.
 */
export function readVarint(bytes: Uint8Array, offset: number): number {
  const first = bytes[offset]
  if (first === undefined) return varintTruncated
  if (first < 0x40) return first
  const length = 1 << (first >>> 6)
  if (offset + length > bytes.length) return varintTruncated
  if (length === 2) return ((first & 0x3f) << 8) | (bytes[offset + 1] as number)
  const high = readU32(bytes, offset, first & 0x3f)
  if (length === 4) return high
  if (high >= 2 ** 21) return varintOversize
  return high * 2 ** 32 + readU32(bytes, offset + 4, bytes[offset + 4] as number)
}

function writeU32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 24
  target[offset + 1] = value >>> 16
  target[offset + 2] = value >>> 8
  target[offset + 3] = value
}

function readU32(bytes: Uint8Array, offset: number, first: number): number {
  return (
    first * 2 ** 24 +
    (((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number))
  )
}
