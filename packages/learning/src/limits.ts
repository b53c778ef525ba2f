// The bounds of the learning package: what a data file, a network, a task or an update of a peer
// may claim.

import { assert, mib } from '@myelin/base'

/** Width and height of a digit, in pixels (MNIST, and what `generateDigits` draws). */
export const digitSide = 28
/** Pixels of a digit: inputs of the network. */
export const digitPixels = digitSide * digitSide
/** Digits 0 to 9: outputs of the network. */
export const digitClasses = 10

/** Examples of one data set; the largest known file of this format holds 60,000. */
export const datasetExamplesMax = 262_144
/** Bytes of an IDX file once it is unpacked: 16 bytes of header and the pixels. */
export const idxBytesMax = 16 + datasetExamplesMax * digitPixels

/** Layers of units in a network, the input layer counted. */
export const networkLayersMax = 8
/** Units in one layer. */
export const networkUnitsMax = 4_096
/** Parameters of a network; as 32-bit floats they are the largest update that a peer may send. */
export const networkParametersMax = 4_000_000

/** Bounds of the numbers in a training task. */
export const taskRoundMax = 1_000_000
export const taskEpochsMax = 1_000
export const taskBatchSizeMax = 4_096
export const taskLearningRateMax = 10
/** Parts that a data set may be split into. */
export const shardCountMax = 4_096

/**
 * Default bound on the root mean square of an update's weights; trained networks stay below 0.2.
 */
export const updateWeightRmsMax = 4

assert(idxBytesMax < 256 * mib, 'an unpacked data file must fit the memory of a small agent')
assert(networkUnitsMax >= digitPixels, 'a picture must fit the input layer')
assert(
  networkParametersMax * 4 <= 16 * mib,
  'the weights must fit the payload of one packet (R131)',
)
assert(
  taskRoundMax * shardCountMax < Number.MAX_SAFE_INTEGER,
  'each round and shard has a random stream of its own',
)
