// Hand-made files in the format that LeCun's MNIST page describes, and MNIST itself where it lies
// beside the project.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import {
  countLabels,
  createNetwork,
  dataset,
  evaluate,
  parseIdxImages,
  parseIdxLabels,
  SeededRandom,
  sliceDataset,
  train,
} from '@myelin/learning'
import { sharedPath, skipWithout } from '@myelin/testkit'

const header = (...words: number[]) => Buffer.concat(words.map((word) => u32(word)))
function u32(word: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(word)
  return bytes
}

const labelFile = Buffer.from('00000801' + '00000003' + '070009', 'hex')
const pixels = Buffer.from(Uint8Array.from({ length: 2 * 784 }, (_, index) => index & 255))
const imageFile = Buffer.concat([header(0x803, 2, 28, 28), pixels])

function faultOf(result: { ok: boolean; fault?: string }): string | undefined {
  return result.ok ? undefined : result.fault
}

test('labels and images are read, gzipped or not', () => {
  for (const pack of [(bytes: Buffer) => bytes, (bytes: Buffer) => gzipSync(bytes)]) {
    const labels = parseIdxLabels(pack(labelFile))
    const images = parseIdxImages(pack(imageFile))
    assert.ok(labels.ok && images.ok)
    assert.deepEqual([...labels.value], [7, 0, 9])
    assert.ok(Buffer.from(images.value).equals(pixels))
  }
})

test('each broken file has its fault', () => {
  const images = (file: Uint8Array) => faultOf(parseIdxImages(file))
  const labels = (file: Uint8Array) => faultOf(parseIdxLabels(file))
  assert.equal(images(new Uint8Array(0)), 'idx_truncated')
  assert.equal(images(imageFile.subarray(0, 15)), 'idx_truncated')
  assert.equal(images(labelFile), 'idx_truncated')
  assert.equal(labels(imageFile), 'idx_magic_invalid')
  assert.equal(images(Buffer.concat([header(0x801, 1, 28, 28), pixels])), 'idx_magic_invalid')
  assert.equal(images(Buffer.concat([header(0x803, 2, 28, 27), pixels])), 'idx_shape_unsupported')
  assert.equal(images(header(0x803, 0, 28, 28)), 'idx_count_out_of_bounds')
  assert.equal(images(header(0x803, 0xffffffff, 28, 28)), 'idx_count_out_of_bounds')
  assert.equal(images(imageFile.subarray(0, -1)), 'idx_length_mismatch')
  assert.equal(images(Buffer.concat([imageFile, Buffer.alloc(1)])), 'idx_length_mismatch')
  assert.equal(labels(Buffer.from('0000080100000001' + '0a', 'hex')), 'idx_label_invalid')
  assert.equal(labels(Buffer.from('0000080100000002' + '01', 'hex')), 'idx_length_mismatch')
  assert.equal(labels(header(0x801, 0)), 'idx_count_out_of_bounds')
  const gzip = gzipSync(labelFile)
  assert.equal(labels(gzip.subarray(0, -9)), 'idx_gzip_invalid')
  assert.equal(labels(Buffer.from([0x1f, 0x8b])), 'idx_gzip_invalid')
})

test('a gzip bomb stops at the bound', () => {
  const bomb = gzipSync(Buffer.alloc(210 * 1024 * 1024), { level: 1 })
  assert.ok(bomb.length < 1024 * 1024)
  assert.equal(faultOf(parseIdxImages(bomb)), 'idx_too_large')
})

const folder = 'data/mnist'
const skip = skipWithout(folder)
const read = (name: string) => readFileSync(join(sharedPath(folder) ?? '', `${name}-ubyte.gz`))

/** Checksums of the unpacked files and examples per class, as the data's own notes give them. */
const parts = [
  {
    part: 'train',
    images: 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
    labels: '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
    counts: [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
  },
  {
    part: 't10k',
    images: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
    labels: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
    counts: [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
  },
] as const

for (const { part, images, labels, counts } of parts) {
  test(`MNIST ${part} is what its checksums say and has its class counts`, { skip }, () => {
    const imageBytes = gunzipSync(read(`${part}-images-idx3`))
    const labelBytes = gunzipSync(read(`${part}-labels-idx1`))
    assert.equal(createHash('sha256').update(imageBytes).digest('hex'), images)
    assert.equal(createHash('sha256').update(labelBytes).digest('hex'), labels)
    const parsedImages = parseIdxImages(imageBytes)
    const parsedLabels = parseIdxLabels(read(`${part}-labels-idx1`))
    assert.ok(parsedImages.ok && parsedLabels.ok)
    assert.deepEqual(countLabels(parsedLabels.value, 10), counts)
    assert.equal(parsedImages.value.length, parsedLabels.value.length * 784)
  })
}

test('two passes over 5,000 pictures of MNIST teach the network nine in ten', { skip }, () => {
  const load = (part: string) => {
    const images = parseIdxImages(read(`${part}-images-idx3`))
    const labels = parseIdxLabels(read(`${part}-labels-idx1`))
    assert.ok(images.ok && labels.ok)
    return dataset(images.value, labels.value)
  }
  const network = createNetwork([784, 100, 10], new SeededRandom(1))
  const before = evaluate(network, sliceDataset(load('t10k'), 0, 2_000)).accuracy
  const random = new SeededRandom(2)
  const options = { epochs: 2, batchSize: 32, learningRate: 0.05, momentum: 0.9, random }
  train(network, sliceDataset(load('train'), 0, 5_000), options)
  assert.ok(before < 0.3)
  assert.ok(evaluate(network, sliceDataset(load('t10k'), 5_000, 10_000)).accuracy > 0.9)
})
