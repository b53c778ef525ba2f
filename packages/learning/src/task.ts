// A piece of training that any worker can do: everything it needs is in plain parameters, the data
// (a range of the generated digits, or a part of files that every worker holds), the network's
// shape, the rates and the seeds. The weights travel beside it. Two workers given the same task and
// weights answer bit for bit alike, so a task whose worker died is simply given to another.

import { err, ok, type Result } from '@myelin/base'
import { type Dataset, selectExamples, sliceDataset } from './dataset.ts'
import { generateDigits } from './digits.ts'
import { demand, LearningError } from './errors.ts'
import type { WeightUpdate } from './federated.ts'
import {
  datasetExamplesMax,
  digitClasses,
  digitPixels,
  networkLayersMax,
  shardCountMax,
  taskBatchSizeMax,
  taskEpochsMax,
  taskLearningRateMax,
  taskRoundMax,
} from './limits.ts'
import { countParameters, type NetworkShape, networkFromWeights } from './network.ts'
import { SeededRandom } from './seeded-random.ts'
import { partitionByLabel, partitionIid, type Shard, shardRange } from './shard.ts'
import { type TrainingProgress, type TrainingReport, trainSteps } from './training.ts'

/** `digits`: what `generateDigits` makes. `idx`: MNIST-like files that the worker has. */
export type TaskSource = 'digits' | 'idx'

export interface TrainingTask {
  readonly source: TaskSource
  /** Seed of the generated digits, and of the split into shards. */
  readonly dataSeed: number
  /** Examples of the whole data set, over all shards. */
  readonly examples: number
  /** 0 for evenly mixed shards, else the number of label pieces per shard (`partitionByLabel`). */
  readonly classesPerShard: number
  readonly shard: Shard
  readonly shape: NetworkShape
  /** Round of federated averaging, from 0. */
  readonly round: number
  readonly epochs: number
  readonly batchSize: number
  readonly learningRate: number
  readonly momentum: number
  /** Seed of the order of the examples; each round and shard has a stream of its own. */
  readonly seed: number
}

/** A task as a message carries it. */
export type TaskParameters = Record<string, number | string | boolean>

export type TaskFault =
  | 'task_number_out_of_bounds'
  | 'task_parameter_missing'
  | 'task_shape_invalid'
  | 'task_shard_invalid'
  | 'task_source_unknown'

/** The task as plain parameters. Throws when it would not decode. */
export function encodeTask(task: TrainingTask): TaskParameters {
  const { shard, shape, ...plain } = task
  const parameters: TaskParameters = {
    ...plain,
    shape: shape.join('-'),
    shardIndex: shard.index,
    shardCount: shard.count,
  }
  const decoded = decodeTask(parameters)
  if (!decoded.ok) {
    throw new LearningError('LEARNING_OPTION_INVALID', `the task does not decode: ${decoded.fault}`)
  }
  return parameters
}

/** Least and most of each number; those in `integers` must be whole. */
const numberBounds = {
  batchSize: [1, taskBatchSizeMax],
  classesPerShard: [0, digitClasses],
  dataSeed: [0, Number.MAX_SAFE_INTEGER],
  epochs: [1, taskEpochsMax],
  examples: [1, datasetExamplesMax],
  learningRate: [Number.MIN_VALUE, taskLearningRateMax],
  momentum: [0, 1 - Number.EPSILON],
  round: [0, taskRoundMax - 1],
  seed: [0, Number.MAX_SAFE_INTEGER],
  shardCount: [1, shardCountMax],
  shardIndex: [0, shardCountMax - 1],
} as const satisfies Record<string, readonly [number, number]>

type NumberName = keyof typeof numberBounds
const fractions: ReadonlySet<string> = new Set<NumberName>(['learningRate', 'momentum'])

