// The agent behind its interface: sessions on demand over whatever transport an address names, messages
// through guard and dispatcher, everything bounded, everything ended in order.

import { describeError, withDeadline } from '@myelin/base'
import type { Guard, SecurityLog } from '@myelin/guard'
import type { AgentId } from '@myelin/identity'
import {
  type Admission,
  acceptSession,
  type Candidate,
  priorities,
  RequestFailure,
  type RequestOptions,
  refuseStream,
  type Session,
  type SessionEnvironment,
  type SessionError,
  type SessionHandlers,
  type SessionStream,
} from '@myelin/session'
import type { ByteStream, Listener, StreamTransport } from '@myelin/transport'
import { type MessageTypes, messageCreditBytes } from '@myelin/wire'
import { AddressBook, type KnownPeer } from './address-book.ts'
import type {
  Agent,
  BroadcastOutcome,
  DeliveryOptions,
  Handler,
  PeerEvent,
  PeerInfo,
  PeerTarget,
  Received,
  Traffic,
} from './agent.ts'
import type { CircuitState } from './circuit-breaker.ts'
import { type ConnectOptions, Dialer } from './dialer.ts'
import { type DispatchCounts, Dispatcher } from './dispatcher.ts'
import { Doorway, type DoorwayCounts } from './doorway.ts'
import { FabricError, failureOfNumber } from './errors.ts'
import * as limits from './limits.ts'
import { Link, Links } from './links.ts'

export interface FabricParts {
  readonly name: string
  readonly environment: SessionEnvironment
  readonly guard: Guard
  readonly log: SecurityLog
  readonly types: MessageTypes
  /** Picks the transport by the address. */
  readonly transport: Pick<StreamTransport, 'dial' | 'listen' | 'handles'>
  readonly sessionsMax?: number
  readonly handshakesPendingMax?: number
}

export class Fabric implements Agent {
  readonly id: AgentId
  readonly name: string
  readonly types: MessageTypes
  readonly #parts: FabricParts
  readonly #book = new AddressBook()
  readonly #links = new Links()
  readonly #dispatcher: Dispatcher
  readonly #dialer: Dialer
  readonly #listeners: Listener[] = []
  readonly #watchers = new Set<(event: PeerEvent) => void>()
  readonly #handlers: SessionHandlers
  readonly #closing = new AbortController()
  readonly #doorway: Doorway
  /** As the parts', with a bound on what may come in. */
  readonly #accepting: SessionEnvironment
  #pastTraffic: Traffic = { messagesSent: 0, messagesReceived: 0, bytesSent: 0, bytesReceived: 0 }
  #closed: Promise<void> | undefined

