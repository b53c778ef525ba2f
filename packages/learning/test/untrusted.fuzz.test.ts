import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import {
  checkUpdate,
  decodeTask,
  defaultPlan,
  encodeTask,
  parseIdxImages,
  parseIdxLabels,
  planRound,
  weightsFromBytes,
  weightsToBytes,
} from '@myelin/learning'
import fc from 'fast-check'

test('no bytes make the IDX readers throw, and what they accept fits its header', () => {
  const head = fc.constantFrom('', '00000801', '00000803', '0000080100000004', '1f8b08')
  fc.assert(
    fc.property(head, fc.uint8Array({ maxLength: 64 }), fc.boolean(), (hex, tail, isPacked) => {
      const plain = Buffer.concat([Buffer.from(hex, 'hex'), tail])
      const file = isPacked ? gzipSync(plain) : plain
      parseIdxImages(file)
      const labels = parseIdxLabels(file)
      if (!labels.ok) return
      assert.ok(labels.value.every((label) => label < 10))
      if (isPacked) assert.equal(labels.value.length, plain.length - 8)
    }),
  )
})

test('no parameters make the task reader throw, and what it accepts encodes again', () => {
  const valid = encodeTask(planRound(defaultPlan, 0)[0]!)
  const value = fc.oneof(
    fc.integer({ min: -2, max: 5_000 }),
    fc.double(),
    fc.string(),
    fc.constant('784-32-10'),
    fc.boolean(),
    fc.constant(null),
  )
  const change = fc.dictionary(fc.constantFrom(...Object.keys(valid), '__proto__'), value, {
    maxKeys: 3,
  })
  fc.assert(
    fc.property(change, (changes) => {
      const decoded = decodeTask({ ...valid, ...changes })
      if (!decoded.ok) return
      const again = decodeTask(encodeTask(decoded.value))
      assert.ok(again.ok)
      assert.deepEqual(again.value, decoded.value)
    }),
    { numRuns: 500 },
  )
})

test('finite weights survive their bytes, and any other bytes are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const length = bytes.length >> 2
      const read = weightsFromBytes(bytes, length)
      if (!read.ok) return
      assert.deepEqual(weightsToBytes(read.value), bytes)
    }),
  )
})

test('an update that passes the check has a bounded norm', () => {
  const weights = fc.float32Array({ minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(weights, fc.double(), (values, examples) => {
      const checked = checkUpdate(
        { weights: values, examples },
        { length: values.length, rmsMax: 1 },
      )
      if (!checked.ok) return
      assert.ok(values.every((value) => Math.abs(value) <= Math.sqrt(values.length)))
      assert.ok(Number.isSafeInteger(examples) && examples > 0)
    }),
  )
})
