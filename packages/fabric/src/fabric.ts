// The agent behind its interface: messages through guard and dispatcher, over the sessions of `Connections`, in at
// the doors of `Reception`; acknowledged ones through `DeliverySender` and `DeliveryReceiver`.

import { describeError, withDeadline } from '@myelin/base'
import type { Guard, SecurityLog } from '@myelin/guard'
import type { AgentId } from '@myelin/identity'
import {
  priorities,
  type RequestOptions,
  type SessionEnvironment,
  type SessionStream,
  suiteCiphers,
} from '@myelin/session'
import type { DatagramTransport, StreamTransport } from '@myelin/transport'
import { type MessageTypes, messageCreditBytes } from '@myelin/wire'
import type { KnownPeer } from './address-book.ts'
import type {
  Agent,
  BroadcastOutcome,
  DeliveryOptions,
  Handler,
  PeerEvent,
  PeerInfo,
  PeerTarget,
  Received,
  SendOptions,
  Traffic,
} from './agent.ts'
import type { CircuitOptions, CircuitState } from './circuit-breaker.ts'
import { Connections } from './connections.ts'
import { Datagrams } from './datagrams/datagrams.ts'
import type {
  DatagramChannel,
  GroupOptions,
  MulticastGroup,
  OwnedGroup,
} from './datagrams/ports.ts'
import { type DeliveryCounts, DeliveryReceiver } from './delivery-receiver.ts'
import { DeliverySender, type OutboxOptions } from './delivery-sender.ts'
import type { ConnectOptions } from './dialer.ts'
import { type DispatchCounts, Dispatcher } from './dispatcher.ts'
import type { DoorwayCounts } from './doorway.ts'
import { FabricError } from './errors.ts'
import { intake } from './intake.ts'
import type { KeepOptions } from './keeper.ts'
import * as limits from './limits.ts'
import type { Link } from './links.ts'
import { infoOf } from './peer-events.ts'
import type { PoolOptions, PoolStats } from './pool.ts'
import { answerTo, ask, batchesOf, post, postMany, requireAllowed } from './posting.ts'
import { Reception } from './reception.ts'

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
  readonly pool?: PoolOptions
  readonly circuits?: CircuitOptions
  readonly delivery?: OutboxOptions
  /** Carries datagrams; without it there are none. */
  readonly datagramTransport?: DatagramTransport
  /** Largest datagram that is sent and accepted. */
  readonly datagramBytesMax?: number
}

export interface DeliveryStats extends DeliveryCounts {
  /** Messages of ours that are not acknowledged yet, and their bytes. */
  readonly pending: number
  readonly pendingBytes: number
}

