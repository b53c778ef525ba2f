// Varints against RFC 9000 §16 (ranges) and appendix A.1 (samples).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hexDecode, hexEncode } from '@myelin/base'
import {
  readVarint,
  varintLength,
  varintLengthAt,
  varintOversize,
  varintTruncated,
  writeVarint,
} from '@myelin/wire'
import fc from 'fast-check'

function hex(text: string): Uint8Array {
  const bytes = hexDecode(text)
  assert.ok(bytes)
  return bytes
}

test('the samples of RFC 9000 appendix A.1 read and write as printed', () => {
  const samples: readonly (readonly [string, number])[] = [
    ['9d7f3e7d', 494_878_333],
    ['7bbd', 15_293],
    ['25', 37],
  ]
  for (const [text, value] of samples) {
    const bytes = hex(text)
    assert.equal(readVarint(bytes, 0), value)
    assert.equal(varintLengthAt(bytes, 0), bytes.length)
    const target = new Uint8Array(bytes.length)
    assert.equal(writeVarint(target, 0, value), bytes.length)
    assert.equal(hexEncode(target), text)
  }
  // The fourth sample, 151,288,809,941,952,652, is above 2^53-1; the sixth is 37 in two bytes.
  assert.equal(readVarint(hex('c2197c5eff14e88c'), 0), varintOversize)
  assert.equal(varintLengthAt(hex('c2197c5eff14e88c'), 0), 8)
  assert.equal(readVarint(hex('4025'), 0), 37)
})

test('the lengths change where table 4 of RFC 9000 says', () => {
  const table: readonly (readonly [number, number])[] = [
    [0, 1],
    [63, 1],
    [64, 2],
    [16_383, 2],
    [16_384, 4],
    [1_073_741_823, 4],
    [1_073_741_824, 8],
    [Number.MAX_SAFE_INTEGER, 8],
  ]
  for (const [value, length] of table) {
    assert.equal(varintLength(value), length)
    const target = new Uint8Array(10).fill(0xaa)
    assert.equal(writeVarint(target, 1, value), 1 + length)
    assert.equal(readVarint(target, 1), value)
    assert.equal(target[0], 0xaa)
    assert.equal(target[1 + length], 0xaa)
  }
})

test('2^53-1 is the last number and 2^53 is too large', () => {
  assert.equal(readVarint(hex('c01fffffffffffff'), 0), Number.MAX_SAFE_INTEGER)
  assert.equal(readVarint(hex('c020000000000000'), 0), varintOversize)
  assert.equal(readVarint(hex('ffffffffffffffff'), 0), varintOversize)
})

test('a varint that is cut short is told from a complete one', () => {
  for (const text of ['', '40', '80ffff', 'c0000000000000']) {
    assert.equal(readVarint(hex(text), 0), varintTruncated, text)
  }
  assert.equal(varintLengthAt(hex('25'), 1), 0)
})

test('numbers outside the range and targets too small are misuse', () => {
  const target = new Uint8Array(3)
  for (const value of [-1, 0.5, 2 ** 53, Number.NaN]) {
    assert.throws(() => writeVarint(target, 0, value), { code: 'WIRE_VARINT_RANGE' })
  }
  assert.throws(() => writeVarint(target, 0, 16_384), { code: 'WIRE_TARGET_TOO_SMALL' })
  assert.throws(() => writeVarint(target, 3, 0), { code: 'WIRE_TARGET_TOO_SMALL' })
})

test('what is written is read back, wherever it stands', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.integer({ min: 0, max: 5 }), (value, offset) => {
      const target = new Uint8Array(16)
      const end = writeVarint(target, offset, value)
      assert.equal(readVarint(target, offset), value)
      assert.equal(varintLengthAt(target, offset), end - offset)
      assert.equal(varintLength(value), end - offset)
    }),
  )
})
