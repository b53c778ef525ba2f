// The coordinator of a swarm (R078): registers workers, holds their requests until there is a task, hands a
// lost worker's task to another. The tasks' meaning is the application's; so is the handling of results,
// which ends in `report` or `reject`.
//
// On the wire: `coordination` requests with the actions `register` (answered by `registered`) and
// `request-task` (answered by a task-assignment, or by `no-task` after a while); results come as whatever
// type the application handles.

import { type Clock, emptyBytes, type Logger, type Timer } from '@myelin/base'
import type { AgentId } from '@myelin/identity'
import type { TaskAssignment } from '@myelin/wire'
import { type Agent, type Received, reply } from './agent.ts'
import { Refusal } from './errors.ts'
import { taskWaitMs, workerMetadataBytesMax, workersMax } from './limits.ts'
import { type BoardCounts, type ReportVerdict, TaskBoard } from './task-board.ts'

export interface WorkerInfo {
  readonly agent: AgentId
  /** What the worker said of itself, unread. */
  readonly metadata: Uint8Array
  readonly registeredMs: number
}

export type CoordinatorEvent =
  | { readonly kind: 'worker-registered'; readonly worker: AgentId }
  | { readonly kind: 'worker-lost'; readonly worker: AgentId; readonly freed: readonly string[] }
  | { readonly kind: 'task-assigned'; readonly worker: AgentId; readonly taskId: string }
  | { readonly kind: 'task-expired'; readonly freed: readonly string[] }

export interface CoordinatorOptions {
  readonly agent: Agent
  readonly clock: Clock
  readonly logger: Logger
  /** How long a worker's question waits for a task before it is told to ask again. */
  readonly taskWaitMs?: number
  /** Who may work here; everybody by default. */
  readonly mayRegister?: (worker: AgentId) => boolean
  readonly onEvent?: (event: CoordinatorEvent) => void
}

interface WaitingWorker {
  readonly resolve: (task: TaskAssignment | undefined) => void
  readonly timer: Timer
}

export class Coordinator implements Disposable {
  readonly #options: CoordinatorOptions
  readonly #board = new TaskBoard()
  readonly #workers = new Map<AgentId, WorkerInfo>()
  readonly #waiting = new Map<AgentId, WaitingWorker>()
  readonly #resources = new DisposableStack()
  #settled = Promise.withResolvers<void>()
  #expiry: Timer | undefined

