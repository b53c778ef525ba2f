// The sessions of an agent, by peer. Several with one peer are fine: the oldest that is in use gets the messages.
// One that hands over to its successor, or that is unhealthy, gets none any more.

import type { Gate } from '@myelin/guard'
import type { AgentId } from '@myelin/identity'
import type { Session } from '@myelin/session'
import { Health } from './health.ts'

export class Link {
  readonly session: Session
  readonly gate: Gate
  readonly handshakeMs: number
  readonly openedMs: number
  readonly health = new Health()
  /** When the session was last seen to have done something. */
  activeMs: number
  /** What it had done by then. */
  activity = -1
  /** A successor is sought, by us or by the peer. */
  isReplaced = false
  /** Its successor gets the messages. */
  isRetiring = false
  /** The peer has said that it sends nothing new here. */
  isLeftByPeer = false
  /** We send nothing new here, and the peer has everything. */
  isLeft = false
  isUnhealthy = false
  /** Channels and groups of datagrams, which would end with the session. */
  datagramUses = 0
  /** Settles when the session that this one follows has given everything to the peer. */
  after: Promise<void> | undefined
  #drain: PromiseWithResolvers<void> | undefined

  constructor(session: Session, gate: Gate, times: { handshakeMs: number; openedMs: number }) {
    this.session = session
    this.gate = gate
    this.handshakeMs = times.handshakeMs
    this.openedMs = times.openedMs
    this.activeMs = times.openedMs
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

  /** Nothing is under way in either direction. */
  get isQuiet(): boolean {
    const { streamsOpen, requestsPending, queuedBytes, heldBytes } = this.session.stats
    const isUsed = streamsOpen > 0 || requestsPending > 0 || this.datagramUses > 0
    return !isUsed && queuedBytes === 0 && heldBytes === 0
  }

  /** Notes what the session has done since the last time. */
  observe(nowMs: number): void {
    const { messagesSent, messagesReceived, streamsOpen } = this.session.stats
    const activity = messagesSent + messagesReceived
    if (activity !== this.activity || streamsOpen > 0 || !this.isQuiet) this.activeMs = nowMs
    this.activity = activity
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

  /** The one that new messages take. */
  get(agent: AgentId): Link | undefined {
    const links = this.#byAgent.get(agent)
    if (links === undefined) return undefined
    let retiring: Link | undefined
    for (const link of links) {
      if (!link.session.isOpen || link.isUnhealthy) continue
      if (!link.isRetiring) return link
      retiring = link
    }
    // Its successor is gone: it is still as good as it was.
    return retiring
  }

  /** Any open one, for what must reach the peer whatever way. */
  any(agent: AgentId): Link | undefined {
    return this.get(agent) ?? this.#byAgent.get(agent)?.find((link) => link.session.isOpen)
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

  /** Open sessions that we dialled, but those whose successors are counted. */
  get dialled(): Link[] {
    return this.all().filter((link) => link.session.isInitiator && !link.isRetiring)
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