  constructor(parts: FabricParts) {
    this.#parts = parts
    this.id = parts.environment.keys.agent
    this.name = parts.name
    this.types = parts.types
    const { environment, handshakesPendingMax = limits.handshakesPendingMax } = parts
    this.#dialer = new Dialer({
      environment,
      transport: parts.transport,
      book: this.#book,
      closing: this.#closing.signal,
      adoption: (startedMs) => this.#adoption(startedMs),
    })
    this.#doorway = new Doorway({
      clock: environment.clock,
      silentMax: limits.connectionsSilentMax,
      pendingMax: handshakesPendingMax,
    })
    this.#accepting = { ...environment, authorize: (candidate) => this.#authorize(candidate) }
    this.#dispatcher = new Dispatcher({
      types: parts.types,
      log: parts.log,
      logger: parts.environment.logger,
      held: {
        messages: Math.ceil(environment.dataWindowBytes / messageCreditBytes),
        bytes: environment.dataWindowBytes + priorities.length * environment.messageBytesMax,
      },
    })
    this.#handlers = {
      message: (message, session) => {
        const link = this.#links.of(session)
        if (link === undefined) message.release()
        else this.#dispatcher.dispatch(message, session.peer.agent, link.gate)
      },
      stream: (stream, session) => {
        const link = this.#links.of(session)
        if (link === undefined) stream.reset()
        else this.#dispatcher.dispatchStream(stream, session.peer.agent, link.gate)
      },
      drain: (session) => this.#links.of(session)?.release(),
      closed: (error, session) => this.#sessionEnded(session, error),
    }
  }

  get addresses(): readonly string[] {
    return this.#listeners
      .flatMap((listener) => listener.addresses)
      .map((address) => `${address}/p2p/${this.id}`)
  }

  /** Whether messages may cause an attempt at a session with the peer. */
  circuit(agent: AgentId): CircuitState {
    return this.#dialer.circuit(agent)
  }

  /** Messages by what became of them. */
  get counts(): Readonly<DispatchCounts> {
    return this.#dispatcher.counts
  }

  /** Connections that are not sessions yet. */
  get doorway(): DoorwayCounts {
    return this.#doorway.counts
  }

  /** Opens a door. */
  async listen(address: string): Promise<void> {
    this.#requireOpen()
    this.#listeners.push(
      await this.#parts.transport.listen(address, (stream) => void this.#accept(stream)),
    )
  }

  /** Tells where a peer is, without connecting. */
  learn(peer: KnownPeer): void {
    this.#book.learn(peer)
  }

  /** What is known of where a peer is. */
  known(agent: AgentId): KnownPeer | undefined {
    return this.#book.get(agent)
  }

  /** The agent that a target means. Throws `FABRIC_PEER_UNKNOWN`. */
  resolve(to: PeerTarget): AgentId {
    return this.#book.resolve(to)
  }

  handle(type: string, handler: Handler<never>): Disposable {
    return this.#dispatcher.handle(type, handler as Handler<unknown>)
  }

  handleStream(
    type: string,
    handler: (stream: SessionStream, from: AgentId) => unknown,
  ): Disposable {
    return this.#dispatcher.handleStream(type, handler)
  }

  messages(type: string): AsyncIterableIterator<Received<never>> {
    return this.#dispatcher.read(type) as AsyncIterableIterator<Received<never>>
  }

  async send(
    to: PeerTarget,
    type: string,
    payload: unknown,
    options: DeliveryOptions = {},
  ): Promise<void> {
    const bytes = this.#encode(type, payload)
    const link = this.#openLink(to) ?? (await this.#link(to, options))
    this.#requireAllowed(link, type)
    if (!link.session.post(type, bytes, options)) await this.#room(link, options.signal)
  }

  async request(
    to: PeerTarget,
    type: string,
    payload: unknown,
    options: DeliveryOptions & RequestOptions = {},
  ): Promise<Received> {
    const bytes = this.#encode(type, payload)
    const link = this.#openLink(to) ?? (await this.#link(to, options))
    this.#requireAllowed(link, type)
    try {
      const response = await link.session.request(type, bytes, options)
      const decoded = this.types.get(response.type)?.decode(response.payload)
      if (decoded?.ok !== true) {
        const fault = decoded?.fault ?? 'its type is not registered'
        throw new FabricError(
          'FABRIC_PAYLOAD',
          `the answer of type ${response.type} cannot be read: ${fault}`,
        )
      }
      const { kind, timestampMs, priority } = response
      return {
        type: response.type,
        payload: decoded.value,
        from: link.session.peer.agent,
        kind,
        timestampMs,
        priority,
      }
    } catch (error) {
      throw error instanceof RequestFailure ? failureOf(error, type) : error
    }
  }

  async stream(to: PeerTarget, type: string): Promise<SessionStream> {
    const link = this.#openLink(to) ?? (await this.#link(to, {}))
    this.#requireAllowed(link, type)
    return link.session.openStream(type)
  }

  async broadcast(
    type: string,
    payload: unknown,
    options: DeliveryOptions = {},
  ): Promise<BroadcastOutcome> {
    const bytes = this.#encode(type, payload)
    const delivered: AgentId[] = []
    const failed: { agent: AgentId; reason: string }[] = []
    const attempt = async (agent: AgentId) => {
      try {
        const link = this.#links.get(agent)
        if (link === undefined)
          throw new FabricError('FABRIC_UNREACHABLE', 'the session is closing')
        this.#requireAllowed(link, type)
        if (!link.session.post(type, bytes, options)) await this.#room(link, options.signal)
        delivered.push(agent)
      } catch (error) {
        failed.push({ agent, reason: describeError(error) })
      }
    }
    await Promise.all(this.#links.agents.map(attempt))
    return { delivered, failed }
  }

  async connect(to: PeerTarget, options: ConnectOptions = {}): Promise<PeerInfo> {
    return infoOf(await this.#link(to, options, true))
  }

  async disconnect(agent: AgentId): Promise<void> {
    await Promise.all(this.#links.all(agent).map((link) => link.session.close()))
  }

  peers(): PeerInfo[] {
    return this.#links.agents.flatMap((agent) => {
      const link = this.#links.get(agent)
      return link === undefined ? [] : [infoOf(link)]
    })
  }

  async ping(to: PeerTarget): Promise<number> {
    const link = await this.#link(to, {})
    return await link.session.ping()
  }

  traffic(): Traffic {
    return this.#links
      .all()
      .reduce((sum, link) => addTraffic(sum, link.session.stats), this.#pastTraffic)
  }

  watchPeers(listener: (event: PeerEvent) => void): Disposable {
    this.#watchers.add(listener)
    return { [Symbol.dispose]: () => void this.#watchers.delete(listener) }
  }

  close({ drainMs = 10_000 }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#shutDown(drainMs)
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #shutDown(drainMs: number): Promise<void> {
    this.#closing.abort(
      new FabricError('FABRIC_CLOSED', 'the agent is closed; create another', { kind: 'usage' }),
    )
    this.#doorway.close(this.#closing.signal.reason)
    await Promise.all(this.#listeners.map((listener) => listener.close()))
    const { clock } = this.#parts.environment
    await withDeadline(this.#dispatcher.idle(), {
      clock,
      timeoutMs: drainMs,
      what: 'the drain',
    }).catch(() => {})
    await Promise.all(this.#links.all().map((link) => link.session.close('SESSION_GOING_AWAY')))
    this.#dispatcher.close()
  }

  // ── Sessions ───────────────────────────────────────────────────────────────────────────────────────────

  /** The way without a promise, for a peer that we talk to already and name by its id. */
  #openLink(to: PeerTarget): Link | undefined {
    return this.#links.get(to as AgentId)
  }

  async #link(to: PeerTarget, options: ConnectOptions, isAsked = false): Promise<Link> {
    this.#requireOpen()
    const agent = this.#book.resolve(to)
    if (agent === this.id) {
      throw new FabricError(
        'FABRIC_PEER_UNKNOWN',
        'an agent does not connect to itself; name another',
        { kind: 'usage' },
      )
    }
    const open = this.#links.get(agent)
    if (open !== undefined) return open
    return await this.#dialer.link(agent, options, isAsked)
  }

  async #accept(stream: ByteStream): Promise<void> {
    const { environment } = this.#parts
    if (this.#isFull || this.#closing.signal.aborted) {
      this.#parts.log.record({
        kind: 'session-refused',
        severity: 'warning',
        detail: `busy: ${stream.remoteAddress}`,
      })
      refuseStream(stream, 'SESSION_BUSY', environment)
      return
    }
    const caller = this.#doorway.enter(stream)
    try {
      const { adopt } = this.#adoption(environment.clock.monotonicMs())
      await acceptSession(stream, this.#accepting, {
        handlers: adopt,
        signal: caller.signal,
        greeted: caller.greet,
        admitted: caller.admit,
      })
    } catch (error) {
      const detail = `${(error as SessionError).code} ${stream.remoteAddress}`
      this.#parts.log.record({ kind: 'handshake-refused', severity: 'warning', detail })
    } finally {
      caller.leave()
    }
  }

  get #isFull(): boolean {
    const { sessionsMax = limits.sessionsMax } = this.#parts
    return this.#links.size + this.#doorway.counts.admitted >= sessionsMax
  }

  /** Before anybody is asked, and before a token is spent: is there room at all? */
  #authorize(candidate: Candidate): Admission | Promise<Admission> {
    const isTooMany = this.#links.count(candidate.peer.agent) >= limits.sessionsOfPeerMax
    if (this.#isFull || isTooMany) return { isAdmitted: false, code: 'SESSION_BUSY' }
    return this.#parts.environment.authorize(candidate)
  }

  /** Handlers that make a link of their session before its first message is dispatched. */
  #adoption(startedMs: number): { promise: Promise<Link>; adopt: SessionHandlers } {
    const { promise, resolve } = Promise.withResolvers<Link>()
    const opened = (session: Session) => {
      const { agent } = session.peer
      if (!session.isInitiator && this.#links.count(agent) >= limits.sessionsOfPeerMax) {
        void session.close('SESSION_GOING_AWAY', 'too many sessions')
        return
      }
      const handshakeMs = this.#parts.environment.clock.monotonicMs() - startedMs
      const gate = this.#parts.guard.gate(session.peer.agent, session.roles)
      const link = new Link(session, gate, handshakeMs)
      this.#links.add(link)
      this.#dialer.arrived(agent, link)
      this.#book.learnRecord(session.peer)
      this.#tell({ kind: 'connected', peer: infoOf(link), handshakeMs })
      resolve(link)
    }
    return { promise, adopt: { ...this.#handlers, opened } }
  }

  #sessionEnded(session: Session, error: SessionError): void {
    const link = this.#links.remove(session)
    if (link === undefined) return
    link.release()
    this.#pastTraffic = addTraffic(this.#pastTraffic, session.stats)
    const { agent } = session.peer
    const isFault = error.kind === 'protocol'
    if (isFault)
      this.#parts.log.record({
        kind: 'session-broken',
        severity: 'alert',
        agent,
        detail: `${error.code}: ${error.message}`,
      })
    this.#tell({ kind: 'disconnected', agent, code: error.code, reason: error.message })
  }

  #tell(event: PeerEvent): void {
    const { logger } = this.#parts.environment
    if (event.kind === 'connected') {
      const { agent, name, direction, transport, security } = event.peer
      const handshakeMs = Math.round(event.handshakeMs * 100) / 100
      logger.log('info', 'peer-connected', {
        agent,
        name,
        direction,
        transport,
        security,
        handshakeMs,
      })
    } else
      logger.log('info', 'peer-disconnected', {
        agent: event.agent,
        code: event.code,
        reason: event.reason,
      })
    for (const watcher of this.#watchers) watcher(event)
  }

  // ── Small things ───────────────────────────────────────────────────────────────────────────────────────

  #encode(type: string, payload: unknown): Uint8Array {
    const codec = this.types.get(type)
    if (codec !== undefined) return codec.encode(payload)
    throw new FabricError(
      'FABRIC_TYPE_UNKNOWN',
      `message type "${type}" is not registered; add it with agent.types.register`,
      { kind: 'usage' },
    )
  }

  #requireAllowed(link: Link, type: string): void {
    if (link.gate.outgoing(type) === 'allowed') return
    const { agent } = link.session.peer
    const roles = link.session.roles.join(', ') || 'no role'
    throw new FabricError(
      'FABRIC_FORBIDDEN',
      `${agent} (${roles}) may not receive "${type}"; change its roles or the policy`,
    )
  }

  async #room(link: Link, signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.#parts.environment
    await withDeadline(link.drained(), { clock, signal, what: 'the peer to read' })
  }

  #requireOpen(): void {
    this.#closing.signal.throwIfAborted()
  }
}

function infoOf({ session }: Link): PeerInfo {
  const { peer, roles, transport, remoteAddress, pattern, agreement, stats } = session
  return {
    agent: peer.agent,
    name: peer.name,
    roles,
    transport,
    remoteAddress,
    direction: session.isInitiator ? 'out' : 'in',
    security: `${pattern} ${agreement.suite} ${agreement.compression}`,
    stats,
  }
}

function addTraffic(a: Traffic, b: Traffic): Traffic {
  return {
    messagesSent: a.messagesSent + b.messagesSent,
    messagesReceived: a.messagesReceived + b.messagesReceived,
    bytesSent: a.bytesSent + b.bytesSent,
    bytesReceived: a.bytesReceived + b.bytesReceived,
  }
}

function failureOf(failure: RequestFailure, type: string): FabricError {
  const code = failureOfNumber(failure.remoteCode)
  return new FabricError(code, `the peer did not answer "${type}": ${failure.remoteMessage}`, {
    cause: failure,
    kind: 'recoverable',
  })
}
