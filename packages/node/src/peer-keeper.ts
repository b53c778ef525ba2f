// The peers that a daemon keeps connected (R040: the configured ones, those of joined swarms, and no others). How
// they are kept is fabric's affair.

import { describeError, type Logger } from '@myelin/base'
import type { Agent } from '@myelin/fabric'
import type { AgentId } from '@myelin/identity'

export interface PeerKeeperParts {
  readonly agent: Pick<Agent, 'keep'>
  readonly logger: Logger
}

export class PeerKeeper {
  readonly #parts: PeerKeeperParts
  readonly #kept = new Map<AgentId, Disposable>()

  constructor(parts: PeerKeeperParts) {
    this.#parts = parts
  }

  get agents(): AgentId[] {
    return [...this.#kept.keys()]
  }

  /** Connects to the peer now and whenever its session has ended. */
  keep(peer: AgentId): void {
    if (this.#kept.has(peer)) return
    const { agent, logger } = this.#parts
    try {
      this.#kept.set(peer, agent.keep(peer))
    } catch (error) {
      // A peer without an address must not keep the others from being called.
      logger.log('warn', 'peer-unreachable', { agent: peer, reason: describeError(error) })
    }
  }

  /** Leaves the session as it is, but opens none again. */
  drop(peer: AgentId): void {
    this.#kept.get(peer)?.[Symbol.dispose]()
    this.#kept.delete(peer)
  }

  close(): void {
    for (const peer of this.agents) this.drop(peer)
  }
}
