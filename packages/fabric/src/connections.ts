// The connections of an agent: sessions by peer, how they come about, and how one follows another. What goes over
// them is none of its business: it is told of by the handlers it is given.
//
// One session follows another (R089, R165): from then on new messages wait for the new one, and the old one
// carries the request `handover` behind all that was sent in it. Its answer says that the peer has everything, so
// the new session may begin: nothing is lost or overtaken. The peer does the same in its direction. When both have
// and nothing is under way, whoever dialled the old one ends it (docs/protocol.md §8).

import { emptyBytes } from '@myelin/base'
import type { Guard, SecurityLog } from '@myelin/guard'
import type { AgentId } from '@myelin/identity'
import type { Session, SessionEnvironment, SessionError, SessionHandlers } from '@myelin/session'
import type { StreamTransport } from '@myelin/transport'
import { handoverTypeName } from '@myelin/wire'
import { AddressBook } from './address-book.ts'
import type { PeerTarget, Traffic } from './agent.ts'
import type { CircuitOptions, CircuitState } from './circuit-breaker.ts'
import { type ConnectOptions, Dialer } from './dialer.ts'
import { FabricError } from './errors.ts'
import type { HealthFault } from './health.ts'
import { Keeper, type KeepOptions } from './keeper.ts'
import * as limits from './limits.ts'
import { Link, Links } from './links.ts'
import { addTraffic, infoOf, PeerEvents } from './peer-events.ts'
import { Pool, type PoolOptions } from './pool.ts'

export interface ConnectionParts {
  readonly environment: SessionEnvironment
  readonly guard: Guard
  readonly log: SecurityLog
  readonly transport: Pick<StreamTransport, 'dial'>
  readonly pool: PoolOptions
  readonly circuits: CircuitOptions | undefined
  /** Aborted when the agent closes. */
  readonly closing: AbortSignal
  /** What comes in: everything but the beginning of a session. */
  readonly handlers: SessionHandlers
  /** A session with the peer has begun or ended. */
  changed(agent: AgentId): void
  /** The peer has to be reached, although nothing is under way. */
  isNeeded(agent: AgentId): boolean
  sessionEnded(link: Link): void
}

export class Connections {
  readonly book = new AddressBook()
  readonly links = new Links()
  readonly events: PeerEvents
  readonly pool: Pool
  readonly keeper: Keeper
  readonly #parts: ConnectionParts
  readonly #dialer: Dialer
  /** Callers that wait for a session, by peer: who comes later does not overtake them. */
  readonly #waiting = new Map<AgentId, number>()
  #pastTraffic: Traffic = { messagesSent: 0, messagesReceived: 0, bytesSent: 0, bytesReceived: 0 }

