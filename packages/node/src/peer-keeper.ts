// Keeps sessions with certain peers open: connects, waits for the end, connects again. Without end, with the
// waits of fabric's backoff, each failure in the log (R040: these are the configured peers and no others).

import {
  BaseError,
  type Clock,
  type Logger,
  MyelinError,
  type Random,
  sleep,
  withDeadline,
} from '@myelin/base'
import { type Agent, backoffMs } from '@myelin/fabric'
import type { AgentId } from '@myelin/identity'
import { connectAttemptMs, stableSessionMs } from './control-limits.ts'

export interface PeerKeeperParts {
  readonly agent: Pick<Agent, 'connect' | 'peers' | 'watchPeers'>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

interface Failure {
  /** Counts from the last session that was stable. */
  readonly attempt: number
  readonly retryMs: number
  /** Undefined where a session ended. */
  readonly error: unknown
}

export class PeerKeeper {
  readonly #parts: PeerKeeperParts
  readonly #kept = new Map<AgentId, AbortController>()

  constructor(parts: PeerKeeperParts) {
    this.#parts = parts
  }

  get agents(): AgentId[] {
    return [...this.#kept.keys()]
  }

  /** Connects to the peer now and whenever its session has ended. */
  keep(peer: AgentId): void {
    if (this.#kept.has(peer)) return
    const stop = new AbortController()
    this.#kept.set(peer, stop)
    void this.#keepConnected(peer, stop.signal)
  }

  /** Leaves the session as it is, but opens none again. */
  drop(peer: AgentId): void {
    this.#kept.get(peer)?.abort()
    this.#kept.delete(peer)
  }

  close(): void {
    for (const peer of this.agents) this.drop(peer)
  }

  async #keepConnected(peer: AgentId, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#parts
    let attempt = 0
    while (!signal.aborted) {
      const { livedMs, error } = await this.#holdOnce(peer, signal)
      if (signal.aborted) return
      // A peer that accepts and hangs up at once must not be called in a tight loop.
      attempt = livedMs >= stableSessionMs ? 1 : attempt + 1
      const retryMs = Math.round(backoffMs(attempt, random))
      this.#tell(peer, { attempt, retryMs, error })
      await sleep(clock, retryMs, signal).catch(() => {})
    }
  }

  /** One session from its beginning to its end, or the error because of which it never began. */
  async #holdOnce(
    peer: AgentId,
    signal: AbortSignal,
  ): Promise<{ livedMs: number; error?: unknown }> {
    const { clock } = this.#parts
    try {
      await this.#connect(peer, signal)
    } catch (error) {
      return { livedMs: 0, error }
    }
    const sinceMs = clock.monotonicMs()
    await this.#ended(peer, signal)
    return { livedMs: clock.monotonicMs() - sinceMs }
  }

  async #connect(peer: AgentId, signal: AbortSignal): Promise<void> {
    const { agent, clock } = this.#parts
    const stop = new AbortController()
    const work = agent.connect(peer, { signal: AbortSignal.any([signal, stop.signal]) })
    try {
      await withDeadline(work, { clock, timeoutMs: connectAttemptMs, signal, what: 'the attempt' })
    } catch (error) {
      if (error instanceof BaseError) stop.abort(error)
      throw error
    }
  }

  /** Resolves when no session with the peer is open. */
  #ended(peer: AgentId, signal: AbortSignal): Promise<void> {
    const { agent } = this.#parts
    const { promise, resolve } = Promise.withResolvers<void>()
    const isOpen = () => agent.peers().some((info) => info.agent === peer)
    const watch = agent.watchPeers((event) => {
      if (event.kind === 'disconnected' && event.agent === peer && !isOpen()) resolve()
    })
    const onAbort = () => resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    if (!isOpen() || signal.aborted) resolve()
    return promise.finally(() => {
      watch[Symbol.dispose]()
      signal.removeEventListener('abort', onAbort)
    })
  }

  #tell(agent: AgentId, { attempt, retryMs, error }: Failure): void {
    const { logger } = this.#parts
    if (error === undefined) {
      logger.log('info', 'peer-lost', { agent, attempt, retryMs })
      return
    }
    const code = error instanceof MyelinError ? error.code : 'UNKNOWN'
    const reason = error instanceof Error ? error.message : String(error)
    logger.log('warn', 'peer-unreachable', { agent, attempt, retryMs, code, reason })
  }
}