  constructor(options: CoordinatorOptions) {
    this.#options = options
    const { agent } = options
    this.#resources.use(agent.handle('coordination', (message) => this.#coordinate(message)))
    this.#resources.use(
      agent.watchPeers((event) => {
        if (
          event.kind === 'disconnected' &&
          !agent.peers().some((peer) => peer.agent === event.agent)
        )
          this.#lost(event.agent)
      }),
    )
  }

  get workers(): readonly WorkerInfo[] {
    return [...this.#workers.values()]
  }

  get counts(): BoardCounts {
    return this.#board.counts
  }

  /** How often a task was taken from a worker and given to another. */
  get reassigned(): number {
    return this.#board.reassigned
  }

  /** Puts tasks up; workers that wait get them at once. */
  submit(tasks: readonly TaskAssignment[]): void {
    for (const task of tasks) this.#board.add(task)
    this.#settled = Promise.withResolvers<void>()
    this.#distribute()
  }

  /** Resolves when every submitted task is done or given up. */
  settled(): Promise<void> {
    if (this.#board.isSettled) return Promise.resolve()
    return this.#settled.promise
  }

  /** A worker's result for a task has been taken. */
  report(worker: AgentId, taskId: string): ReportVerdict {
    const verdict = this.#board.report(worker, taskId)
    this.#check()
    return verdict
  }

  /** A worker's result cannot be used: the task goes to somebody else, and the worker is dropped. */
  reject(worker: AgentId, taskId: string, reason: string): void {
    this.#options.logger.log('warn', 'result-rejected', { worker, taskId, reason })
    this.#board.reject(worker, taskId)
    this.#workers.delete(worker)
    this.#distribute()
    this.#check()
  }

  /** Takes settled tasks off the board. */
  clear(): void {
    this.#board.clear()
  }

  [Symbol.dispose](): void {
    this.#expiry?.cancel()
    for (const waiting of this.#waiting.values()) {
      waiting.timer.cancel()
      waiting.resolve(undefined)
    }
    this.#waiting.clear()
    this.#resources.dispose()
  }

  async #coordinate({
    payload,
    from,
  }: Received<{ readonly action: string; readonly body: Uint8Array }>): Promise<unknown> {
    if (payload.action === 'register') {
      this.#register(from, payload.body)
      return { action: 'registered', body: emptyBytes }
    }
    if (payload.action !== 'request-task')
      throw new Refusal('this coordinator knows register and request-task')
    if (!this.#workers.has(from)) throw new Refusal('register first')
    const task = this.#assign(from) ?? (await this.#wait(from))
    return task === undefined
      ? { action: 'no-task', body: emptyBytes }
      : reply('task-assignment', task)
  }

  #register(worker: AgentId, metadata: Uint8Array): void {
    if (this.#options.mayRegister?.(worker) === false)
      throw new Refusal('this worker was sent away')
    if (metadata.length > workerMetadataBytesMax)
      throw new Refusal(`metadata has at most ${workerMetadataBytesMax} bytes`)
    if (!this.#workers.has(worker) && this.#workers.size >= workersMax)
      throw new Refusal('this coordinator has enough workers')
    const registeredMs = this.#options.clock.wallMs()
    this.#workers.set(worker, { agent: worker, metadata: new Uint8Array(metadata), registeredMs })
    this.#options.onEvent?.({ kind: 'worker-registered', worker })
  }

  #assign(worker: AgentId): TaskAssignment | undefined {
    const task = this.#board.assign(worker, this.#options.clock.monotonicMs())
    if (task === undefined) return undefined
    this.#options.onEvent?.({ kind: 'task-assigned', worker, taskId: task.taskId })
    this.#armExpiry()
    return task
  }

  #wait(worker: AgentId): Promise<TaskAssignment | undefined> {
    // One question at a time: a second one answers the first with "ask again".
    this.#release(worker, undefined)
    return new Promise((resolve) => {
      const delayMs = this.#options.taskWaitMs ?? taskWaitMs
      const timer = this.#options.clock.setTimer(delayMs, () => this.#release(worker, undefined))
      this.#waiting.set(worker, { resolve, timer })
    })
  }

  #release(worker: AgentId, task: TaskAssignment | undefined): void {
    const waiting = this.#waiting.get(worker)
    if (waiting === undefined) return
    this.#waiting.delete(worker)
    waiting.timer.cancel()
    waiting.resolve(task)
  }

  #distribute(): void {
    for (const worker of [...this.#waiting.keys()]) {
      if (!this.#workers.has(worker)) continue
      const task = this.#assign(worker)
      if (task === undefined) return
      this.#release(worker, task)
    }
  }

  #lost(worker: AgentId): void {
    this.#release(worker, undefined)
    if (!this.#workers.delete(worker)) return
    const freed = this.#board.workerLost(worker)
    this.#options.onEvent?.({ kind: 'worker-lost', worker, freed })
    this.#distribute()
    this.#check()
  }

  #armExpiry(): void {
    const deadlineMs = this.#board.nextDeadlineMs
    this.#expiry?.cancel()
    if (deadlineMs === undefined || deadlineMs === Number.POSITIVE_INFINITY) return
    const { clock } = this.#options
    this.#expiry = clock.setTimer(Math.max(1, deadlineMs - clock.monotonicMs()), () => {
      const freed = this.#board.expire(clock.monotonicMs())
      if (freed.length > 0) this.#options.onEvent?.({ kind: 'task-expired', freed })
      this.#distribute()
      this.#armExpiry()
      this.#check()
    })
  }

  #check(): void {
    if (this.#board.isSettled) this.#settled.resolve()
  }
}
