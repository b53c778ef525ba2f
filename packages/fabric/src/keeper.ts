// Keeps sessions with certain peers open (R087): connects, waits for the end, connects again, with the waits of
// `backoffMs` and without end unless told. Pure: the agent's connect, its clock and its randomness are parts.

import {
  BaseError,
  type Clock,
  describeError,
  MyelinError,
  type Random,
  sleep,
  withDeadline,
} from '@myelin/base'
import type { AgentId } from '@myelin/identity'
import type { PeerEvent } from './agent.ts'
import { backoffMs } from './backoff.ts'
import { FabricError } from './errors.ts'
import { connectAttemptMs, keptPeersMax, stableSessionMs } from './limits.ts'

export interface KeepOptions {
  /** Attempts in a row that may fail before the peer is left alone; without end where it is not given. */
  readonly attemptsMax?: number | undefined
}

export interface KeeperParts {
  connect(peer: AgentId, signal: AbortSignal): Promise<unknown>
  isOpen(peer: AgentId): boolean
  readonly clock: Clock
  readonly random: Random
  tell(event: PeerEvent): void
}

interface Kept {
  readonly stop: AbortController
  readonly holders: Set<KeepOptions>
  attempt: number
  /** Called when the last session has ended. */
  ended: ((why: { code: string; reason: string }) => void) | undefined
}

export class Keeper {
  readonly #parts: KeeperParts
  readonly #kept = new Map<AgentId, Kept>()

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  get agents(): AgentId[] {
    return [...this.#kept.keys()]
  }

  isKept(peer: AgentId): boolean {
    return this.#kept.has(peer)
  }

  /** Failures since the last session that was stable. */
  attempt(peer: AgentId): number {
    return this.#kept.get(peer)?.attempt ?? 0
  }

  /** Connects now and whenever no session is open, until disposed. Who holds a peer twice disposes twice. */
  keep(peer: AgentId, options: KeepOptions = {}): Disposable {
    let kept = this.#kept.get(peer)
    if (kept === undefined) {
      if (this.#kept.size >= keptPeersMax) {
        const message = `at most ${keptPeersMax} peers are kept connected; let go of others first`
        throw new FabricError('FABRIC_KEPT_FULL', message, { kind: 'usage' })
      }
      kept = { stop: new AbortController(), holders: new Set(), attempt: 0, ended: undefined }
      this.#kept.set(peer, kept)
      void this.#keepConnected(peer, kept)
    }
    // Its own object: two holders may pass the same options.
    const holder = { ...options }
    const { holders } = kept
    holders.add(holder)
    const of = kept
    return {
      [Symbol.dispose]: () => {
        if (holders.delete(holder) && holders.size === 0) this.#drop(peer, of)
      },
    }
  }

  /** The last session with the peer has ended. */
  ended(peer: AgentId, code: string, reason: string): void {
    this.#kept.get(peer)?.ended?.({ code, reason })
  }

  /** Leaves the sessions as they are, but opens none again. */
  close(): void {
    for (const [peer, kept] of this.#kept) this.#drop(peer, kept)
  }

  #drop(peer: AgentId, kept: Kept): void {
    kept.stop.abort()
    if (this.#kept.get(peer) === kept) this.#kept.delete(peer)
  }

  async #keepConnected(peer: AgentId, kept: Kept): Promise<void> {
    const { clock, random, tell } = this.#parts
    const { signal } = kept.stop
    while (!signal.aborted) {
      const { livedMs, code, reason } = await this.#holdOnce(peer, kept)
      if (signal.aborted) return
      // A peer that accepts and hangs up at once must not be called in a tight loop.
      kept.attempt = livedMs >= stableSessionMs ? 1 : kept.attempt + 1
      const { attempt } = kept
      if (livedMs === 0 && attempt >= attemptsMaxOf(kept)) {
        tell({ kind: 'given-up', agent: peer, attempt, code, reason })
        this.#drop(peer, kept)
        return
      }
      const retryMs = Math.round(backoffMs(attempt, random))
      const wasConnected = livedMs > 0
      tell({ kind: 'reconnecting', agent: peer, attempt, retryMs, wasConnected, code, reason })
      await sleep(clock, retryMs, signal).catch(() => {})
    }
  }

  /** One session from its beginning to its end, or why it never began. */
  async #holdOnce(
    peer: AgentId,
    kept: Kept,
  ): Promise<{ readonly livedMs: number; readonly code: string; readonly reason: string }> {
    const { clock, isOpen } = this.#parts
    const { signal } = kept.stop
    try {
      await this.#connect(peer, signal)
    } catch (error) {
      const code = error instanceof MyelinError ? error.code : 'UNKNOWN'
      return { livedMs: 0, code, reason: describeError(error) }
    }
    const sinceMs = clock.monotonicMs()
    const { promise, resolve } = Promise.withResolvers<{ code: string; reason: string }>()
    kept.ended = resolve
    const lost = { code: 'SESSION_LOST', reason: 'the session has ended' }
    const onAbort = () => resolve(lost)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted || !isOpen(peer)) resolve(lost)
    const why = await promise
    signal.removeEventListener('abort', onAbort)
    kept.ended = undefined
    return { livedMs: Math.max(1, clock.monotonicMs() - sinceMs), ...why }
  }

  async #connect(peer: AgentId, signal: AbortSignal): Promise<void> {
    const { connect, clock } = this.#parts
    const stop = new AbortController()
    const work = connect(peer, AbortSignal.any([signal, stop.signal]))
    try {
      await withDeadline(work, { clock, timeoutMs: connectAttemptMs, signal, what: 'the attempt' })
    } catch (error) {
      if (error instanceof BaseError) stop.abort(error)
      throw error
    }
  }
}

/** The most patient holder decides. */
function attemptsMaxOf({ holders }: Kept): number {
  let most = 0
  for (const { attemptsMax = Number.POSITIVE_INFINITY } of holders)
    most = Math.max(most, attemptsMax)
  return most
}
