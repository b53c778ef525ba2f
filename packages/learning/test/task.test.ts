import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  decodeTask,
  defaultPlan,
  encodeTask,
  firstNetwork,
  generateDigits,
  loadShard,
  planRound,
  runTask,
  type TrainingTask,
  testDigits,
  weightsToBytes,
} from '@myelin/learning'

const plan = { ...defaultPlan, examples: 300, shape: [784, 16, 10], epochs: 1 }
const task = planRound(plan, 3)[2]!

function finish(work: ReturnType<typeof runTask>) {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

/** Bit for bit; a failing deepEqual would print thousands of numbers. */
function areSame(a: Float32Array, b: Float32Array): boolean {
  return Buffer.from(weightsToBytes(a)).equals(weightsToBytes(b))
}

test('a task survives its parameters, which are plain values', () => {
  const parameters = encodeTask(task)
  for (const value of Object.values(parameters)) assert.match(typeof value, /^(?:number|string)$/)
  const decoded = decodeTask(JSON.parse(JSON.stringify(parameters)))
  assert.ok(decoded.ok)
  assert.deepEqual(decoded.value, task)
})

test('parameters of other names are left alone', () => {
  const decoded = decodeTask({ ...encodeTask(task), deadlineMs: 5 })
  assert.ok(decoded.ok)
  assert.deepEqual(decoded.value, task)
})

test('each parameter out of bounds has its fault', () => {
  const faultOf = (change: Record<string, unknown>) => {
    const decoded = decodeTask({ ...encodeTask(task), ...change })
    return decoded.ok ? 'none' : decoded.fault
  }
  assert.equal(faultOf({ round: undefined }), 'task_parameter_missing')
  assert.equal(faultOf({ round: '3' }), 'task_parameter_missing')
  assert.equal(faultOf({ source: undefined }), 'task_parameter_missing')
  assert.equal(faultOf({ source: 'http' }), 'task_source_unknown')
  for (const shape of [
    '784',
    '784-0-10',
    '784-16-9',
    '28-16-10',
    '784-4000-4000-10',
    '784--10',
    7,
  ]) {
    assert.equal(faultOf({ shape }), 'task_shape_invalid', String(shape))
  }
  for (const change of [
    { epochs: 0 },
    { epochs: 1.5 },
    { batchSize: 1e9 },
    { learningRate: 0 },
    { learningRate: Number.NaN },
    { momentum: 1 },
    { examples: 1e7 },
    { seed: -1 },
    { dataSeed: 2 ** 60 },
    { classesPerShard: 11 },
    { shardCount: 0 },
  ]) {
    assert.equal(faultOf(change), 'task_number_out_of_bounds', JSON.stringify(change))
  }
  assert.equal(faultOf({ shardIndex: 5 }), 'task_shard_invalid')
  assert.equal(faultOf({ examples: 4 }), 'task_shard_invalid')
  assert.equal(faultOf({ shardCount: 301 }), 'task_shard_invalid')
})

test('a task that would not decode is not encoded', () => {
  assert.throws(() => encodeTask({ ...task, epochs: 0 }), { code: 'LEARNING_OPTION_INVALID' })
})

test('a task given to another worker yields the same update bit for bit', () => {
  const { weights } = firstNetwork(plan)
  const kept = weights.slice()
  const first = finish(runTask(task, weights, loadShard(task)))
  const decoded = decodeTask(encodeTask(task))
  assert.ok(decoded.ok)
  const second = finish(runTask(decoded.value, weights.slice(), loadShard(decoded.value)))
  assert.deepEqual(first.report, second.report)
  assert.ok(areSame(first.update.weights, second.update.weights))
  assert.ok(areSame(weights, kept))
  assert.ok(!areSame(first.update.weights, weights))
  assert.equal(first.update.examples, 60)
})

test('the shards of a round hold all digits of the plan once', () => {
  const all = generateDigits({ seed: plan.dataSeed, count: plan.examples })
  const shards = planRound(plan, 0).map((each) => loadShard(each))
  assert.ok(Buffer.concat(shards.map(({ images }) => images)).equals(all.images))
})

test('shards by label and shards of files hold each example once', () => {
  const whole = generateDigits({ seed: 50, count: 300 })
  const sum = (images: Uint8Array) => images.reduce((total, pixel) => total + pixel, 0)
  const variants: Partial<TrainingTask>[] = [
    { source: 'idx' },
    { source: 'idx', classesPerShard: 2 },
    { source: 'digits', classesPerShard: 2, dataSeed: 50 },
  ]
  for (const change of variants) {
    const shards = planRound(plan, 0).map((each) => loadShard({ ...each, ...change }, whole))
    assert.deepEqual(
      shards.map(({ count }) => count),
      [60, 60, 60, 60, 60],
    )
    assert.equal(
      shards.reduce((total, { images }) => total + sum(images), 0),
      sum(whole.images),
    )
  }
  const larger = generateDigits({ seed: 50, count: 400 })
  const byLabel = { source: 'idx', classesPerShard: 2 } as const
  const shards = planRound(plan, 0).map((each) => loadShard({ ...each, ...byLabel }, larger))
  assert.equal(
    shards.reduce((total, { images }) => total + sum(images), 0),
    sum(whole.images),
  )
  assert.throws(() => loadShard({ ...task, source: 'idx' }), { code: 'LEARNING_DATASET_INVALID' })
})

test('the learning rate falls by round and each shard and round shuffles in its own way', () => {
  const late = planRound(plan, 2)
  assert.ok(Math.abs(late[0]!.learningRate - 0.1 * 0.81) < 1e-12)
  const { weights } = firstNetwork(plan)
  const shard = loadShard(task)
  const one = finish(runTask(task, weights, shard))
  const two = finish(runTask({ ...task, round: 4 }, weights, shard))
  assert.ok(!areSame(one.update.weights, two.update.weights))
})

test('a task stops when told, between two steps', () => {
  const work = runTask(task, firstNetwork(plan).weights, loadShard(task))
  work.next()
  const stopped = work.next(true)
  assert.ok(stopped.done)
  assert.equal(stopped.value.report.isComplete, false)
  assert.equal(stopped.value.report.steps, 0)
})

test('test digits are never training digits', () => {
  assert.throws(() => testDigits({ ...plan, testSeed: plan.dataSeed }), {
    code: 'LEARNING_OPTION_INVALID',
  })
})
