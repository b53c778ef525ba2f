import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countLabels, type Dataset, generateDigits } from '@myelin/learning'

test('the same seed gives the same digits, another seed gives others', () => {
  const digits = generateDigits({ seed: 5, count: 20 })
  const again = generateDigits({ seed: 5, count: 20 })
  const others = generateDigits({ seed: 6, count: 20 })
  assert.ok(Buffer.from(digits.images).equals(again.images))
  assert.deepEqual(digits.labels, again.labels)
  assert.ok(!Buffer.from(digits.images).equals(others.images))
})

test('any range of digits can be made without the rest', () => {
  const all = generateDigits({ seed: 5, count: 20 })
  const part = generateDigits({ seed: 5, start: 12, count: 5 })
  assert.deepEqual(part.labels, all.labels.slice(12, 17))
  assert.ok(Buffer.from(part.images).equals(all.images.slice(12 * 784, 17 * 784)))
})

test('all classes come about equally often', () => {
  const { labels } = generateDigits({ seed: 7, count: 2_000 })
  // Binomial with p = 0.1: 200 on average, 13.4 standard deviation; five of them either way.
  for (const count of countLabels(labels, 10)) assert.ok(count > 133 && count < 267, `${count}`)
})

test('a digit has ink in its middle, paper at its border and no two are alike', () => {
  const { images, count } = generateDigits({ seed: 8, count: 500 })
  const seen = new Set<string>()
  let border = 0
  let inked = 0
  for (let i = 0; i < count; i += 1) {
    const picture = images.subarray(i * 784, (i + 1) * 784)
    seen.add(Buffer.from(picture).toString('latin1'))
    assert.ok(picture.some((pixel) => pixel > 100))
    for (let at = 0; at < 784; at += 1) {
      if (picture[at] === 0) continue
      inked += 1
      if (at < 28 || at >= 784 - 28 || at % 28 === 0 || at % 28 === 27) border += 1
    }
  }
  assert.equal(seen.size, count)
  assert.ok(border < 0.02 * inked)
  // MNIST has 19 % of its pixels inked; the zero-skipping kernels count on something like it.
  assert.ok(inked > 0.1 * count * 784 && inked < 0.3 * count * 784)
})

test('the class shows in the picture: the nearest class mean beats chance by far', () => {
  const means = classMeans(generateDigits({ seed: 9, count: 2_000 }))
  const { images, labels, count } = generateDigits({ seed: 10, count: 500 })
  let correct = 0
  for (let i = 0; i < count; i += 1) {
    const picture = images.subarray(i * 784, (i + 1) * 784)
    const distances = means.map((mean) => squaredDistance(mean, picture))
    if (distances.indexOf(Math.min(...distances)) === labels[i]) correct += 1
  }
  assert.ok(correct / count > 0.55, `${correct} of ${count}`)
  // And yet not trivial: a linear rule must leave work for the network.
  assert.ok(correct / count < 0.9, `${correct} of ${count}`)
})

test('counts outside the bounds are refused', () => {
  for (const count of [0, -1, 1.5, 1e9]) {
    assert.throws(() => generateDigits({ seed: 1, count }), { code: 'LEARNING_OPTION_INVALID' })
  }
  assert.throws(() => generateDigits({ seed: 1, count: 1, start: -1 }), {
    code: 'LEARNING_OPTION_INVALID',
  })
})

function classMeans(data: Dataset): Float64Array[] {
  const counts = countLabels(data.labels, 10)
  const means = counts.map(() => new Float64Array(784))
  for (let i = 0; i < data.count; i += 1) {
    const label = data.labels[i]!
    for (let at = 0; at < 784; at += 1)
      means[label]![at]! += data.images[i * 784 + at]! / counts[label]!
  }
  return means
}

function squaredDistance(mean: Float64Array, picture: Uint8Array): number {
  let sum = 0
  for (let at = 0; at < 784; at += 1) sum += (mean[at]! - picture[at]!) ** 2
  return sum
}
