import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createNetwork,
  type Dataset,
  dataset,
  evaluate,
  generateDigits,
  networkFromWeights,
  parameterCount,
  SeededRandom,
  train,
  trainSteps,
} from '@myelin/learning'

/** Random pictures of a few pixels, a third of them zero, with random labels. */
function smallData(count: number, pixels: number, classes: number): Dataset {
  const random = new SeededRandom(77)
  const images = Uint8Array.from({ length: count * pixels }, () =>
    random.unit() < 0.33 ? 0 : random.below(256),
  )
  const labels = Uint8Array.from({ length: count }, () => random.below(classes))
  return dataset(images, labels)
}

const rates = { epochs: 1, batchSize: 16, learningRate: 0.1, momentum: 0.9 }

test('the shapes have the parameters that the papers count', () => {
  assert.equal(parameterCount([784, 200, 10]), 784 * 200 + 200 + 200 * 10 + 10)
  // McMahan et al. 2017, section 3: the MNIST 2NN has 199,210.
  assert.equal(parameterCount([784, 200, 200, 10]), 199_210)
})

test('shapes outside the bounds are refused', () => {
  for (const shape of [
    [784],
    [0, 1],
    [1, 4097],
    [2.5, 1],
    [4096, 4096],
    [2, 2, 2, 2, 2, 2, 2, 2, 2],
  ]) {
    assert.throws(() => parameterCount(shape), { code: 'LEARNING_SHAPE_INVALID' })
  }
  assert.throws(() => networkFromWeights([2, 2], new Float32Array(5)), {
    code: 'LEARNING_WEIGHTS_INVALID',
  })
})

test('the first weights have the variance of He, and biases of zero', () => {
  const { weights } = createNetwork([784, 200, 10], new SeededRandom(4))
  let squares = 0
  for (let at = 0; at < 784 * 200; at += 1) squares += weights[at]! ** 2
  const variance = squares / (784 * 200)
  assert.ok(Math.abs(variance / (2 / 784) - 1) < 0.02)
  assert.ok(weights.subarray(784 * 200, 785 * 200).every((bias) => bias === 0))
  assert.ok(weights.subarray(-10).every((bias) => bias === 0))
})

test('a network of zeros gives every class the same chance, so its loss is their logarithm', () => {
  const data = smallData(90, 6, 3)
  const network = networkFromWeights([6, 4, 3], new Float32Array(parameterCount([6, 4, 3])))
  assert.ok(Math.abs(evaluate(network, data).loss - Math.log(3)) < 1e-12)
})

test('a network of known weights answers as computed by hand', () => {
  // 2 inputs, 2 hidden, 2 outputs. Input (1, 0.2): hidden = relu(1 - 0.4 + 0.1, -1 + 0.2) = (0.7,
  // 0), outputs = (0.7 * 2, 0.7 * -1 + 0.3) = (1.4, -0.4), loss of label 0 = ln(1 + e^-1.8) =
  // 0.152977…
  const weights = Float32Array.of(1, -1, -2, 1, 0.1, 0, 2, -1, 5, -5, 0, 0.3)
  const network = networkFromWeights([2, 2, 2], weights)
  const { loss, accuracy } = evaluate(network, dataset(Uint8Array.of(255, 51), Uint8Array.of(0)))
  assert.ok(Math.abs(loss - Math.log1p(Math.exp(-1.8))) < 1e-6)
  assert.equal(accuracy, 1)
  const other = evaluate(network, dataset(Uint8Array.of(255, 51), Uint8Array.of(1)))
  assert.ok(Math.abs(other.loss - 1.8 - loss) < 1e-6)
  assert.equal(other.accuracy, 0)
})

test('a step goes down the gradient that numbers confirm', () => {
  const shape = [11, 9, 7, 5]
  const data = smallData(23, 11, 5)
  const network = createNetwork(shape, new SeededRandom(3))
  for (let at = 0; at < network.weights.length; at += 1)
    network.weights[at]! += 0.01 * ((at % 7) - 3)
  const before = network.weights.slice()
  // One batch, no momentum, rate 1: the weights lose exactly the gradient of the mean loss.
  train(network, data, {
    epochs: 1,
    batchSize: 23,
    learningRate: 1,
    momentum: 0,
    random: new SeededRandom(1),
  })
  const probe = networkFromWeights(shape, before.slice())
  let largest = 0
  for (let at = 0; at < before.length; at += 1) {
    const numeric = slope(probe, data, at)
    const taken = before[at]! - network.weights[at]!
    largest = Math.max(largest, Math.abs(numeric))
    assert.ok(Math.abs(numeric - taken) < 1e-6, `weight ${at}: ${numeric} but ${taken}`)
  }
  assert.ok(largest > 0.05)
})

/**
 * Central difference of the mean loss along weight `at`; so close that no ReLU switches between.
 */
function slope(
  network: { shape: readonly number[]; weights: Float32Array },
  data: Dataset,
  at: number,
): number {
  const { weights } = network
  const kept = weights[at]!
  weights[at] = kept + 1e-4
  const above = weights[at]!
  const lossAbove = evaluate(network, data).loss
  weights[at] = kept - 1e-4
  const below = weights[at]!
  const lossBelow = evaluate(network, data).loss
  weights[at] = kept
  return (lossAbove - lossBelow) / (above - below)
}

