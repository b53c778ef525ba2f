// Training on one machine: shuffled mini-batches, SGD with momentum. A generator, so that a
// worker's event loop can answer its peers between two batches; `train` runs it to the end.
// Deterministic: the same weights, data, options and random seed give the same weights bit for bit,
// which is what makes a training task reassignable.

import type { Dataset } from './dataset.ts'
import { demand } from './errors.ts'
import {
  backwardLayer,
  createSparseColumns,
  loadPixels,
  type SparseColumns,
  type StepRates,
  softmaxLoss,
  transpose,
  updateLayer,
} from './layer-kernels.ts'
import { taskBatchSizeMax, taskEpochsMax, taskLearningRateMax } from './limits.ts'
import {
  type Activations,
  createActivations,
  forward,
  type Layer,
  layersOf,
  type Network,
  requireFit,
} from './network.ts'
import type { SeededRandom } from './seeded-random.ts'

export interface TrainingOptions {
  /** Passes over the examples. */
  readonly epochs: number
  readonly batchSize: number
  readonly learningRate: number
  /** 0 (included) to 1 (excluded). */
  readonly momentum: number
  /** Shuffles the examples of each epoch. */
  readonly random: SeededRandom
  /** Only these examples of the data set; default all. Not changed. */
  readonly examples?: Uint32Array
  /** Batches between two yields of `trainSteps` and two calls of `shouldStop`; default 8. */
  readonly stepsPerYield?: number
}

export interface TrainingProgress {
  /** Batches done, and to do in all. */
  readonly steps: number
  readonly stepsTotal: number
}

export interface TrainingReport {
  /** Mean cross-entropy over the last epoch, each batch measured before its step. */
  readonly loss: number
  /** Share of right answers over the last epoch, measured likewise. */
  readonly accuracy: number
  /** Batches done. */
  readonly steps: number
  /** Examples in an epoch: the weight of this update in a federated average. */
  readonly examples: number
  /** False when `shouldStop` ended the training early. */
  readonly isComplete: boolean
}

const stepsPerYieldDefault = 8

/** Trains `network.weights` in place, to the end or until `shouldStop` says so. */
export function train(
  network: Network,
  data: Dataset,
  options: TrainingOptions & { readonly shouldStop?: () => boolean },
): TrainingReport {
  const steps = trainSteps(network, data, options)
  for (;;) {
    const next = steps.next(options.shouldStop?.() ?? false)
    if (next.done === true) return next.value
  }
}

/**
 * Trains `network.weights` in place and yields every `stepsPerYield` batches. `next(true)` asks it
 * to stop: it then returns its report. Between two yields nothing else may change the weights.
 */
export function* trainSteps(
  network: Network,
  data: Dataset,
  options: TrainingOptions,
): Generator<TrainingProgress, TrainingReport, boolean | undefined> {
  requireOptions(options)
  requireFit(network, data)
  const { epochs, random, stepsPerYield = stepsPerYieldDefault } = options
  const order = orderOf(data, options.examples)
  const bench = createBench(network, data, options, order)
  const stepsPerEpoch = Math.ceil(order.length / bench.batchSize)
  const stepsTotal = epochs * stepsPerEpoch
  let steps = 0
  let seen = 0
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    random.shuffle(order)
    bench.loss = 0
    bench.correct = 0
    seen = 0
    for (let start = 0; start < order.length; start += bench.batchSize) {
      if (steps % stepsPerYield === 0 && (yield { steps, stepsTotal }) === true) {
        return report(bench, seen, steps, false)
      }
      seen += trainBatch(bench, start)
      steps += 1
    }
  }
  return report(bench, seen, steps, true)
}

/** A network with everything that its training writes to. */
interface Bench {
  readonly weights: Float32Array
  readonly velocity: Float32Array
  readonly layers: readonly Layer[]
  readonly data: Dataset
  readonly order: Uint32Array
  readonly batchSize: number
  readonly rates: StepRates
  readonly activations: Activations
  readonly columns: readonly SparseColumns[]
  /** Gradients with respect to the input of each layer but the first. */
  readonly deltas: readonly Float64Array[]
  readonly gradient: Float64Array
  loss: number
  correct: number
}

