// The pool of sessions (R019, R165, R197): how many we open at once, who waits for a place, which idle ones are
// ended and which old ones replaced. It decides; its parts end and open.
//
// Sessions that peers have opened count for `limits.sessionsMax` of the node alone, and are theirs to end.

import { type Clock, type Timer, withDeadline } from '@myelin/base'
import type { AgentId } from '@myelin/identity'
import { FabricError } from './errors.ts'
import type { HealthFault } from './health.ts'
import * as limits from './limits.ts'
import type { Link, Links } from './links.ts'

export interface PoolOptions {
  /** Idle sessions that are kept, the most recently used ones. */
  readonly sessionsMin?: number
  /** Sessions that we hold open at once. */
  readonly sessionsMax?: number
  readonly idleMs?: number
  readonly lifetimeMs?: number
  readonly waitersMax?: number
  readonly waitMs?: number
  /** How often sessions are looked at. */
  readonly checkMs?: number
  /** Looks in a row without an answer or without progress. */
  readonly missesMax?: number
  readonly roundTripMsMax?: number
}

export type EvictionReason = 'idle' | 'lifetime' | 'unhealthy' | 'limit'

export interface PoolStats {
  /** Sessions now, those that peers opened included. */
  readonly open: number
  /** … of which we dialled, and which nothing is under way in. */
  readonly dialled: number
  readonly idle: number
  /** Attempts that wait for a place now. */
  readonly waiting: number
  /** Since the start: sessions that we opened, uses of one that was open, attempts that failed. */
  readonly created: number
  readonly reused: number
  readonly failed: number
  /** Attempts that found no place in time. */
  readonly refused: number
  readonly evicted: Readonly<Record<EvictionReason, number>>
}

export interface PoolParts {
  readonly clock: Clock
  readonly links: Links
  readonly options: PoolOptions
  /** Somebody wants the peer connected, used or not. */
  isNeeded(agent: AgentId): boolean
  /** Opens a successor of the session, which then hands over. */
  replace(link: Link): void
  unhealthy(link: Link, fault: HealthFault): void
  /** A session that was left may have come to its end. */
  retire(link: Link): void
}

interface Waiter {
  readonly resolve: () => void
  /** Its place is counted. */
  isIn: boolean
}