/** Reads a task from the parameters of a peer. Parameters with other names are left alone. */
export function decodeTask(
  parameters: Readonly<Record<string, unknown>>,
): Result<TrainingTask, TaskFault> {
  const numbers = readNumbers(parameters)
  if (!numbers.ok) return numbers
  const { shardIndex, shardCount, ...plain } = numbers.value
  const { source, shape: shapeText } = parameters
  if (source === undefined || shapeText === undefined) return err('task_parameter_missing')
  if (source !== 'digits' && source !== 'idx') return err('task_source_unknown')
  const shape = readShape(shapeText)
  if (shape === undefined) return err('task_shape_invalid')
  const pieces = shardCount * Math.max(1, plain.classesPerShard)
  const isShard = shardIndex < shardCount && pieces <= Math.min(plain.examples, shardCountMax)
  if (!isShard) return err('task_shard_invalid')
  return ok({ ...plain, source, shape, shard: { index: shardIndex, count: shardCount } })
}

function readNumbers(
  parameters: Readonly<Record<string, unknown>>,
): Result<Record<NumberName, number>, TaskFault> {
  const numbers: Partial<Record<NumberName, number>> = {}
  for (const name of Object.keys(numberBounds) as NumberName[]) {
    const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined
    if (typeof value !== 'number') return err('task_parameter_missing')
    const [least, most] = numberBounds[name]
    const isWhole = Number.isInteger(value) || fractions.has(name)
    if (!isWhole || !(value >= least && value <= most)) return err('task_number_out_of_bounds')
    numbers[name] = value
  }
  return ok(numbers as Record<NumberName, number>)
}

/** Digits of the largest number of units, and a hyphen, per layer. */
const shapeTextMax = 5 * networkLayersMax

function readShape(text: unknown): NetworkShape | undefined {
  if (typeof text !== 'string' || text.length > shapeTextMax) return undefined
  if (!/^[1-9][0-9]*(?:-[1-9][0-9]*)+$/.test(text)) return undefined
  const shape = text.split('-').map(Number)
  if (shape[0] !== digitPixels || shape.at(-1) !== digitClasses) return undefined
  return countParameters(shape) === undefined ? undefined : shape
}

/**
 * The examples of a task's shard. `whole` is the data set of the files; for generated digits it is
 * not needed. Worth keeping between rounds: it depends only on `source`, `dataSeed`, `examples`,
 * `classesPerShard` and `shard`.
 */
export function loadShard(task: TrainingTask, whole?: Dataset): Dataset {
  const { source, dataSeed, examples, classesPerShard, shard } = task
  const isIid = classesPerShard === 0
  if (source === 'digits' && isIid) {
    // Generated digits are independent of each other, so any range of them is an IID shard.
    const { start, end } = shardRange(examples, shard)
    return generateDigits({ seed: dataSeed, count: end - start, start })
  }
  const all = source === 'digits' ? generateDigits({ seed: dataSeed, count: examples }) : whole
  demand(
    all !== undefined && all.count >= examples,
    'LEARNING_DATASET_INVALID',
    `the task needs ${examples} examples: pass the data set of the files`,
  )
  const data = sliceDataset(all, 0, examples)
  const lists = isIid
    ? partitionIid(examples, shard.count, dataSeed)
    : partitionByLabel(data.labels, shard.count, classesPerShard, dataSeed)
  return selectExamples(data, lists[shard.index]!)
}

export interface TaskResult {
  readonly update: WeightUpdate
  readonly report: TrainingReport
}

/**
 * Trains on a copy of `weights` as the task says. A generator like `trainSteps`: drive it with
 * `next()`, or with `next(true)` to stop early (the report then says `isComplete: false`, and the
 * update is not worth sending).
 */
export function* runTask(
  task: TrainingTask,
  weights: Float32Array,
  shard: Dataset,
): Generator<TrainingProgress, TaskResult, boolean | undefined> {
  const network = networkFromWeights(task.shape, weights.slice())
  const random = new SeededRandom(task.seed, task.round * shardCountMax + task.shard.index)
  const { epochs, batchSize, learningRate, momentum } = task
  const options = { epochs, batchSize, learningRate, momentum, random }
  const report = yield* trainSteps(network, shard, options)
  return { update: { weights: network.weights, examples: report.examples }, report }
}