function createBench(
  network: Network,
  data: Dataset,
  options: TrainingOptions,
  order: Uint32Array,
): Bench {
  const layers = layersOf(network.shape)
  const batchSize = Math.min(options.batchSize, order.length)
  return {
    weights: network.weights,
    velocity: new Float32Array(network.weights.length),
    layers,
    data,
    order,
    batchSize,
    rates: { learningRate: options.learningRate, momentum: options.momentum },
    activations: createActivations(network.shape, batchSize),
    columns: layers.map((layer) => createSparseColumns(batchSize, layer.inputs)),
    deltas: layers.map((layer, index) =>
      index === 0 ? new Float64Array(0) : new Float64Array(batchSize * layer.inputs),
    ),
    gradient: new Float64Array(Math.max(...network.shape)),
    loss: 0,
    correct: 0,
  }
}

/** One step on the batch at `start`; returns its number of examples. */
function trainBatch(bench: Bench, start: number): number {
  const { weights, velocity, layers, data, order, activations, rates, gradient } = bench
  const rows = Math.min(bench.batchSize, order.length - start)
  loadPixels(data, order, start, rows, activations.inputs[0]!)
  let delta = forward(weights, layers, activations, rows)
  const classes = layers.at(-1)!.outputs
  const batch = softmaxLoss(delta, rows, classes, data.labels, order, start)
  bench.loss += batch.loss
  bench.correct += batch.correct
  for (let at = 0; at < rows * classes; at += 1) delta[at]! /= rows
  for (let index = layers.length - 1; index >= 0; index -= 1) {
    const layer = layers[index]!
    const input = activations.inputs[index]!
    const inputDelta = bench.deltas[index]!
    if (index > 0) backwardLayer(weights, layer, input, rows, delta, inputDelta)
    const columns = bench.columns[index]!
    transpose(input, rows, layer.inputs, layer.outputs, columns)
    updateLayer(weights, velocity, layer, columns, rows, delta, rates, gradient)
    delta = inputDelta
  }
  return rows
}

function report(bench: Bench, seen: number, steps: number, isComplete: boolean): TrainingReport {
  return {
    loss: seen === 0 ? 0 : bench.loss / seen,
    accuracy: seen === 0 ? 0 : bench.correct / seen,
    steps,
    examples: bench.order.length,
    isComplete,
  }
}

function orderOf(data: Dataset, examples: Uint32Array | undefined): Uint32Array {
  const order = examples?.slice() ?? Uint32Array.from({ length: data.count }, (_, index) => index)
  demand(order.length > 0, 'LEARNING_DATASET_INVALID', 'no examples to train on')
  for (const index of order) {
    demand(index < data.count, 'LEARNING_DATASET_INVALID', `no example ${index} of ${data.count}`)
  }
  return order
}

function requireOptions(options: TrainingOptions): void {
  const { epochs, batchSize, learningRate, momentum, stepsPerYield = 1 } = options
  requireInteger('epochs', epochs, taskEpochsMax)
  requireInteger('batchSize', batchSize, taskBatchSizeMax)
  requireInteger('stepsPerYield', stepsPerYield, Number.MAX_SAFE_INTEGER)
  demand(
    learningRate > 0 && learningRate <= taskLearningRateMax,
    'LEARNING_OPTION_INVALID',
    `the learningRate ${learningRate} is not above 0 and at most ${taskLearningRateMax}`,
  )
  demand(
    momentum >= 0 && momentum < 1,
    'LEARNING_OPTION_INVALID',
    `the momentum ${momentum} is not from 0 to below 1`,
  )
}

function requireInteger(name: string, value: number, max: number): void {
  const isValid = Number.isInteger(value) && value >= 1 && value <= max
  demand(isValid, 'LEARNING_OPTION_INVALID', `${name} is ${value}: use an integer from 1 to ${max}`)
}
