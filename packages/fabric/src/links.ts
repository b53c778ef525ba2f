// The sessions of an agent, by peer, and the attempts to open more. One attempt per peer at a time, whoever
// asks; several sessions with one peer are fine, the oldest open one is used.

import type { Gate } from '@myelin/guard'
import type { AgentId } from '@myelin/identity'
import type { Session } from '@myelin/session'

export class Link {
  readonly session: Session
  readonly gate: Gate
  readonly handshakeMs: number
  #drain: PromiseWithResolvers<void> | undefined

  constructor(session: Session, gate: Gate, handshakeMs: number) {
    this.session = session
    this.gate = gate
    this.handshakeMs = handshakeMs
  }

  /** Resolves at the session's next drain, or at its end. */
  drained(): Promise<void> {
    this.#drain ??= Promise.withResolvers<void>()
    return this.#drain.promise
  }

  release(): void {
    this.#drain?.resolve()
    this.#drain = undefined
  }
}

export class Links {
  readonly #byAgent = new Map<AgentId, Link[]>()
  readonly #bySession = new Map<Session, Link>()

  get size(): number {
    return this.#bySession.size
  }

  get agents(): AgentId[] {
    return [...this.#byAgent.keys()]
  }

  add(link: Link): void {
    const { agent } = link.session.peer
    this.#bySession.set(link.session, link)
    this.#byAgent.set(agent, [...(this.#byAgent.get(agent) ?? []), link])
  }

  of(session: Session): Link | undefined {
    return this.#bySession.get(session)
  }

  /** An open one. */
  get(agent: AgentId): Link | undefined {
    return this.#byAgent.get(agent)?.find((link) => link.session.isOpen)
  }

  /** Sessions with one peer. */
  count(agent: AgentId): number {
    return this.#byAgent.get(agent)?.length ?? 0
  }

  all(agent?: AgentId): Link[] {
    return agent === undefined
      ? [...this.#bySession.values()]
      : [...(this.#byAgent.get(agent) ?? [])]
  }

  remove(session: Session): Link | undefined {
    const link = this.#bySession.get(session)
    if (link === undefined) return undefined
    this.#bySession.delete(session)
    const { agent } = session.peer
    const rest = (this.#byAgent.get(agent) ?? []).filter((other) => other !== link)
    if (rest.length === 0) this.#byAgent.delete(agent)
    else this.#byAgent.set(agent, rest)
    return link
  }
}
