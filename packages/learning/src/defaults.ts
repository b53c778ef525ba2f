// The training that `myelin swarm` runs unless told otherwise, tuned with
// bench/convergence.bench.ts.

import { digitClasses, digitPixels } from './limits.ts'
import type { SwarmPlan } from './plan.ts'

/**
 * McMahan's "2NN" has two hidden layers of 200; one is enough for these digits and trains faster.
 */
export const defaultShape = [digitPixels, 200, digitClasses] as const

/**
 * Five workers, 1,600 generated digits each. Few enough that no worker learns the task alone, many
 * enough that the swarm does: see the figures in the package's README.
 */
export const defaultPlan: SwarmPlan = {
  source: 'digits',
  workers: 5,
  rounds: 10,
  shape: defaultShape,
  examples: 8_000,
  classesPerShard: 0,
  epochs: 2,
  batchSize: 32,
  learningRate: 0.1,
  learningRateDecay: 0.9,
  momentum: 0.9,
  dataSeed: 1,
  testSeed: 2,
  testExamples: 2_000,
  seed: 42,
}

/** The same over all 60,000 training pictures of MNIST. */
export const mnistPlan: SwarmPlan = {
  ...defaultPlan,
  source: 'idx',
  rounds: 6,
  examples: 60_000,
  epochs: 1,
}
