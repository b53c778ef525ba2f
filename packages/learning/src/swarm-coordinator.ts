// The coordinator of a training: hands out the tasks of a round, checks and averages what comes back,
// measures the network on digits that nobody trained on, remembers the round, and goes on. Workers may come,
// go, die or lie at any time.

import { type Clock, type Logger, type Store, sleep, withDeadline } from '@myelin/base'
import {
  type Agent,
  Coordinator,
  type CoordinatorEvent,
  type Received,
  reply,
} from '@myelin/fabric'
import type { AgentId } from '@myelin/identity'
import type { NeuralUpdate, StatusUpdate, TaskAssignment } from '@myelin/wire'
import { dropCheckpoint, loadCheckpoint, type RoundResult, saveCheckpoint } from './checkpoint.ts'
import type { Dataset } from './dataset.ts'
import { LearningError } from './errors.ts'
import {
  checkUpdate,
  type UpdateBounds,
  type WeightAverage,
  weightAverage,
  weightsFromBytes,
  weightsToBytes,
} from './federated.ts'
import { evaluate, type Network, networkFromWeights } from './network.ts'
import { firstNetwork, planRound, type SwarmPlan } from './plan.ts'
import { shardRange } from './shard.ts'
import { encodeTask } from './task.ts'

export const swarmModel = 'digits-mlp'

export type SwarmEvent =
  | CoordinatorEvent
  | { readonly kind: 'resumed'; readonly round: number }
  | { readonly kind: 'waiting'; readonly workers: number; readonly wanted: number }
  | { readonly kind: 'round-started'; readonly round: number; readonly rounds: number }
  | { readonly kind: 'status'; readonly worker: AgentId; readonly status: StatusUpdate }
  | {
      readonly kind: 'update-accepted'
      readonly worker: AgentId
      readonly round: number
      readonly taskId: string
    }
  | {
      readonly kind: 'update-rejected'
      readonly worker: AgentId
      readonly taskId: string
      readonly reason: string
    }
  | ({ readonly kind: 'round-finished' } & RoundResult & { readonly updates: number })

export interface SwarmCoordinatorOptions {
  readonly agent: Agent
  readonly clock: Clock
  readonly logger: Logger
  readonly store: Store
  readonly plan: SwarmPlan
  /** Examples that no worker trains on. */
  readonly test: Dataset
  readonly signal: AbortSignal
  /** How long the first round waits for all workers. */
  readonly gatherMs?: number
  readonly onEvent?: (event: SwarmEvent) => void
}

export interface SwarmOutcome {
  readonly accuracy: number
  readonly rounds: readonly RoundResult[]
  readonly reassigned: number
  readonly rejected: number
}

/** How long the first task of a worker may take; later ones are measured against their peers. */
const firstDeadlineMs = 60_000
/** A task is late when it takes this many times as long as the slowest of the round before. */
const lateFactor = 4
const deadlineMsMin = 5_000
const gatherMsDefault = 15_000
const gatherStepMs = 20

/** Runs the training to its end. Rejects with `LEARNING_SWARM_FAILED` when a round has no usable update. */
export async function runSwarmCoordinator(options: SwarmCoordinatorOptions): Promise<SwarmOutcome> {
  using training = new SwarmTraining(options)
  return await training.run()
}

interface OpenRound {
  readonly round: number
  readonly bounds: UpdateBounds
  readonly average: WeightAverage
  readonly startedMs: number
  updates: number
  slowestMs: number
}

class SwarmTraining implements Disposable {
  readonly #options: SwarmCoordinatorOptions
  readonly #coordinator: Coordinator
  readonly #resources = new DisposableStack()
  readonly #banned = new Set<AgentId>()
  #network: Network
  #rounds: RoundResult[] = []
  #open: OpenRound | undefined
  #deadlineMs = firstDeadlineMs
  #rejected = 0

