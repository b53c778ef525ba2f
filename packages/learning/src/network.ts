// A multilayer perceptron: dense layers, ReLU between them, softmax at the end. All parameters lie
// in one flat Float32Array, which is also what travels and what is averaged.
//
// Layout, layer after layer: the matrix row by row, one row per INPUT unit (so a zero input skips a
// row that lies together in memory), then one bias per output unit.

import { type Dataset, pixelsOf } from './dataset.ts'
import { demand } from './errors.ts'
import {
  createSparseRows,
  forwardLayer,
  loadPixels,
  rectify,
  type SparseRows,
  softmaxLoss,
} from './layer-kernels.ts'
import { networkLayersMax, networkParametersMax, networkUnitsMax } from './limits.ts'
import type { SeededRandom } from './seeded-random.ts'

/** Units per layer, inputs first: `[784, 200, 10]`. */
export type NetworkShape = readonly number[]

export interface Network {
  readonly shape: NetworkShape
  /**
   * Every parameter, in the layout that the head of this file gives. Changed in place by training.
   */
  readonly weights: Float32Array
}

/** One dense layer: where its matrix and its biases lie in the flat weights. */
export interface Layer {
  readonly inputs: number
  readonly outputs: number
  readonly matrixAt: number
  readonly biasAt: number
}

export interface Evaluation {
  /** Share of the examples whose largest output is their label, 0 to 1. */
  readonly accuracy: number
  /** Mean cross-entropy in nats. */
  readonly loss: number
}

/**
 * Makes a network with He's initialisation (He et al. 2015): normal, variance 2 / inputs; biases 0.
 */
export function createNetwork(shape: NetworkShape, random: SeededRandom): Network {
  const weights = new Float32Array(parameterCount(shape))
  for (const layer of layersOf(shape)) {
    const deviation = Math.sqrt(2 / layer.inputs)
    for (let at = layer.matrixAt; at < layer.biasAt; at += 1)
      weights[at] = deviation * random.normal()
  }
  return { shape: [...shape], weights }
}

/** A network over weights that come from elsewhere; keeps `weights`, does not copy it. */
export function networkFromWeights(shape: NetworkShape, weights: Float32Array): Network {
  const expected = parameterCount(shape)
  demand(
    weights.length === expected,
    'LEARNING_WEIGHTS_INVALID',
    `${weights.length} weights for the shape ${shape.join('-')}, which has ${expected}`,
  )
  return { shape: [...shape], weights }
}

/**
 * Parameters of a network of this shape. Throws LEARNING_SHAPE_INVALID outside the bounds of
 * limits.ts.
 */
export function parameterCount(shape: NetworkShape): number {
  const count = countParameters(shape)
  demand(
    count !== undefined,
    'LEARNING_SHAPE_INVALID',
    `the shape ${shape.join('-')}: use 2 to ${networkLayersMax} layers of at most ` +
      `${networkUnitsMax} units, with at most ${networkParametersMax} parameters in all`,
  )
  return count
}

/** The same for a shape that a peer sent: undefined outside the bounds. */
export function countParameters(shape: NetworkShape): number | undefined {
  if (shape.length < 2 || shape.length > networkLayersMax) return undefined
  let count = 0
  for (const [index, units] of shape.entries()) {
    if (!Number.isInteger(units) || units < 1 || units > networkUnitsMax) return undefined
    if (index > 0) count += ((shape[index - 1] ?? 0) + 1) * units
  }
  return count > networkParametersMax ? undefined : count
}

/** The dense layers of a shape, from the inputs to the outputs. */
export function layersOf(shape: NetworkShape): Layer[] {
  const layers: Layer[] = []
  let at = 0
  for (let index = 1; index < shape.length; index += 1) {
    const inputs = shape[index - 1] ?? 0
    const outputs = shape[index] ?? 0
    layers.push({ inputs, outputs, matrixAt: at, biasAt: at + inputs * outputs })
    at += (inputs + 1) * outputs
  }
  return layers
}

/**
 * Everything that a forward pass over `rows` examples writes to; made once, used for every batch.
 */
export interface Activations {
  /** What goes into each layer, as lists of non-zero entries. */
  readonly inputs: readonly SparseRows[]
  /** What comes out of each layer before ReLU or softmax. */
  readonly outputs: readonly Float64Array[]
}

export function createActivations(shape: NetworkShape, rows: number): Activations {
  const layers = layersOf(shape)
  return {
    inputs: layers.map((layer) => createSparseRows(rows, layer.inputs)),
    outputs: layers.map((layer) => new Float64Array(rows * layer.outputs)),
  }
}

/**
 * Runs `rows` examples, already loaded into the first input, up to the outputs of the last layer.
 */
export function forward(
  weights: Float32Array,
  layers: readonly Layer[],
  activations: Activations,
  rows: number,
): Float64Array {
  let output = activations.outputs[0]!
  for (const [index, layer] of layers.entries()) {
    if (index > 0) rectify(output, rows, layer.inputs, activations.inputs[index]!)
    output = activations.outputs[index]!
    forwardLayer(weights, layer, activations.inputs[index]!, rows, output)
  }
  return output
}

/** Throws unless the examples fit the network's inputs and the labels its outputs. */
export function requireFit(network: Network, data: Dataset): void {
  const inputs = network.shape[0]
  const outputs = network.shape.at(-1) ?? 0
  demand(
    pixelsOf(data) === inputs,
    'LEARNING_DATASET_INVALID',
    `pictures of ${pixelsOf(data)} pixels for a network of ${inputs} inputs`,
  )
  for (const label of data.labels) {
    demand(
      label < outputs,
      'LEARNING_DATASET_INVALID',
      `the label ${label} has no output: the network has ${outputs}`,
    )
  }
}

const evaluationRows = 64

/** Accuracy and loss of the network on all examples. */
export function evaluate(network: Network, data: Dataset): Evaluation {
  requireFit(network, data)
  const layers = layersOf(network.shape)
  const activations = createActivations(network.shape, evaluationRows)
  const order = Uint32Array.from({ length: data.count }, (_, index) => index)
  const classes = network.shape.at(-1) ?? 0
  let correct = 0
  let loss = 0
  for (let start = 0; start < data.count; start += evaluationRows) {
    const rows = Math.min(evaluationRows, data.count - start)
    loadPixels(data, order, start, rows, activations.inputs[0]!)
    const output = forward(network.weights, layers, activations, rows)
    const batch = softmaxLoss(output, rows, classes, data.labels, order, start)
    correct += batch.correct
    loss += batch.loss
  }
  return { accuracy: correct / data.count, loss: loss / data.count }
}