test('momentum carries the last step on', () => {
  // The same batch twice at a tiny rate: the gradient g hardly changes, so the steps are g and (1 +
  // m) g.
  const data = smallData(8, 6, 3)
  const network = createNetwork([6, 5, 3], new SeededRandom(2))
  const options = { batchSize: 8, learningRate: 1e-3, momentum: 0.5 }
  const start = network.weights.slice()
  const once = networkFromWeights(network.shape, start.slice())
  train(once, data, { ...options, epochs: 1, random: new SeededRandom(1) })
  train(network, data, { ...options, epochs: 2, random: new SeededRandom(1) })
  const moved = (weights: Float32Array) =>
    weights.reduce((sum, weight, at) => sum + Math.abs(weight - start[at]!), 0)
  assert.ok(Math.abs(moved(network.weights) / moved(once.weights) - 2.5) < 0.01)
})

test('a last batch that is not full counts for its own examples only', () => {
  // Copies of one example: a batch of two has the mean gradient of one, so does the single that is left.
  const one = smallData(1, 6, 3)
  const three = dataset(
    Uint8Array.from([...one.images, ...one.images, ...one.images]),
    Uint8Array.of(one.labels[0]!, one.labels[0]!, one.labels[0]!),
  )
  const first = createNetwork([6, 5, 3], new SeededRandom(1))
  const second = createNetwork([6, 5, 3], new SeededRandom(1))
  train(first, three, { ...rates, batchSize: 2, random: new SeededRandom(1) })
  train(second, one, { ...rates, epochs: 2, batchSize: 1, random: new SeededRandom(1) })
  assert.deepEqual(first.weights, second.weights)
})

test('the same seeds train to the same weights bit for bit', () => {
  const data = generateDigits({ seed: 1, count: 200 })
  const weightsOf = (seed: number) => {
    const network = createNetwork([784, 20, 10], new SeededRandom(1))
    train(network, data, { ...rates, random: new SeededRandom(seed) })
    return network.weights
  }
  assert.ok(Buffer.from(weightsOf(5).buffer).equals(Buffer.from(weightsOf(5).buffer)))
  assert.ok(!Buffer.from(weightsOf(5).buffer).equals(Buffer.from(weightsOf(6).buffer)))
})

test('training on a list of examples equals training on a copy of them', () => {
  const data = smallData(40, 6, 3)
  const examples = Uint32Array.of(3, 9, 30, 31, 32, 39)
  const copy = dataset(
    Uint8Array.from(
      [...examples].flatMap((index) => [...data.images.subarray(index * 6, index * 6 + 6)]),
    ),
    Uint8Array.from(examples, (index) => data.labels[index]!),
  )
  const one = createNetwork([6, 5, 3], new SeededRandom(1))
  const two = createNetwork([6, 5, 3], new SeededRandom(1))
  const report = train(one, data, { ...rates, batchSize: 4, examples, random: new SeededRandom(8) })
  train(two, copy, { ...rates, batchSize: 4, random: new SeededRandom(8) })
  assert.deepEqual(one.weights, two.weights)
  assert.deepEqual([...examples], [3, 9, 30, 31, 32, 39])
  assert.equal(report.examples, 6)
  assert.equal(report.steps, 2)
})

test('training yields as often as asked and stops when told', () => {
  const data = smallData(64, 6, 3)
  const network = createNetwork([6, 5, 3], new SeededRandom(1))
  const options = {
    ...rates,
    epochs: 2,
    batchSize: 8,
    stepsPerYield: 4,
    random: new SeededRandom(1),
  }
  const yields = [...trainSteps(network, data, options)]
  assert.deepEqual(
    yields.map(({ steps }) => steps),
    [0, 4, 8, 12],
  )
  assert.ok(yields.every(({ stepsTotal }) => stepsTotal === 16))
  let asked = 0
  const shouldStop = () => {
    asked += 1
    return asked > 3
  }
  const report = train(network, data, { ...options, shouldStop })
  assert.equal(report.isComplete, false)
  assert.equal(report.steps, 8)
})

test('the report of the last epoch agrees with an evaluation', () => {
  const data = generateDigits({ seed: 3, count: 300 })
  const network = createNetwork([784, 30, 10], new SeededRandom(1))
  // A rate that changes nothing: every batch is measured with the weights that evaluate sees.
  const report = train(network, data, {
    ...rates,
    learningRate: 1e-30,
    random: new SeededRandom(1),
  })
  const evaluation = evaluate(network, data)
  assert.ok(Math.abs(report.loss - evaluation.loss) < 1e-9)
  assert.equal(report.accuracy, evaluation.accuracy)
  assert.equal(report.isComplete, true)
})

test('options and data that do not fit are refused', () => {
  const data = smallData(8, 6, 3)
  const network = createNetwork([6, 3], new SeededRandom(1))
  const random = new SeededRandom(1)
  const wrong = [
    { epochs: 0 },
    { batchSize: 1.5 },
    { learningRate: 0 },
    { learningRate: Number.NaN },
    { momentum: 1 },
  ]
  for (const change of wrong) {
    assert.throws(() => train(network, data, { ...rates, ...change, random }), {
      code: 'LEARNING_OPTION_INVALID',
    })
  }
  const misfits: [readonly number[], Uint32Array | undefined][] = [
    [[5, 3], undefined],
    [[6, 1], undefined],
    [[6, 3], Uint32Array.of(8)],
    [[6, 3], new Uint32Array(0)],
  ]
  for (const [shape, examples] of misfits) {
    const options = examples === undefined ? { ...rates, random } : { ...rates, random, examples }
    assert.throws(() => train(createNetwork(shape, random), data, options), {
      code: 'LEARNING_DATASET_INVALID',
    })
  }
})