  constructor(parts: ConnectionParts) {
    this.#parts = parts
    const { environment, transport, closing } = parts
    const { clock, random, logger } = environment
    const { book, links } = this
    this.events = new PeerEvents(logger)
    const tell = this.events.tell.bind(this.events)
    this.keeper = new Keeper({
      connect: (agent, signal) => this.link(agent, { signal }, true),
      isOpen: (agent) => links.get(agent) !== undefined,
      clock,
      random,
      tell,
    })
    this.pool = new Pool({
      clock,
      links,
      options: parts.pool,
      isNeeded: (agent) => this.keeper.isKept(agent) || parts.isNeeded(agent),
      replace: (link) => this.#replace(link),
      unhealthy: (link, fault) => this.#unhealthy(link, fault),
      retire: (link) => retire(link),
    })
    this.#dialer = new Dialer({
      environment,
      transport,
      book,
      pool: this.pool,
      circuits: parts.circuits,
      closing,
      tell,
      adoption: (startedMs) => this.adoption(startedMs),
    })
  }

  circuit(agent: AgentId): CircuitState {
    return this.#dialer.circuit(agent)
  }

  traffic(): Traffic {
    return this.links
      .all()
      .reduce((sum, link) => addTraffic(sum, link.session.stats), this.#pastTraffic)
  }

  /** The way without a promise, for a peer that we talk to already and name by its id. */
  openLink(to: PeerTarget): Link | undefined {
    const link = this.links.get(to as AgentId)
    if (link === undefined || link.after !== undefined) return undefined
    if (this.#waiting.size > 0 && this.#waiting.has(to as AgentId)) return undefined
    this.pool.reused += 1
    return link
  }

  /** Uses a session as soon as there is one, in the order of the calls. */
  async through<Value>(
    agent: AgentId,
    options: ConnectOptions,
    use: (link: Link) => Value,
  ): Promise<Value> {
    this.#waiting.set(agent, (this.#waiting.get(agent) ?? 0) + 1)
    try {
      return use(await this.link(agent, options))
    } finally {
      const left = (this.#waiting.get(agent) ?? 1) - 1
      if (left > 0) this.#waiting.set(agent, left)
      else this.#waiting.delete(agent)
    }
  }

  /** A session with the agent. Who asks (rather than sends) is not held up by an open circuit. */
  async link(agent: AgentId, options: ConnectOptions, isAsked = false): Promise<Link> {
    this.#parts.closing.throwIfAborted()
    for (;;) {
      const open = this.links.get(agent)
      const link = open ?? (await this.#dialer.link(agent, options, isAsked))
      if (link.after === undefined) return link
      await link.after
      options.signal?.throwIfAborted()
      if (link.session.isOpen) return link
    }
  }

  /** Throws `FABRIC_PEER_UNKNOWN`. */
  keep(agent: AgentId, options?: KeepOptions): Disposable {
    this.#parts.closing.throwIfAborted()
    this.requireReachable(agent)
    return this.keeper.keep(agent, options)
  }

  /** Throws `FABRIC_PEER_UNKNOWN` for a peer without a session and without an address. */
  requireReachable(agent: AgentId): void {
    if (this.links.any(agent) === undefined && !this.#hasAddress(agent)) {
      const message = `no address of ${agent} is known; give one that ends in /p2p/${agent}`
      throw new FabricError('FABRIC_PEER_UNKNOWN', message, { kind: 'usage' })
    }
  }

  #hasAddress(agent: AgentId): boolean {
    return (this.book.get(agent)?.addresses.length ?? 0) > 0
  }

  /** Handlers that make a link of their session before its first message is dispatched. */
  adoption(startedMs: number): { promise: Promise<Link>; adopt: SessionHandlers } {
    const { environment, guard, handlers } = this.#parts
    const { promise, resolve } = Promise.withResolvers<Link>()
    const opened = (session: Session) => {
      const { agent } = session.peer
      if (!session.isInitiator && this.links.count(agent) >= limits.sessionsOfPeerMax) {
        void session.close('SESSION_GOING_AWAY', 'too many sessions')
        return
      }
      const openedMs = environment.clock.monotonicMs()
      const handshakeMs = openedMs - startedMs
      const link = new Link(session, guard.gate(agent, session.roles), { handshakeMs, openedMs })
      // A session that is being replaced, by us or by the peer, hands over before anything is sent in this one.
      this.links.add(link)
      this.pool.opened()
      for (const other of this.links.all(agent))
        if (other.isReplaced && !other.isRetiring) this.#handOver(other)
      this.#dialer.arrived(agent, link)
      this.book.learnRecord(session.peer)
      const attempt = this.keeper.attempt(agent)
      const { isResumed } = session
      this.events.tell({ kind: 'connected', peer: infoOf(link), handshakeMs, isResumed, attempt })
      resolve(link)
      this.#parts.changed(agent)
    }
    const closed = (error: SessionError, session: Session) => this.#ended(session, error)
    return { promise, adopt: { ...handlers, opened, closed } }
  }

  /** The peer says that nothing new of it follows in the session, and has something better. */
  leftByPeer(link: Link): void {
    link.isLeftByPeer = true
    if (link.isRetiring) retire(link)
    else this.#handOver(link)
  }

  close(): void {
    this.keeper.close()
    this.pool.close()
  }

  #ended(session: Session, error: SessionError): void {
    const link = this.links.remove(session)
    if (link === undefined) return
    link.release()
    this.#pastTraffic = addTraffic(this.#pastTraffic, session.stats)
    const { agent } = session.peer
    this.#parts.sessionEnded(link)
    if (error.kind === 'protocol') {
      const detail = `${error.code}: ${error.message}`
      this.#parts.log.record({ kind: 'session-broken', severity: 'alert', agent, detail })
    }
    this.events.tell({ kind: 'disconnected', agent, code: error.code, reason: error.message })
    this.pool.ended()
    if (this.links.get(agent) === undefined) this.keeper.ended(agent, error.code, error.message)
    this.#parts.changed(agent)
  }

  #replace(link: Link): void {
    if (this.#handOver(link)) return
    this.#dialer.succeed(link.session.peer.agent).catch(() => {
      // It stays in use; the next look at it tries again.
      if (!link.isUnhealthy) link.isReplaced = link.isLeftByPeer
    })
  }

  #unhealthy(link: Link, fault: HealthFault): void {
    const { clock } = this.#parts.environment
    const { agent } = link.session.peer
    const { roundTripMs } = link.health
    const canDial = this.#hasAddress(agent)
    // Where we cannot call the peer, a bad session is better than none.
    link.isUnhealthy = canDial
    this.events.tell({ kind: 'unhealthy', agent, fault, roundTripMs })
    if (!canDial) return
    this.#replace(link)
    clock.setTimer(limits.handoverUnhealthyMs, () => {
      if (link.session.isOpen) void link.session.close('SESSION_GOING_AWAY', `unhealthy: ${fault}`)
    })
  }

  /**
   * From now on new messages wait until the peer has everything of `old`, then take another session. False: there
   * is no other yet.
   */
  #handOver(old: Link): boolean {
    const { agent } = old.session.peer
    old.isReplaced = true
    old.isRetiring = true
    const next = this.links.get(agent)
    if (next === undefined || next.isRetiring) {
      old.isRetiring = false
      return false
    }
    const timeoutMs = old.isUnhealthy ? limits.handoverUnhealthyMs : limits.handoverMs
    // The last of all: behind what is queued with any priority.
    const done = old.session
      .request(handoverTypeName, emptyBytes, { timeoutMs, priority: 'low' })
      .then(
        () => {
          old.isLeft = true
          retire(old)
        },
        (error: SessionError) => {
          if (old.session.isOpen)
            void old.session.close('SESSION_GOING_AWAY', `no handover: ${error.code}`)
        },
      )
    const { after = Promise.resolve() } = next
    const ready = after.then(() => done)
    next.after = ready
    void ready.then(() => {
      if (next.after === ready) next.after = undefined
      this.#parts.changed(agent)
    })
    return true
  }
}

/** Ends a session that both sides have left, once nothing is under way in it. */
function retire(link: Link): void {
  const { session, isLeft, isLeftByPeer, isQuiet } = link
  if (session.isInitiator && session.isOpen && isLeft && isLeftByPeer && isQuiet)
    void session.close('SESSION_GOING_AWAY', 'replaced')
}