export class Pool {
  reused = 0
  readonly #parts: PoolParts
  readonly #options: Required<PoolOptions>
  readonly #waiters = new Set<Waiter>()
  readonly #evicted: Record<EvictionReason, number> = {
    idle: 0,
    lifetime: 0,
    unhealthy: 0,
    limit: 0,
  }
  #dialling = 0
  #created = 0
  #failed = 0
  #refused = 0
  #timer: Timer | undefined

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.#options = { ...defaults, ...parts.options }
  }

  get stats(): PoolStats {
    const { links } = this.#parts
    const dialled = links.dialled
    return {
      open: links.size,
      dialled: dialled.length,
      idle: dialled.filter((link) => this.#isIdle(link)).length,
      waiting: this.#waiters.size,
      created: this.#created,
      reused: this.reused,
      failed: this.#failed,
      refused: this.#refused,
      evicted: { ...this.#evicted },
    }
  }

  /**
   * Makes one attempt at a session as soon as there is a place for it. Throws `FABRIC_POOL_FULL` where too many
   * wait, `FABRIC_POOL_TIMEOUT` where none came in time. The successor of a session takes its place.
   */
  async open<Value>(
    attempt: () => Promise<Value>,
    {
      isSuccessor = false,
      signal,
    }: { isSuccessor?: boolean; signal?: AbortSignal | undefined } = {},
  ): Promise<Value> {
    if (!isSuccessor) await this.#place(signal)
    try {
      const value = await attempt()
      this.#created += 1
      return value
    } catch (error) {
      this.#failed += 1
      throw error
    } finally {
      this.#dialling -= isSuccessor ? 0 : 1
      this.#admit()
    }
  }

  /** A session has begun. */
  opened(): void {
    this.#timer ??= this.#parts.clock.setTimer(this.#options.checkMs, () => this.#check())
  }

  /** A session has ended. */
  ended(): void {
    this.#admit()
    if (this.#parts.links.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  get #hasRoom(): boolean {
    return this.#parts.links.dialled.length + this.#dialling < this.#options.sessionsMax
  }

  /** Takes a place: counts the attempt as soon as there is room for it. */
  async #place(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiters.size === 0 && (this.#hasRoom || this.#makeRoom())) {
      this.#dialling += 1
      return
    }
    const { sessionsMax, waitersMax, waitMs } = this.#options
    if (this.#waiters.size >= waitersMax) {
      this.#refused += 1
      throw new FabricError(
        'FABRIC_POOL_FULL',
        `${sessionsMax} sessions are in use and ${waitersMax} attempts wait; raise pool.sessionsMax`,
        { kind: 'recoverable' },
      )
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiter = { resolve, isIn: false }
    this.#waiters.add(waiter)
    try {
      const { clock } = this.#parts
      await withDeadline(promise, { clock, timeoutMs: waitMs, signal, what: 'a place in the pool' })
    } catch (cause) {
      if (waiter.isIn) this.#dialling -= 1
      if (signal?.aborted === true) throw cause
      this.#refused += 1
      throw new FabricError(
        'FABRIC_POOL_TIMEOUT',
        `${sessionsMax} sessions are in use and none ended within ${waitMs} ms; raise pool.sessionsMax`,
        { kind: 'recoverable', cause },
      )
    } finally {
      this.#waiters.delete(waiter)
    }
  }

  /** Lets in those who have waited longest, one for each place. */
  #admit(): void {
    for (const waiter of this.#waiters) {
      if (!this.#hasRoom && !this.#makeRoom()) return
      this.#waiters.delete(waiter)
      this.#dialling += 1
      waiter.isIn = true
      waiter.resolve()
    }
  }

  /** Ends the session that has been idle longest, for one that is needed now. */
  #makeRoom(): boolean {
    const idle = this.#idleOnes()
    const [oldest] = idle
    if (oldest === undefined) return false
    this.#evict(oldest, 'limit')
    return this.#hasRoom
  }

  #check(): void {
    const { clock, links, isNeeded, replace, retire, unhealthy } = this.#parts
    const { idleMs, lifetimeMs, sessionsMin, checkMs } = this.#options
    const nowMs = clock.monotonicMs()
    this.#timer = clock.setTimer(checkMs, () => this.#check())
    for (const link of links.all()) {
      if (link.isRetiring) retire(link)
      if (!link.session.isOpen) continue
      link.observe(nowMs)
      const isLeft = link.isUnhealthy || link.isRetiring
      const fault = isLeft ? undefined : link.health.check(link.session, this.#options)
      if (fault !== undefined) {
        this.#evicted.unhealthy += 1
        unhealthy(link, fault)
      }
    }
    const idle = this.#idleOnes().filter((link) => nowMs - link.activeMs >= idleMs)
    for (const link of idle.slice(0, Math.max(0, idle.length - sessionsMin)))
      this.#evict(link, 'idle')
    for (const link of links.dialled) {
      const { agent } = link.session.peer
      const isOld = nowMs - link.openedMs >= lifetimeMs && link.session.isOpen && !link.isUnhealthy
      // A predecessor that is not through yet is waited for.
      if (!isOld || links.all(agent).some((other) => other.isReplaced)) continue
      if (!isNeeded(agent) && this.#isIdle(link) && nowMs - link.activeMs >= idleMs)
        this.#evict(link, 'lifetime')
      else {
        this.#evicted.lifetime += 1
        replace(link)
      }
    }
  }

  #evict(link: Link, reason: EvictionReason): void {
    this.#evicted[reason] += 1
    void link.session.close('SESSION_GOING_AWAY', `evicted: ${reason}`)
  }

  /** The least recently used first. */
  #idleOnes(): Link[] {
    const { links, isNeeded } = this.#parts
    return links.dialled
      .filter((link) => this.#isIdle(link) && !isNeeded(link.session.peer.agent))
      .sort((a, b) => a.activeMs - b.activeMs)
  }

  #isIdle(link: Link): boolean {
    return link.session.isOpen && link.after === undefined && link.isQuiet
  }
}

const defaults: Required<PoolOptions> = {
  sessionsMin: limits.poolSessionsMin,
  sessionsMax: limits.poolSessionsMax,
  idleMs: limits.poolIdleMs,
  lifetimeMs: limits.poolLifetimeMs,
  waitersMax: limits.poolWaitersMax,
  waitMs: limits.poolWaitMs,
  checkMs: limits.poolCheckMs,
  missesMax: limits.healthMissesMax,
  roundTripMsMax: limits.healthRoundTripMsMax,
}
