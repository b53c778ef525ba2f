// A worker's side of the coordinator: register, ask for a task, report; again and again, over lost
// connections and coordinators that restart.

import {
  type Clock,
  describeError,
  emptyBytes,
  type Logger,
  type Random,
  sleep,
} from '@myelin/base'
import type { AgentId } from '@myelin/identity'
import type { TaskAssignment } from '@myelin/wire'
import type { Agent, PeerTarget } from './agent.ts'
import { type BackoffOptions, backoffMs } from './backoff.ts'
import { FabricError } from './errors.ts'
import { taskWaitMs } from './limits.ts'

export interface CoordinatorClient {
  readonly coordinator: AgentId
  /** Says who we are; needed again after the connection was lost. */
  registerAgent(metadata?: Uint8Array): Promise<void>
  /** A task, or undefined when there was none for a while: ask again. */
  requestTaskAssignment(signal?: AbortSignal): Promise<TaskAssignment | undefined>
}

/** Connects to a coordinator. */
export async function connectCoordinator(
  agent: Agent,
  target: PeerTarget,
  signal?: AbortSignal,
): Promise<CoordinatorClient> {
  const { agent: coordinator } = await agent.connect(target, { signal })
  return {
    coordinator,
    registerAgent: async (metadata = emptyBytes) => {
      const answer = await agent.request(
        coordinator,
        'coordination',
        { action: 'register', body: metadata },
        { signal },
      )
      if (answer.type !== 'coordination') throw unexpected(answer.type)
    },
    requestTaskAssignment: async (taskSignal) => {
      const question = { action: 'request-task', body: emptyBytes }
      // The coordinator holds the question: our patience must outlast its.
      const options = { signal: taskSignal ?? signal, timeoutMs: 3 * taskWaitMs }
      const answer = await agent.request(coordinator, 'coordination', question, options)
      if (answer.type === 'coordination') return undefined
      if (answer.type !== 'task-assignment') throw unexpected(answer.type)
      return answer.payload as TaskAssignment
    },
  }
}

export interface WorkLoopOptions {
  readonly agent: Agent
  readonly coordinator: PeerTarget
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metadata?: Uint8Array
  /** Does one task, and reports it. An error costs this attempt only. */
  readonly work: (task: TaskAssignment, client: CoordinatorClient) => Promise<void>
  readonly signal: AbortSignal
  readonly backoff?: BackoffOptions
}

/** Works until the signal aborts: connects, registers, takes tasks; after a failure it comes back later. */
export async function workLoop(options: WorkLoopOptions): Promise<void> {
  const { agent, clock, random, logger, signal } = options
  let failures = 0
  while (!signal.aborted) {
    try {
      const client = await connectCoordinator(agent, options.coordinator, signal)
      await client.registerAgent(options.metadata)
      failures = 0
      while (!signal.aborted) {
        const task = await client.requestTaskAssignment(signal)
        if (task !== undefined) await options.work(task, client)
      }
    } catch (error) {
      if (signal.aborted) return
      failures += 1
      const delayMs = backoffMs(failures, random, options.backoff)
      logger.log('info', 'coordinator-lost', {
        reason: describeError(error),
        retryMs: Math.round(delayMs),
      })
      await sleep(clock, delayMs, signal).catch(() => {})
    }
  }
}

function unexpected(type: string): FabricError {
  return new FabricError(
    'FABRIC_TASK',
    `the coordinator answered with ${type}; it may be of another version`,
  )
}
