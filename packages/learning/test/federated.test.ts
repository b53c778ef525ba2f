import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  averageWeights,
  checkUpdate,
  defaultPlan,
  evaluate,
  firstNetwork,
  loadShard,
  networkFromWeights,
  planRound,
  runTask,
  type TaskResult,
  type TrainingTask,
  testDigits,
  weightAverage,
  weightsFromBytes,
  weightsToBytes,
} from '@myelin/learning'

const floats = (...values: number[]) => Float32Array.from(values)

test('an average counts each update by its examples', () => {
  const updates = [
    { weights: floats(1, 2, 0), examples: 1 },
    { weights: floats(4, 8, -3), examples: 2 },
  ]
  assert.deepEqual(averageWeights(updates), floats(3, 6, -2))
})

test('sums are kept in 64 bits: a large share does not swallow small weights', () => {
  // In 32 bits 2^24 + 1 is 2^24, and the small updates would vanish.
  const small = Array.from({ length: 64 }, () => ({ weights: floats(1), examples: 1 }))
  const mean = averageWeights([{ weights: floats(2 ** 12), examples: 2 ** 12 }, ...small])
  assert.deepEqual(mean, floats((2 ** 24 + 64) / (2 ** 12 + 64)))
})

test('an average in pieces equals the average of all, and leaves the updates alone', () => {
  const average = weightAverage({ length: 2 })
  const first = { weights: floats(1, 3), examples: 3 }
  assert.ok(average.add(first).ok)
  assert.ok(average.add({ weights: floats(-3, 1), examples: 1 }).ok)
  assert.deepEqual(average.finish(), floats(0, 2.5))
  assert.deepEqual(first.weights, floats(1, 3))
  assert.equal(average.updates, 2)
  assert.equal(average.examples, 4)
})

test('an update that would ruin the average is refused with its fault', () => {
  const faultOf = (weights: Float32Array, examples: number) => {
    const checked = checkUpdate({ weights, examples }, { length: 2, examplesMax: 100 })
    return checked.ok ? 'none' : checked.fault
  }
  assert.equal(faultOf(floats(1, 2), 100), 'none')
  assert.equal(faultOf(floats(1), 1), 'update_length_mismatch')
  assert.equal(faultOf(floats(1, 2, 3), 1), 'update_length_mismatch')
  for (const examples of [0, -1, 1.5, 101, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.equal(faultOf(floats(1, 2), examples), 'update_examples_invalid')
  }
  assert.equal(faultOf(floats(1, Number.NaN), 1), 'update_not_finite')
  assert.equal(faultOf(floats(Number.NEGATIVE_INFINITY, 1), 1), 'update_not_finite')
  assert.equal(faultOf(floats(3e38, 3e38), 1), 'update_norm_excessive')
  // The bound is on the root mean square, 4: the sum of squares may reach 2 * 16.
  assert.equal(faultOf(floats(4, 4), 1), 'none')
  assert.equal(faultOf(floats(4, 4.001), 1), 'update_norm_excessive')
})

test('a refused update leaves the average as it was', () => {
  const average = weightAverage({ length: 1 })
  average.add({ weights: floats(2), examples: 5 })
  assert.equal(average.add({ weights: floats(Number.NaN), examples: 5 }).ok, false)
  assert.equal(average.add({ weights: floats(1e9), examples: 5 }).ok, false)
  assert.deepEqual(average.finish(), floats(2))
  assert.equal(average.updates, 1)
})

test('an average of nothing and of unequal lengths throws', () => {
  assert.throws(() => averageWeights([]), { code: 'LEARNING_AVERAGE_EMPTY' })
  assert.throws(() => weightAverage({ length: 1 }).finish(), { code: 'LEARNING_AVERAGE_EMPTY' })
  const updates = [
    { weights: floats(1), examples: 1 },
    { weights: floats(1, 2), examples: 1 },
  ]
  assert.throws(() => averageWeights(updates), { code: 'LEARNING_WEIGHTS_INVALID' })
})

test('weights travel as little-endian IEEE 754 and are read at any alignment', () => {
  const bytes = weightsToBytes(floats(1, -2.5))
  assert.equal(Buffer.from(bytes).toString('hex'), '0000803f' + '000020c0')
  const shifted = new Uint8Array(9)
  shifted.set(bytes, 1)
  const read = weightsFromBytes(shifted.subarray(1), 2)
  assert.ok(read.ok)
  assert.deepEqual(read.value, floats(1, -2.5))
  shifted.fill(0)
  assert.deepEqual(read.value, floats(1, -2.5))
})

test('a view of weights is written without its neighbours', () => {
  const bytes = weightsToBytes(floats(9, 1, 9).subarray(1, 2))
  assert.equal(Buffer.from(bytes).toString('hex'), '0000803f')
})

test('bytes of a wrong length or with values that are no numbers are refused', () => {
  const faultOf = (hex: string, length: number) => {
    const read = weightsFromBytes(Buffer.from(hex, 'hex'), length)
    return read.ok ? 'none' : read.fault
  }
  assert.equal(faultOf('0000803f', 1), 'none')
  assert.equal(faultOf('0000803f', 2), 'weights_length_mismatch')
  assert.equal(faultOf('0000803f00', 1), 'weights_length_mismatch')
  assert.equal(faultOf('0000c07f', 1), 'weights_not_finite')
  assert.equal(faultOf('000080ff', 1), 'weights_not_finite')
})

function finish(task: TrainingTask, weights: Float32Array): TaskResult {
  const work = runTask(task, weights, loadShard(task))
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

test('five workers together learn more than one of them alone with as many steps', () => {
  const plan = {
    ...defaultPlan,
    examples: 3_000,
    rounds: 4,
    testExamples: 1_000,
    shape: [784, 64, 10],
  }
  const test = testDigits(plan)
  let network = firstNetwork(plan)
  const alone = networkFromWeights(plan.shape, network.weights.slice())
  for (let round = 0; round < plan.rounds; round += 1) {
    const tasks = planRound(plan, round)
    const average = weightAverage({
      length: network.weights.length,
      examplesMax: plan.examples / 5,
    })
    for (const task of tasks) assert.ok(average.add(finish(task, network.weights).update).ok)
    network = networkFromWeights(plan.shape, average.finish())
    alone.weights.set(finish(tasks[0]!, alone.weights).update.weights)
  }
  const together = evaluate(network, test).accuracy
  const single = evaluate(alone, test).accuracy
  assert.ok(together > 0.85, `the swarm reached ${together}`)
  assert.ok(together > single + 0.02, `the swarm reached ${together}, one worker ${single}`)
})
