// A worker of a training: takes tasks from the coordinator, trains on its shard, sends the update, tells how
// far it is. Between batches it lets the session breathe.

import { type Clock, type Logger, type Random, sleep } from '@myelin/base'
import { type Agent, type BackoffOptions, type PeerTarget, workLoop } from '@myelin/fabric'
import type { AgentId } from '@myelin/identity'
import type { TaskAssignment } from '@myelin/wire'
import type { Dataset } from './dataset.ts'
import { LearningError } from './errors.ts'
import { weightsFromBytes, weightsToBytes } from './federated.ts'
import { parameterCount } from './network.ts'
import { swarmModel } from './swarm-coordinator.ts'
import { decodeTask, loadShard, runTask, type TaskResult, type TrainingTask } from './task.ts'

export type WorkerEvent =
  | { readonly kind: 'task-started'; readonly taskId: string }
  | {
      readonly kind: 'task-finished'
      readonly taskId: string
      readonly verdict: string
      readonly seconds: number
    }

export interface SwarmWorkerOptions {
  readonly agent: Agent
  readonly coordinator: PeerTarget
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly signal: AbortSignal
  /** The data set of the files, for tasks whose source is `idx`. */
  readonly whole?: Dataset | undefined
  readonly backoff?: BackoffOptions
  readonly onEvent?: (event: WorkerEvent) => void
}

/** A status is sent when this much more of a task is done. */
const progressStep = 0.25
const processorYieldMs = 0

/** Works until the signal aborts. */
export async function runSwarmWorker(options: SwarmWorkerOptions): Promise<void> {
  const { agent, coordinator, clock, random, logger, signal, backoff } = options
  const worker = new SwarmWorker(options)
  await workLoop({
    agent,
    coordinator,
    clock,
    random,
    logger,
    signal,
    ...(backoff === undefined ? {} : { backoff }),
    work: (task, client) => worker.work(task, client.coordinator),
  })
}

class SwarmWorker {
  readonly #options: SwarmWorkerOptions
  // A worker keeps its shard from round to round; another worker's shard replaces it.
  #shard: { readonly key: string; readonly data: Dataset } | undefined

  constructor(options: SwarmWorkerOptions) {
    this.#options = options
  }

  async work(assignment: TaskAssignment, coordinator: AgentId): Promise<void> {
    const { agent, clock, onEvent, signal } = this.#options
    const { taskId, round } = assignment
    const task = decodeTask(assignment.parameters)
    if (!task.ok)
      throw new LearningError(
        'LEARNING_TASK_INVALID',
        `task ${taskId} cannot be read: ${task.fault}`,
      )
    const weights = weightsFromBytes(assignment.body, parameterCount(task.value.shape))
    if (!weights.ok)
      throw new LearningError(
        'LEARNING_TASK_INVALID',
        `task ${taskId} has no usable weights: ${weights.fault}`,
      )
    onEvent?.({ kind: 'task-started', taskId })
    const startedMs = clock.monotonicMs()
    const { update, report } = await this.#train(task.value, weights.value, { taskId, coordinator })
    const data = weightsToBytes(update.weights)
    const { examples } = update
    const shapes = [[update.weights.length]]
    const { loss } = report
    const neuralUpdate = {
      model: swarmModel,
      taskId,
      round,
      kind: 'weights' as const,
      examples,
      loss,
      shapes,
      data,
    }
    const answer = await agent.request(coordinator, 'neural-update', neuralUpdate, { signal })
    const verdict =
      answer.type === 'coordination' ? (answer.payload as { action: string }).action : answer.type
    const seconds = (clock.monotonicMs() - startedMs) / 1000
    onEvent?.({ kind: 'task-finished', taskId, verdict, seconds })
    const metrics = { loss, accuracy: report.accuracy, seconds }
    await agent.send(coordinator, 'status-update', { state: 'done', taskId, progress: 1, metrics })
  }

  async #train(
    task: TrainingTask,
    weights: Float32Array,
    { taskId, coordinator }: { readonly taskId: string; readonly coordinator: AgentId },
  ): Promise<TaskResult> {
    const { agent, clock, signal } = this.#options
    await agent.send(coordinator, 'status-update', { state: 'busy', taskId, progress: 0 })
    const training = runTask(task, weights, this.#dataOf(task))
    let told = 0
    for (let step = training.next(); ; step = training.next(signal.aborted)) {
      if (step.done === true) {
        signal.throwIfAborted()
        return step.value
      }
      const progress = step.value.steps / step.value.stepsTotal
      if (progress - told >= progressStep) {
        told = progress
        await agent.send(coordinator, 'status-update', { state: 'busy', taskId, progress })
      }
      await sleep(clock, processorYieldMs)
    }
  }

  #dataOf(task: TrainingTask): Dataset {
    const { source, dataSeed, examples, classesPerShard, shard } = task
    const key = [source, dataSeed, examples, classesPerShard, shard.index, shard.count].join()
    if (this.#shard?.key !== key) this.#shard = { key, data: loadShard(task, this.#options.whole) }
    return this.#shard.data
  }
}
