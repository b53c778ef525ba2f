// Tasks and who works on them, as a pure state machine (R078): time comes in, decisions go out. A task is
// pending, assigned or done. When its worker is lost or late it becomes pending again, and whoever reports
// it first has done it; a second report changes nothing.

import { assert } from '@myelin/base'
import type { AgentId } from '@myelin/identity'
import type { TaskAssignment } from '@myelin/wire'
import { taskAttemptsMax, tasksMax } from './limits.ts'

export type ReportVerdict =
  | 'accepted'
  /** The task is done already: by this worker's own repetition, or by another. */
  | 'duplicate'
  /** Never handed to this worker, or unknown. */
  | 'not-assigned'

interface Entry {
  readonly task: TaskAssignment
  state: 'pending' | 'assigned' | 'done' | 'failed'
  worker: AgentId | undefined
  /** Everyone who ever had it: a late report of an earlier worker still counts. */
  readonly workers: Set<AgentId>
  deadlineMs: number
  attempts: number
}

export interface BoardCounts {
  readonly pending: number
  readonly assigned: number
  readonly done: number
  readonly failed: number
}

export class TaskBoard {
  readonly #entries = new Map<string, Entry>()
  readonly #attemptsMax: number
  reassigned = 0

  constructor({ attemptsMax = taskAttemptsMax } = {}) {
    this.#attemptsMax = attemptsMax
  }

  get counts(): BoardCounts {
    const counts = { pending: 0, assigned: 0, done: 0, failed: 0 }
    for (const entry of this.#entries.values()) counts[entry.state] += 1
    return counts
  }

  /** Every task has been done, or given up. */
  get isSettled(): boolean {
    const { pending, assigned } = this.counts
    return pending + assigned === 0
  }

  add(task: TaskAssignment): void {
    assert(!this.#entries.has(task.taskId), `task ${task.taskId} is on the board already`)
    assert(this.#entries.size < tasksMax, `a board holds at most ${tasksMax} tasks`)
    this.#entries.set(task.taskId, {
      task,
      state: 'pending',
      worker: undefined,
      workers: new Set(),
      deadlineMs: 0,
      attempts: 0,
    })
  }

  /** The next task for a worker, or what it has already; undefined while there is none. */
  assign(worker: AgentId, nowMs: number): TaskAssignment | undefined {
    let free: Entry | undefined
    for (const entry of this.#entries.values()) {
      // A worker that asks again has forgotten: it gets the same task, not a second one.
      if (entry.state === 'assigned' && entry.worker === worker) return entry.task
      if (entry.state === 'pending') free ??= entry
    }
    if (free === undefined) return undefined
    free.state = 'assigned'
    free.worker = worker
    free.workers.add(worker)
    free.attempts += 1
    free.deadlineMs = nowMs + (free.task.deadlineMs ?? Number.POSITIVE_INFINITY)
    return free.task
  }

  report(worker: AgentId, taskId: string): ReportVerdict {
    const entry = this.#entries.get(taskId)
    if (entry === undefined || !entry.workers.has(worker)) return 'not-assigned'
    if (entry.state === 'done') return 'duplicate'
    entry.state = 'done'
    entry.worker = worker
    return 'accepted'
  }

  /** What a worker sent for a task is worthless: somebody else shall do it. */
  reject(worker: AgentId, taskId: string): void {
    const entry = this.#entries.get(taskId)
    if (entry?.state === 'assigned' && entry.worker === worker) this.#free(entry)
  }

  /** A worker is gone. Returns the tasks that are free again. */
  workerLost(worker: AgentId): string[] {
    return this.#freeWhere((entry) => entry.worker === worker)
  }

  /** Frees what is past its deadline. Returns the tasks that are free again. */
  expire(nowMs: number): string[] {
    return this.#freeWhere((entry) => entry.deadlineMs <= nowMs)
  }

  /** When the next deadline is; undefined while nobody works. */
  get nextDeadlineMs(): number | undefined {
    let earliest: number | undefined
    for (const entry of this.#entries.values()) {
      if (entry.state === 'assigned' && entry.deadlineMs < (earliest ?? Number.POSITIVE_INFINITY))
        earliest = entry.deadlineMs
    }
    return earliest
  }

  /** Takes the settled tasks off. */
  clear(): void {
    for (const [id, entry] of this.#entries) {
      if (entry.state === 'done' || entry.state === 'failed') this.#entries.delete(id)
    }
  }

  #freeWhere(condition: (entry: Entry) => boolean): string[] {
    const freed: string[] = []
    for (const entry of this.#entries.values()) {
      if (entry.state !== 'assigned' || !condition(entry)) continue
      this.#free(entry)
      freed.push(entry.task.taskId)
    }
    return freed
  }

  #free(entry: Entry): void {
    entry.worker = undefined
    entry.deadlineMs = 0
    entry.state = entry.attempts >= this.#attemptsMax ? 'failed' : 'pending'
    this.reassigned += 1
  }
}
