// The codec against itself and against @msgpack/msgpack without our scan.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, encode } from '@msgpack/msgpack'
import { equalBytes } from '@myelin/base'
import { decodeMsgpack, encodeMsgpack } from '@myelin/wire'
import fc from 'fast-check'

const key = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((name) => name !== '__proto__')

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map((number) => number + 0),
    fc.double({ noNaN: true }).filter((number) => !Object.is(number, -0)),
    fc.string({ unit: 'grapheme', maxLength: 50 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(key, tie('value'), { maxKeys: 20, noNullPrototype: true }),
  ),
}))

test('every value survives, and is written as @msgpack/msgpack writes it', () => {
  fc.assert(
    fc.property(value, (sample) => {
      const bytes = encodeMsgpack(sample)
      assert.deepEqual(decodeMsgpack(bytes), { ok: true, value: sample })
      assert.ok(equalBytes(bytes, encode(sample)))
    }),
    { numRuns: 500 },
  )
})

test('every 64-bit integer survives', () => {
  const integer = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n })
  fc.assert(
    fc.property(integer, (sample) => {
      const decoded = decodeMsgpack(encodeMsgpack(sample))
      assert.ok(decoded.ok)
      assert.equal(BigInt(decoded.value as bigint), sample)
    }),
  )
})

test('any bytes decode to a value or a fault, and never to what the library refuses', () => {
  const damaged = fc.tuple(value, fc.nat(), fc.nat(255)).map(([sample, at, byte]) => {
    const bytes = encodeMsgpack(sample)
    bytes[at % bytes.length] = byte
    return bytes
  })
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 60 })), (bytes) => {
      const decoded = decodeMsgpack(bytes)
      if (decoded.ok) decode(bytes)
    }),
    { numRuns: 3000 },
  )
})

test('a value that lost its end is refused', () => {
  fc.assert(
    fc.property(value, fc.nat(), (sample, cut) => {
      const bytes = encodeMsgpack(sample)
      assert.equal(decodeMsgpack(bytes.subarray(0, cut % bytes.length)).ok, false)
    }),
  )
})