  constructor(options: SwarmCoordinatorOptions) {
    this.#options = options
    this.#network = firstNetwork(options.plan)
    const { agent, clock, logger } = options
    this.#coordinator = this.#resources.use(
      new Coordinator({
        agent,
        clock,
        logger,
        onEvent: (event) => this.#tell(event),
        mayRegister: (worker) => !this.#banned.has(worker),
      }),
    )
    this.#resources.use(agent.handle('neural-update', (message) => this.#takeUpdate(message)))
    this.#resources.use(
      agent.handle('status-update', ({ payload, from }) =>
        this.#tell({ kind: 'status', worker: from, status: payload }),
      ),
    )
  }

  async run(): Promise<SwarmOutcome> {
    const { plan, store, signal } = this.#options
    await this.#resume()
    await this.#gather()
    while (this.#rounds.length < plan.rounds) {
      signal.throwIfAborted()
      await this.#runRound(this.#rounds.length)
    }
    await dropCheckpoint(store)
    const accuracy = this.#rounds.at(-1)?.accuracy ?? 0
    return {
      accuracy,
      rounds: this.#rounds,
      reassigned: this.#coordinator.reassigned,
      rejected: this.#rejected,
    }
  }

  [Symbol.dispose](): void {
    this.#resources.dispose()
  }

  async #resume(): Promise<void> {
    const { store, plan } = this.#options
    const checkpoint = await loadCheckpoint(store, plan, this.#network.weights.length)
    if (checkpoint === undefined) return
    this.#network = networkFromWeights(plan.shape, checkpoint.weights)
    this.#rounds = [...checkpoint.rounds]
    this.#tell({ kind: 'resumed', round: this.#rounds.length })
  }

  /** Waits for the workers, but not for ever: the swarm works with those that come. */
  async #gather(): Promise<void> {
    const { plan, clock, signal, gatherMs = gatherMsDefault } = this.#options
    const untilMs = clock.monotonicMs() + gatherMs
    let seen = -1
    while (clock.monotonicMs() < untilMs) {
      const workers = this.#coordinator.workers.length
      if (workers >= plan.workers) return
      if (workers !== seen) this.#tell({ kind: 'waiting', workers, wanted: plan.workers })
      seen = workers
      await sleep(clock, gatherStepMs, signal)
    }
  }

  async #runRound(round: number): Promise<void> {
    const { plan, agent, clock, signal, store, test } = this.#options
    const before = agent.traffic()
    const length = this.#network.weights.length
    const shard = shardRange(plan.examples, { index: 0, count: plan.workers })
    const bounds = { length, examplesMax: shard.end - shard.start + 1 }
    const average = weightAverage(bounds)
    const open: OpenRound = {
      round,
      bounds,
      average,
      startedMs: clock.monotonicMs(),
      updates: 0,
      slowestMs: 0,
    }
    this.#open = open
    this.#tell({ kind: 'round-started', round: round + 1, rounds: plan.rounds })
    this.#coordinator.submit(this.#tasks(round))
    await withDeadline(this.#coordinator.settled(), { clock, signal, what: 'the round' })
    this.#open = undefined
    this.#coordinator.clear()
    if (open.updates === 0) {
      throw new LearningError(
        'LEARNING_SWARM_FAILED',
        `round ${round + 1} brought no usable update; check the workers' logs`,
      )
    }
    this.#network = networkFromWeights(plan.shape, average.finish())
    this.#deadlineMs = Math.max(deadlineMsMin, lateFactor * open.slowestMs)
    const { accuracy } = evaluate(this.#network, test)
    const after = agent.traffic()
    const bytes = after.bytesSent + after.bytesReceived - before.bytesSent - before.bytesReceived
    const messages =
      after.messagesSent + after.messagesReceived - before.messagesSent - before.messagesReceived
    const result = { round: round + 1, accuracy, bytes, messages }
    this.#rounds.push(result)
    await saveCheckpoint(store, plan, { weights: this.#network.weights, rounds: this.#rounds })
    this.#tell({ kind: 'round-finished', ...result, updates: open.updates })
  }

  #tasks(round: number): TaskAssignment[] {
    const body = weightsToBytes(this.#network.weights)
    return planRound(this.#options.plan, round).map((task) => ({
      taskId: `round-${round + 1}-shard-${task.shard.index + 1}`,
      kind: 'train',
      round,
      deadlineMs: Math.ceil(this.#deadlineMs),
      parameters: encodeTask(task),
      body,
    }))
  }

  #takeUpdate({ payload, from }: Received<NeuralUpdate>): unknown {
    const taskId = payload.taskId ?? ''
    const open = this.#open
    if (open === undefined || payload.round !== open.round) return answer('too-late')
    const update = this.#readUpdate(payload)
    if (typeof update === 'string') return this.#reject(from, taskId, update)
    // Checked before it counts as done: what cannot be averaged must be trained again by somebody else.
    const checked = checkUpdate(update, open.bounds)
    if (!checked.ok) return this.#reject(from, taskId, checked.fault)
    const verdict = this.#coordinator.report(from, taskId)
    if (verdict !== 'accepted') return answer(verdict)
    open.average.add(update)
    open.updates += 1
    open.slowestMs = Math.max(open.slowestMs, this.#options.clock.monotonicMs() - open.startedMs)
    this.#tell({ kind: 'update-accepted', worker: from, round: open.round + 1, taskId })
    return answer('accepted')
  }

  #readUpdate(payload: NeuralUpdate): { weights: Float32Array; examples: number } | string {
    if (payload.model !== swarmModel || payload.kind !== 'weights')
      return 'another model or kind of update'
    const weights = weightsFromBytes(payload.data, this.#network.weights.length)
    return weights.ok ? { weights: weights.value, examples: payload.examples } : weights.fault
  }

  /** Rubbish costs its sender its place: the task goes to somebody else at once. */
  #reject(worker: AgentId, taskId: string, reason: string): unknown {
    this.#rejected += 1
    this.#banned.add(worker)
    this.#tell({ kind: 'update-rejected', worker, taskId, reason })
    this.#coordinator.reject(worker, taskId, reason)
    return answer('rejected')
  }

  #tell(event: SwarmEvent): void {
    this.#options.onEvent?.(event)
  }
}

function answer(action: string): unknown {
  return reply('coordination', { action, body: new Uint8Array(0) })
}
