// The inner loops of the network, flat and free of allocation. About 80 % of the pixels of a digit
// are zero, and about half of the units behind a ReLU, so the input of every layer is held as lists
// of its non-zero entries, and all three products (forward, to the inputs, to the weights) touch
// only these.
//
// Sums are kept in 64 bits: V8 computes in doubles anyway, and 32-bit sums would add a rounding per
// step. Four rows per pass give one store per four products, which measures twice as fast as one
// row per pass.

import type { Dataset } from './dataset.ts'
import type { Layer } from './network.ts'

/**
 * Non-zero entries of a batch of rows: row r has entries `starts[r]` to `starts[r + 1]` (excluded).
 */
export interface SparseRows {
  readonly starts: Int32Array
  readonly columns: Int32Array
  readonly values: Float64Array
}

/**
 * The same entries by column; `rows` holds the offset of the row in a dense matrix with `outputs`
 * columns.
 */
export interface SparseColumns {
  readonly starts: Int32Array
  readonly cursors: Int32Array
  readonly rows: Int32Array
  readonly values: Float64Array
}

export function createSparseRows(rows: number, columns: number): SparseRows {
  return {
    starts: new Int32Array(rows + 1),
    columns: new Int32Array(rows * columns),
    values: new Float64Array(rows * columns),
  }
}

export function createSparseColumns(rows: number, columns: number): SparseColumns {
  return {
    starts: new Int32Array(columns + 1),
    cursors: new Int32Array(columns),
    rows: new Int32Array(rows * columns),
    values: new Float64Array(rows * columns),
  }
}

/** Loads the pictures `order[start]`, `order[start + 1]`, … as numbers from 0 to 1. */
export function loadPixels(
  data: Dataset,
  order: Uint32Array,
  start: number,
  rows: number,
  target: SparseRows,
): void {
  const { starts, columns, values } = target
  const images = data.images
  const pixels = images.length / data.count
  let entry = 0
  for (let row = 0; row < rows; row += 1) {
    starts[row] = entry
    const base = order[start + row]! * pixels
    for (let pixel = 0; pixel < pixels; pixel += 1) {
      const value = images[base + pixel]!
      if (value === 0) continue
      columns[entry] = pixel
      values[entry] = value / 255
      entry += 1
    }
  }
  starts[rows] = entry
}

/** ReLU: the positive entries of the dense `rows` x `width` matrix `source`. */
export function rectify(
  source: Float64Array,
  rows: number,
  width: number,
  target: SparseRows,
): void {
  const { starts, columns, values } = target
  let entry = 0
  for (let row = 0; row < rows; row += 1) {
    starts[row] = entry
    const base = row * width
    for (let column = 0; column < width; column += 1) {
      const value = source[base + column]!
      if (value <= 0) continue
      columns[entry] = column
      values[entry] = value
      entry += 1
    }
  }
  starts[rows] = entry
}

/** output = input x matrix + bias. */
export function forwardLayer(
  weights: Float32Array,
  layer: Layer,
  input: SparseRows,
  rows: number,
  output: Float64Array,
): void {
  const { outputs, matrixAt, biasAt } = layer
  const { starts, columns, values } = input
  for (let row = 0; row < rows; row += 1) {
    const base = row * outputs
    for (let o = 0; o < outputs; o += 1) output[base + o] = weights[biasAt + o]!
    const end = starts[row + 1]!
    let entry = starts[row]!
    for (; entry + 3 < end; entry += 4) {
      const v0 = values[entry]!
      const v1 = values[entry + 1]!
      const v2 = values[entry + 2]!
      const v3 = values[entry + 3]!
      const r0 = matrixAt + columns[entry]! * outputs
      const r1 = matrixAt + columns[entry + 1]! * outputs
      const r2 = matrixAt + columns[entry + 2]! * outputs
      const r3 = matrixAt + columns[entry + 3]! * outputs
      for (let o = 0; o < outputs; o += 1) {
        output[base + o]! +=
          v0 * weights[r0 + o]! +
          v1 * weights[r1 + o]! +
          v2 * weights[r2 + o]! +
          v3 * weights[r3 + o]!
      }
    }
    for (; entry < end; entry += 1) {
      const v = values[entry]!
      const r = matrixAt + columns[entry]! * outputs
      for (let o = 0; o < outputs; o += 1) output[base + o]! += v * weights[r + o]!
    }
  }
}

export interface BatchLoss {
  /** Summed cross-entropy in nats. */
  loss: number
  /** Rows whose largest output is their label. */
  correct: number
}

/**
 * Softmax and cross-entropy. Replaces each row of `output` by its gradient (probability - 1 for the
 * label), not yet divided by the number of rows.
 */
