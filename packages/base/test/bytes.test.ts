import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteReader, ByteWriter, compareBytes, concatBytes, equalBytes } from '@myelin/base'

test('what a writer writes, a reader reads', () => {
  const bytes = new ByteWriter(1)
    .u8(1)
    .u16(2)
    .u32(3)
    .u64(4n)
    .u53(5)
    .f64(0.5)
    .bytes16(new Uint8Array([7]))
    .finish()
  const reader = new ByteReader(bytes)
  assert.deepEqual(
    [reader.u8(), reader.u16(), reader.u32(), reader.u64(), reader.u53(), reader.f64()],
    [1, 2, 3, 4n, 5, 0.5],
  )
  assert.deepEqual(reader.bytes16(), new Uint8Array([7]))
  assert.equal(reader.isComplete, true)
})

test('a read past the end fails the reader and returns zeros', () => {
  const reader = new ByteReader(new Uint8Array([0, 9, 1]))
  assert.equal(reader.bytes16().length, 0)
  assert.equal(reader.isValid, false)
  assert.equal(reader.u8(), 0)
})

test('a length over its bound fails the reader', () => {
  assert.equal(new ByteReader(new Uint8Array([0, 2, 1, 1])).bytes16(1).length, 0)
})

test('a u53 above the safe integers fails the reader', () => {
  const reader = new ByteReader(new Uint8Array(8).fill(255))
  assert.equal(reader.u53(), 0)
  assert.equal(reader.isValid, false)
})

test('a writer refuses to grow past its bound', () => {
  assert.throws(() => new ByteWriter(1, 4).put(new Uint8Array(5)), { code: 'BASE_ASSERTION' })
})

test('bytes compare, concatenate and order', () => {
  const a = new Uint8Array([1, 2])
  assert.equal(equalBytes(concatBytes(a, a), new Uint8Array([1, 2, 1, 2])), true)
  assert.equal(equalBytes(a, new Uint8Array([1, 3])), false)
  assert.ok(compareBytes(a, new Uint8Array([1, 3])) < 0)
  assert.ok(compareBytes(a, new Uint8Array([1])) > 0)
})
