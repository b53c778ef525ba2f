import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  dataset,
  generateDigits,
  partitionByLabel,
  partitionIid,
  selectExamples,
  shardRange,
  sliceDataset,
} from '@myelin/learning'

const sorted = (lists: readonly Uint32Array[]) =>
  lists.flatMap((list) => [...list]).sort((a, b) => a - b)

test('ranges cover everything once and differ by at most one in size', () => {
  const ranges = [0, 1, 2, 3, 4].map((index) => shardRange(23, { index, count: 5 }))
  assert.deepEqual(ranges, [
    { start: 0, end: 4 },
    { start: 4, end: 9 },
    { start: 9, end: 13 },
    { start: 13, end: 18 },
    { start: 18, end: 23 },
  ])
})

test('mixed shards hold every example once, by seed', () => {
  const shards = partitionIid(103, 5, 9)
  assert.deepEqual(sorted(shards), [...Array(103).keys()])
  assert.deepEqual(shards, partitionIid(103, 5, 9))
  assert.notDeepEqual(shards, partitionIid(103, 5, 10))
})

test('shards by label hold every example once and few labels each', () => {
  const { labels } = generateDigits({ seed: 2, count: 1_000 })
  const shards = partitionByLabel(labels, 5, 2, 9)
  assert.deepEqual(sorted(shards), [...Array(1_000).keys()])
  assert.deepEqual(shards, partitionByLabel(labels, 5, 2, 9))
  for (const shard of shards) {
    // Two pieces of a tenth each; classes are not exactly a tenth, so a piece may straddle two
    // labels.
    assert.ok(new Set([...shard].map((index) => labels[index])).size <= 4)
  }
  for (const shard of partitionIid(1_000, 5, 9)) {
    assert.equal(new Set([...shard].map((index) => labels[index])).size, 10)
  }
})

test('a slice shares the memory of its data set, a selection does not', () => {
  const data = dataset(Uint8Array.of(1, 2, 3, 4, 5, 6), Uint8Array.of(0, 1, 2))
  const slice = sliceDataset(data, 1, 3)
  const selection = selectExamples(data, Uint32Array.of(2, 0))
  data.images[2] = 9
  assert.deepEqual([...slice.images], [9, 4, 5, 6])
  assert.deepEqual([...slice.labels], [1, 2])
  assert.deepEqual([...selection.images], [5, 6, 1, 2])
  assert.deepEqual([...selection.labels], [2, 0])
})

test('splits and slices that cannot be are refused', () => {
  const data = dataset(Uint8Array.of(1, 2), Uint8Array.of(0, 1))
  assert.throws(() => sliceDataset(data, 1, 3), { code: 'LEARNING_DATASET_INVALID' })
  assert.throws(() => sliceDataset(data, 1, 1), { code: 'LEARNING_DATASET_INVALID' })
  assert.throws(() => selectExamples(data, Uint32Array.of(2)), { code: 'LEARNING_DATASET_INVALID' })
  assert.throws(() => dataset(Uint8Array.of(1, 2, 3), Uint8Array.of(0, 1)), {
    code: 'LEARNING_DATASET_INVALID',
  })
  assert.throws(() => partitionIid(3, 4, 1), { code: 'LEARNING_OPTION_INVALID' })
  assert.throws(() => shardRange(10, { index: 5, count: 5 }), { code: 'LEARNING_OPTION_INVALID' })
})