export function softmaxLoss(
  output: Float64Array,
  rows: number,
  classes: number,
  labels: Uint8Array,
  order: Uint32Array,
  start: number,
): BatchLoss {
  let loss = 0
  let correct = 0
  for (let row = 0; row < rows; row += 1) {
    const base = row * classes
    const label = labels[order[start + row]!]!
    let best = 0
    for (let c = 1; c < classes; c += 1) if (output[base + c]! > output[base + best]!) best = c
    // Subtracting the largest output keeps exp() from overflowing and changes no probability.
    const largest = output[base + best]!
    const ofLabel = output[base + label]! - largest
    let sum = 0
    for (let c = 0; c < classes; c += 1) {
      const power = Math.exp(output[base + c]! - largest)
      output[base + c] = power
      sum += power
    }
    for (let c = 0; c < classes; c += 1) output[base + c]! /= sum
    output[base + label]! -= 1
    loss += Math.log(sum) - ofLabel
    if (best === label) correct += 1
  }
  return { loss, correct }
}

/**
 * Gradient with respect to the inputs of a layer, where they are not zero: behind a ReLU the others
 * have none. Dense `rows` x `inputs`, the rest zero. Must run before `updateLayer` changes the
 * matrix.
 */
export function backwardLayer(
  weights: Float32Array,
  layer: Layer,
  input: SparseRows,
  rows: number,
  delta: Float64Array,
  inputDelta: Float64Array,
): void {
  const { inputs, outputs, matrixAt } = layer
  const { starts, columns } = input
  inputDelta.fill(0, 0, rows * inputs)
  for (let row = 0; row < rows; row += 1) {
    const base = row * outputs
    const end = starts[row + 1]!
    for (let entry = starts[row]!; entry < end; entry += 1) {
      const column = columns[entry]!
      const r = matrixAt + column * outputs
      let sum = 0
      for (let o = 0; o < outputs; o += 1) sum += weights[r + o]! * delta[base + o]!
      inputDelta[row * inputs + column] = sum
    }
  }
}

/**
 * Sorts the entries of a batch by column; `outputs` is the width of the dense matrix that `rows`
 * will point into.
 */
export function transpose(
  input: SparseRows,
  rows: number,
  inputs: number,
  outputs: number,
  target: SparseColumns,
): void {
  const { starts, cursors } = target
  starts.fill(0)
  const total = input.starts[rows]!
  for (let entry = 0; entry < total; entry += 1) starts[input.columns[entry]! + 1]! += 1
  for (let column = 0; column < inputs; column += 1) {
    starts[column + 1]! += starts[column]!
    cursors[column] = starts[column]!
  }
  for (let row = 0; row < rows; row += 1) {
    const end = input.starts[row + 1]!
    for (let entry = input.starts[row]!; entry < end; entry += 1) {
      const column = input.columns[entry]!
      const at = cursors[column]!
      cursors[column] = at + 1
      target.rows[at] = row * outputs
      target.values[at] = input.values[entry]!
    }
  }
}

/** What one step of SGD with momentum needs to know. */
export interface StepRates {
  readonly learningRate: number
  readonly momentum: number
}

/**
 * One step of SGD with momentum on a layer: velocity = momentum x velocity + gradient, weight -=
 * rate x velocity. `delta` is already divided by the number of rows. The gradient of a matrix row
 * is made and used up while the row is in the cache; it is never stored as a whole. `gradient`
 * holds one row.
 */
export function updateLayer(
  weights: Float32Array,
  velocity: Float32Array,
  layer: Layer,
  input: SparseColumns,
  rows: number,
  delta: Float64Array,
  rates: StepRates,
  gradient: Float64Array,
): void {
  const { inputs, outputs, matrixAt, biasAt } = layer
  const { starts, rows: rowsOf, values } = input
  for (let column = 0; column < inputs; column += 1) {
    const end = starts[column + 1]!
    let entry = starts[column]!
    gradient.fill(0, 0, outputs)
    for (; entry + 3 < end; entry += 4) {
      const v0 = values[entry]!
      const v1 = values[entry + 1]!
      const v2 = values[entry + 2]!
      const v3 = values[entry + 3]!
      const r0 = rowsOf[entry]!
      const r1 = rowsOf[entry + 1]!
      const r2 = rowsOf[entry + 2]!
      const r3 = rowsOf[entry + 3]!
      for (let o = 0; o < outputs; o += 1) {
        gradient[o]! +=
          v0 * delta[r0 + o]! + v1 * delta[r1 + o]! + v2 * delta[r2 + o]! + v3 * delta[r3 + o]!
      }
    }
    for (; entry < end; entry += 1) {
      const v = values[entry]!
      const r = rowsOf[entry]!
      for (let o = 0; o < outputs; o += 1) gradient[o]! += v * delta[r + o]!
    }
    step(weights, velocity, matrixAt + column * outputs, outputs, gradient, rates)
  }
  gradient.fill(0, 0, outputs)
  for (let row = 0; row < rows; row += 1) {
    for (let o = 0; o < outputs; o += 1) gradient[o]! += delta[row * outputs + o]!
  }
  step(weights, velocity, biasAt, outputs, gradient, rates)
}

function step(
  weights: Float32Array,
  velocity: Float32Array,
  at: number,
  length: number,
  gradient: Float64Array,
  rates: StepRates,
): void {
  const { learningRate, momentum } = rates
  for (let o = 0; o < length; o += 1) {
    const v = momentum * velocity[at + o]! + gradient[o]!
    velocity[at + o] = v
    weights[at + o]! -= learningRate * v
  }
}
