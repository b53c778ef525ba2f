// Federated averaging (McMahan et al. 2017, algorithm 1): the next global weights are the mean of
// the workers' weights, each counted by its examples. Sums are kept in 64 bits, one model in memory
// however many workers send.
//
// An update comes from a peer: `checkUpdate` refuses what would ruin the average. It cannot tell a
// careful lie from the truth; it bounds what one update can do.

import { err, ok, type Result } from '@myelin/base'
import { demand } from './errors.ts'
import { datasetExamplesMax, networkParametersMax, updateWeightRmsMax } from './limits.ts'

/** What a worker sends after its local training. */
export interface WeightUpdate {
  readonly weights: Float32Array
  /** Examples that the worker trained on: the update's share in the average. */
  readonly examples: number
}

export type UpdateFault =
  | 'update_examples_invalid'
  | 'update_length_mismatch'
  | 'update_norm_excessive'
  | 'update_not_finite'

export interface UpdateBounds {
  /** Parameters of the network. */
  readonly length: number
  /** Most examples a worker may claim; default the largest data set. Pass the size of its shard. */
  readonly examplesMax?: number
  /** Bound on the root mean square of the weights. */
  readonly rmsMax?: number
}

/** The update itself when it may go into an average, else why not. */
export function checkUpdate(
  update: WeightUpdate,
  bounds: UpdateBounds,
): Result<WeightUpdate, UpdateFault> {
  const { length, examplesMax = datasetExamplesMax, rmsMax = updateWeightRmsMax } = bounds
  const { weights, examples } = update
  if (weights.length !== length) return err('update_length_mismatch')
  if (!Number.isSafeInteger(examples) || examples < 1 || examples > examplesMax)
    return err('update_examples_invalid')
  let squares = 0
  for (let at = 0; at < weights.length; at += 1) squares += weights[at]! * weights[at]!
  // The square of a 32-bit float fits a double, so the sum is finite exactly when every weight is.
  if (!Number.isFinite(squares)) return err('update_not_finite')
  if (squares > rmsMax * rmsMax * length) return err('update_norm_excessive')
  return ok(update)
}

/** A running average of updates: `add` each as it arrives, `finish` when the round is over. */
export interface WeightAverage {
  /** Updates and examples taken in so far. */
  readonly updates: number
  readonly examples: number
  /**
   * Takes an update in, or says why not; the average is then as before. Does not keep the weights.
   */
  add(update: WeightUpdate): Result<WeightUpdate, UpdateFault>
  /** The mean so far, in new memory. Throws LEARNING_AVERAGE_EMPTY before the first update. */
  finish(): Float32Array
}

/** Averages updates one by one, with the memory of one model. */
export function weightAverage(bounds: UpdateBounds): WeightAverage {
  const isLength = bounds.length > 0 && bounds.length <= networkParametersMax
  demand(isLength, 'LEARNING_WEIGHTS_INVALID', `${bounds.length} weights cannot be averaged`)
  const sums = new Float64Array(bounds.length)
  let examples = 0
  let updates = 0
  return {
    get updates() {
      return updates
    },
    get examples() {
      return examples
    },
    add(update) {
      const checked = checkUpdate(update, bounds)
      if (!checked.ok) return checked
      const { weights, examples: share } = update
      for (let at = 0; at < sums.length; at += 1) sums[at]! += share * weights[at]!
      examples += share
      updates += 1
      return checked
    },
    finish() {
      demand(updates > 0, 'LEARNING_AVERAGE_EMPTY', 'no update to average: wait for one worker')
      const mean = new Float32Array(sums.length)
      for (let at = 0; at < sums.length; at += 1) mean[at] = sums[at]! / examples
      return mean
    },
  }
}

/**
 * The mean of updates that were checked before, each counted by its examples. Throws when they do
 * not fit.
 */
export function averageWeights(updates: readonly WeightUpdate[]): Float32Array {
  const length = updates[0]?.weights.length ?? 0
  demand(length > 0, 'LEARNING_AVERAGE_EMPTY', 'no update to average: pass at least one')
  const average = weightAverage({ length, rmsMax: Number.MAX_VALUE })
  for (const update of updates) {
    const added = average.add(update)
    const fault = added.ok ? '' : added.fault
    demand(added.ok, 'LEARNING_WEIGHTS_INVALID', `${fault}: check each update with checkUpdate`)
  }
  return average.finish()
}

/** The weights as little-endian 32-bit floats (IEEE 754), in new memory. */
export function weightsToBytes(weights: Float32Array): Uint8Array {
  const bytes = new Uint8Array(weights.length * 4)
  if (isLittleEndian) {
    bytes.set(new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength))
    return bytes
  }
  const view = new DataView(bytes.buffer)
  for (let at = 0; at < weights.length; at += 1) view.setFloat32(4 * at, weights[at]!, true)
  return bytes
}

export type WeightsFault = 'weights_length_mismatch' | 'weights_not_finite'

/** Reads exactly `length` weights from bytes at any alignment, in new memory. All are finite. */
export function weightsFromBytes(
  bytes: Uint8Array,
  length: number,
): Result<Float32Array, WeightsFault> {
  if (length > networkParametersMax || bytes.length !== length * 4)
    return err('weights_length_mismatch')
  // slice() copies, and its copy starts at offset 0: received bytes seldom lie at a multiple of
  // four.
  const copy = Uint8Array.prototype.slice.call(bytes)
  const weights = new Float32Array(copy.buffer, 0, length)
  if (!isLittleEndian) {
    const view = new DataView(copy.buffer)
    for (let at = 0; at < length; at += 1) weights[at] = view.getFloat32(4 * at, true)
  }
  for (let at = 0; at < length; at += 1) {
    if (!Number.isFinite(weights[at]!)) return err('weights_not_finite')
  }
  return ok(weights)
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