export class Fabric implements Agent {
  readonly id: AgentId
  readonly name: string
  readonly types: MessageTypes
  readonly #parts: FabricParts
  readonly #connections: Connections
  readonly #reception: Reception
  readonly #dispatcher: Dispatcher
  readonly #deliverySender: DeliverySender
  readonly #deliveryReceiver: DeliveryReceiver
  readonly #datagrams: Datagrams
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  constructor(parts: FabricParts) {
    this.#parts = parts
    const { environment, log, guard, transport, types, pool = {}, circuits } = parts
    this.id = environment.keys.agent
    this.name = parts.name
    this.types = types
    const { clock, random, logger, dataWindowBytes, messageBytesMax } = environment
    const closing = this.#closing.signal
    this.#dispatcher = new Dispatcher({
      types,
      log,
      logger,
      held: {
        messages: Math.ceil(dataWindowBytes / messageCreditBytes),
        bytes: dataWindowBytes + priorities.length * messageBytesMax,
      },
    })
    this.#deliverySender = new DeliverySender({
      clock,
      random,
      options: parts.delivery ?? {},
      link: (agent) => this.#connections.links.get(agent),
      keep: (agent) => this.#connections.keeper.keep(agent),
      requireAllowed,
    })
    this.#deliveryReceiver = new DeliveryReceiver({
      clock,
      log,
      link: (agent) => this.#connections.links.any(agent),
      dispatch: (message, from, { gate }) => this.#dispatcher.dispatch(message, from, gate),
    })
    this.#datagrams = new Datagrams(
      {
        clock,
        random,
        logger,
        log,
        types,
        transport: parts.datagramTransport,
        bytesMax: parts.datagramBytesMax,
        suite: suiteCiphers[environment.abilities.suites[0] ?? 'chacha20-poly1305'][0],
      },
      this.id,
    )
    this.#connections = new Connections({
      environment,
      guard,
      log,
      transport,
      pool,
      circuits,
      closing,
      handlers: intake({
        log,
        dispatcher: this.#dispatcher,
        sender: this.#deliverySender,
        receiver: this.#deliveryReceiver,
        datagrams: this.#datagrams,
        connections: () => this.#connections,
      }),
      changed: (agent) => this.#deliverySender.pump(agent),
      isNeeded: (agent) => this.#deliverySender.hasPending(agent),
      sessionEnded: (link) => this.#datagrams.sessionEnded(link),
    })
    this.#reception = new Reception({
      environment,
      log,
      transport,
      links: this.#connections.links,
      closing,
      sessionsMax: parts.sessionsMax ?? limits.sessionsMax,
      handshakesPendingMax: parts.handshakesPendingMax ?? limits.handshakesPendingMax,
      adoption: (startedMs) => this.#connections.adoption(startedMs),
    })
  }

  get addresses(): readonly string[] {
    return this.#reception.addresses.map((address) => `${address}/p2p/${this.id}`)
  }

  /** Whether messages may cause an attempt at a session with the peer. */
  circuit(agent: AgentId): CircuitState {
    return this.#connections.circuit(agent)
  }

  /** Messages by what became of them. */
  get counts(): Readonly<DispatchCounts> {
    return this.#dispatcher.counts
  }

  /** Acknowledged messages: what waits for its peer, and what has come in. */
  get deliveryCounts(): DeliveryStats {
    const { messages, bytes } = this.#deliverySender.pending
    return { ...this.#deliveryReceiver.counts, pending: messages, pendingBytes: bytes }
  }

  /** Connections that are not sessions yet. */
  get doorway(): DoorwayCounts {
    return this.#reception.counts
  }

  /** Opens a door. */
  async listen(address: string): Promise<void> {
    this.#requireOpen()
    if (this.#datagrams.handles(address)) await this.#datagrams.bind(address)
    else await this.#reception.listen(address)
  }

  get datagramAddresses(): readonly string[] {
    return this.#datagrams.addresses
  }

  async datagrams(
    to: PeerTarget,
    { type = 'data', signal }: { type?: string; signal?: AbortSignal } = {},
  ): Promise<DatagramChannel<never>> {
    const channel = await this.#through(to, { signal }, (link) =>
      this.#datagrams.open(link, type, signal),
    )
    // The codec of the type vouches for the payload.
    return channel as unknown as DatagramChannel<never>
  }

  handleDatagrams(type: string, handler: (channel: DatagramChannel<never>) => void): Disposable {
    return this.#datagrams.handle(type, handler as (channel: DatagramChannel) => void)
  }

  async multicastGroup(options: GroupOptions): Promise<OwnedGroup<never>> {
    this.#requireOpen()
    const group = await this.#datagrams.createGroup(options)
    return group as unknown as OwnedGroup<never>
  }

  async joinMulticastGroup(
    owner: PeerTarget,
    name: string,
    options: { isListener?: boolean; signal?: AbortSignal } = {},
  ): Promise<MulticastGroup<never>> {
    const { signal } = options
    const group = await this.#through(owner, { signal }, (link) =>
      this.#datagrams.joinGroup(link, name, options),
    )
    return group as unknown as MulticastGroup<never>
  }

  /** Tells where a peer is, without connecting. */
  learn(peer: KnownPeer): void {
    this.#connections.book.learn(peer)
  }

  /** What is known of where a peer is. */
  known(agent: AgentId): KnownPeer | undefined {
    return this.#connections.book.get(agent)
  }

  /** The agent that a target means. Throws `FABRIC_PEER_UNKNOWN`. */
  resolve(to: PeerTarget): AgentId {
    return this.#connections.book.resolve(to)
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
    options: SendOptions = {},
  ): Promise<void> {
    const bytes = this.#encode(type, payload)
    if (options.delivery === 'at-least-once') {
      await this.#sendAcknowledged(to, type, bytes, options)
      return
    }
    const link = this.#connections.openLink(to)
    if (link === undefined) await this.#postLater(to, type, bytes, options)
    else if (!post(link, type, bytes, options)) await this.#room(link, options.signal)
  }

  async sendMany(
    to: PeerTarget,
    type: string,
    payloads: readonly unknown[],
    options: DeliveryOptions = {},
  ): Promise<void> {
    for (const batch of batchesOf(payloads.map((payload) => this.#encode(type, payload)))) {
      options.signal?.throwIfAborted()
      const open = this.#connections.openLink(to)
      const full =
        open === undefined
          ? await this.#through(to, options, (link) => postMany(link, type, batch, options))
          : postMany(open, type, batch, options)
      if (full !== undefined) await this.#room(full, options.signal)
    }
  }

  async request(
    to: PeerTarget,
    type: string,
    payload: unknown,
    options: DeliveryOptions & RequestOptions = {},
  ): Promise<Received> {
    const bytes = this.#encode(type, payload)
    const open = this.#connections.openLink(to)
    const question =
      open === undefined
        ? await this.#through(to, options, (link) => ask(link, type, bytes, options))
        : ask(open, type, bytes, options)
    return await answerTo(question, this.types)
  }

  async stream(to: PeerTarget, type: string): Promise<SessionStream> {
    return await this.#through(to, {}, (link) => {
      requireAllowed(link, type)
      return link.session.openStream(type)
    })
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
        if (this.#connections.links.get(agent) === undefined)
          throw new FabricError('FABRIC_UNREACHABLE', 'the session is closing')
        const link = this.#connections.openLink(agent)
        if (link === undefined) await this.#postLater(agent, type, bytes, options)
        else if (!post(link, type, bytes, options)) await this.#room(link, options.signal)
        delivered.push(agent)
      } catch (error) {
        failed.push({ agent, reason: describeError(error) })
      }
    }
    await Promise.all(this.#connections.links.agents.map(attempt))
    return { delivered, failed }
  }

  async connect(to: PeerTarget, options: ConnectOptions = {}): Promise<PeerInfo> {
    return infoOf(await this.#connections.link(this.#other(to), options, true))
  }

  keep(to: PeerTarget, options: KeepOptions = {}): Disposable {
    return this.#connections.keep(this.#other(to), options)
  }

  async disconnect(agent: AgentId): Promise<void> {
    const links = this.#connections.links.all(agent)
    await Promise.all(links.map((link) => link.session.close()))
  }

  peers(): PeerInfo[] {
    const { links } = this.#connections
    return links.agents.flatMap((agent) => {
      const link = links.any(agent)
      return link === undefined ? [] : [infoOf(link)]
    })
  }

  async ping(to: PeerTarget): Promise<number> {
    const link = await this.#connections.link(this.#other(to), {})
    return await link.session.ping()
  }

  traffic(): Traffic {
    return this.#connections.traffic()
  }

  poolStats(): PoolStats {
    return this.#connections.pool.stats
  }

  watchPeers(listener: (event: PeerEvent) => void): Disposable {
    return this.#connections.events.watch(listener)
  }

  close({ drainMs = 10_000 }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#shutDown(drainMs)
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #shutDown(drainMs: number): Promise<void> {
    const reason = new FabricError('FABRIC_CLOSED', 'the agent is closed; create another', {
      kind: 'usage',
    })
    this.#closing.abort(reason)
    this.#deliverySender.close(reason)
    this.#connections.close()
    await this.#reception.close(reason)
    const { clock } = this.#parts.environment
    await withDeadline(this.#dispatcher.idle(), {
      clock,
      timeoutMs: drainMs,
      what: 'the drain',
    }).catch(() => {})
    this.#deliveryReceiver.flush()
    await this.#datagrams.close()
    const links = this.#connections.links.all()
    await Promise.all(links.map((link) => link.session.close('SESSION_GOING_AWAY')))
    this.#dispatcher.close()
  }

  // ── Small things ───────────────────────────────────────────────────────────────────────────────────────

  /** For a peer without a session, or with one that others wait for. */
  async #postLater(
    to: PeerTarget,
    type: string,
    bytes: Uint8Array,
    options: DeliveryOptions,
  ): Promise<void> {
    const full = await this.#through(to, options, (link) =>
      post(link, type, bytes, options) ? undefined : link,
    )
    if (full !== undefined) await this.#room(full, options.signal)
  }

  async #sendAcknowledged(
    to: PeerTarget,
    type: string,
    bytes: Uint8Array,
    { priority, ttlMs, signal }: SendOptions,
  ): Promise<void> {
    this.#requireOpen()
    const agent = this.#other(to)
    if (priority !== undefined && priority !== 'normal') {
      const message = 'acknowledged messages keep their order; leave out the priority'
      throw new FabricError('FABRIC_OPTION', message, { kind: 'usage' })
    }
    // Somebody must be able to open a session, or one must be there.
    this.#connections.requireReachable(agent)
    await this.#deliverySender.send(agent, type, bytes, { ttlMs, signal })
  }

  async #through<Value>(
    to: PeerTarget,
    options: ConnectOptions,
    use: (link: Link) => Value,
  ): Promise<Value> {
    this.#requireOpen()
    const { signal } = options
    return await this.#connections.through(this.#other(to), { signal }, use)
  }

  /** The agent that a target means, which is not this one. */
  #other(to: PeerTarget): AgentId {
    this.#requireOpen()
    const agent = this.#connections.book.resolve(to)
    if (agent !== this.id) return agent
    const message = 'an agent does not connect to itself; name another'
    throw new FabricError('FABRIC_PEER_UNKNOWN', message, { kind: 'usage' })
  }

  #encode(type: string, payload: unknown): Uint8Array {
    const codec = this.types.get(type)
    if (codec !== undefined) return codec.encode(payload)
    throw new FabricError(
      'FABRIC_TYPE_UNKNOWN',
      `message type "${type}" is not registered; add it with agent.types.register`,
      { kind: 'usage' },
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
