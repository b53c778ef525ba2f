/**
 * Training that a swarm shares: digits to learn, a network, tasks for workers, and the average of
 * their updates.
 *
 * ```ts
 * import { defaultPlan, firstNetwork, loadShard, planRound, runTask } from '@myelin/learning'
 * import { evaluate, networkFromWeights, testDigits, weightAverage } from '@myelin/learning'
 *
 * const plan = { ...defaultPlan, rounds: 2, examples: 1_000 }
 * let network = firstNetwork(plan)
 * for (let round = 0; round < plan.rounds; round += 1) {
 *   const average = weightAverage({ length: network.weights.length, examplesMax: plan.examples })
 *   for (const task of planRound(plan, round)) {
 *     const work = runTask(task, network.weights, loadShard(task))
 *     let step = work.next()
 *     while (step.done !== true) step = work.next()
 *     average.add(step.value.update)
 *   }
 *   network = networkFromWeights(plan.shape, average.finish())
 * }
 * console.log(evaluate(network, testDigits(plan)).accuracy)
 * ```
 */

export { type Checkpoint, loadCheckpoint, type RoundResult, saveCheckpoint } from './checkpoint.ts'
export {
  countLabels,
  type Dataset,
  dataset,
  pixelsOf,
  selectExamples,
  sliceDataset,
} from './dataset.ts'
export { defaultPlan, defaultShape, mnistPlan } from './defaults.ts'
export { type DigitsOptions, generateDigits } from './digits.ts'
export { LearningError, type LearningErrorCode } from './errors.ts'
export {
  averageWeights,
  checkUpdate,
  type UpdateBounds,
  type UpdateFault,
  type WeightAverage,
  type WeightsFault,
  type WeightUpdate,
  weightAverage,
  weightsFromBytes,
  weightsToBytes,
} from './federated.ts'
export { type IdxFault, parseIdxImages, parseIdxLabels } from './idx.ts'
export {
  datasetExamplesMax,
  digitClasses,
  digitPixels,
  digitSide,
  idxBytesMax,
  networkParametersMax,
  shardCountMax,
  updateWeightRmsMax,
} from './limits.ts'
export {
  createNetwork,
  type Evaluation,
  evaluate,
  type Network,
  type NetworkShape,
  networkFromWeights,
  parameterCount,
} from './network.ts'
export { firstNetwork, planRound, type SwarmPlan, testDigits } from './plan.ts'
export { SeededRandom, splitMix64 } from './seeded-random.ts'
export { partitionByLabel, partitionIid, type Shard, shardRange } from './shard.ts'
export {
  runSwarmCoordinator,
  type SwarmCoordinatorOptions,
  type SwarmEvent,
  type SwarmOutcome,
  swarmModel,
} from './swarm-coordinator.ts'
export { runSwarmWorker, type SwarmWorkerOptions, type WorkerEvent } from './swarm-worker.ts'
export {
  decodeTask,
  encodeTask,
  loadShard,
  runTask,
  type TaskFault,
  type TaskParameters,
  type TaskResult,
  type TaskSource,
  type TrainingTask,
} from './task.ts'
export {
  type TrainingOptions,
  type TrainingProgress,
  type TrainingReport,
  train,
  trainSteps,
} from './training.ts'
