// A whole swarm training as one value: which data, how many workers and rounds, which rates. The
// coordinator draws from it the first weights, the tasks of each round and the test set; a worker
// needs only its task.

import type { Dataset } from './dataset.ts'
import { generateDigits } from './digits.ts'
import { demand } from './errors.ts'
import { createNetwork, type Network, type NetworkShape } from './network.ts'
import { SeededRandom } from './seeded-random.ts'
import type { TaskSource, TrainingTask } from './task.ts'

export interface SwarmPlan {
  readonly source: TaskSource
  /** Parts of the data, one task each per round. */
  readonly workers: number
  readonly rounds: number
  readonly shape: NetworkShape
  /** Training examples over all workers. */
  readonly examples: number
  /** 0 for evenly mixed shards, else label pieces per shard. */
  readonly classesPerShard: number
  readonly epochs: number
  readonly batchSize: number
  /** Of round 0; each later round multiplies it by `learningRateDecay`. */
  readonly learningRate: number
  readonly learningRateDecay: number
  readonly momentum: number
  /** Seed of the training data. */
  readonly dataSeed: number
  /** Seed of the generated test data; must differ from `dataSeed`. */
  readonly testSeed: number
  readonly testExamples: number
  /** Seed of the first weights and of the order of the examples. */
  readonly seed: number
}

/** The network that round 0 starts from. */
export function firstNetwork(plan: SwarmPlan): Network {
  return createNetwork(plan.shape, new SeededRandom(plan.seed))
}

/** The tasks of a round (from 0), one per shard. */
export function planRound(plan: SwarmPlan, round: number): TrainingTask[] {
  const { source, shape, examples, classesPerShard, epochs, batchSize, momentum } = plan
  const { dataSeed, seed, workers } = plan
  const learningRate = plan.learningRate * plan.learningRateDecay ** round
  return Array.from({ length: workers }, (_, index) => ({
    source,
    dataSeed,
    examples,
    classesPerShard,
    shard: { index, count: workers },
    shape,
    round,
    epochs,
    batchSize,
    learningRate,
    momentum,
    // Stream 0 of `seed` made the first weights, and round 0 of shard 0 would draw from it again.
    seed: seed + 1,
  }))
}

/** Digits that no worker trains on, to measure the global network with. */
export function testDigits(plan: SwarmPlan): Dataset {
  demand(
    plan.testSeed !== plan.dataSeed,
    'LEARNING_OPTION_INVALID',
    'testSeed equals dataSeed: the test would use the training digits',
  )
  return generateDigits({ seed: plan.testSeed, count: plan.testExamples })
}
