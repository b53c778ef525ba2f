// What an agent is to the program that runs it (DESIGN §5).

import type { AgentId } from '@myelin/identity'
import type { Priority, RequestOptions, SessionStats, SessionStream } from '@myelin/session'
import type { BuiltInName, BuiltInPayloads, MessageTypes } from '@myelin/wire'
import type {
  DatagramChannel,
  GroupOptions,
  MulticastGroup,
  OwnedGroup,
} from './datagrams/ports.ts'
import type { HealthFault } from './health.ts'
import type { KeepOptions } from './keeper.ts'
import type { PoolStats } from './pool.ts'

/** A peer: its agent id, its name where we know one, or a multiaddr that ends in `/p2p/<agent id>`. */
export type PeerTarget = string

/** A message that arrived, decoded by its type's codec. */
export interface Received<Payload = unknown> {
  readonly type: string
  readonly payload: Payload
  /** Proved by the session it came in. */
  readonly from: AgentId
  /** `request` expects an answer. */
  readonly kind: 'message' | 'request' | 'response'
  /** By the clock of whoever called whom; wall-clock milliseconds. */
  readonly timestampMs: number
  readonly priority: Priority
}

/** What a handler gives back for a request: a payload of the request's own type, or `reply(type, payload)`. */
export type Handler<Payload> = (message: Received<Payload>) => unknown

/** An answer of another type than the question. */
export class TypedReply {
  readonly type: string
  readonly payload: unknown

  constructor(type: string, payload: unknown) {
    this.type = type
    this.payload = payload
  }
}

export function reply<Name extends BuiltInName>(
  type: Name,
  payload: BuiltInPayloads[Name],
): TypedReply
export function reply(type: string, payload: unknown): TypedReply
export function reply(type: string, payload: unknown): TypedReply {
  return new TypedReply(type, payload)
}

export interface DeliveryOptions {
  readonly priority?: Priority | undefined
  readonly signal?: AbortSignal | undefined
}

/** How hard a message is tried (docs/connections.md has the exact promises). */
export interface SendOptions extends DeliveryOptions {
  /**
   * `at-most-once`, the default: done when the session has taken the message; lost if the session is.
   * `at-least-once`: done when the peer has handled it; sent again in later sessions until then, in the order of
   * the calls, so it takes no `priority`. While both processes live, its handler runs once.
   */
  readonly delivery?: 'at-most-once' | 'at-least-once' | undefined
  /** Of `at-least-once`: how long it is tried, in ms; five minutes by default, an hour at most. */
  readonly ttlMs?: number | undefined
}

export interface BroadcastOutcome {
  readonly delivered: readonly AgentId[]
  readonly failed: readonly { readonly agent: AgentId; readonly reason: string }[]
}

export interface PeerInfo {
  readonly agent: AgentId
  /** What the peer calls itself. */
  readonly name: string
  readonly roles: readonly string[]
  readonly transport: string
  readonly remoteAddress: string
  readonly direction: 'out' | 'in'
  /** Noise pattern, cipher suite and compression: `XKhfs aes-256-gcm zstd`. */
  readonly security: string
  readonly stats: SessionStats
}

/** Messages, and bytes on the wire, of all sessions of an agent. */
export interface Traffic {
  readonly messagesSent: number
  readonly messagesReceived: number
  readonly bytesSent: number
  readonly bytesReceived: number
}

/** What happens to the sessions with peers, in the order in which it happens. */
export type PeerEvent =
  /** An attempt at a session begins. */
  | { readonly kind: 'connecting'; readonly agent: AgentId }
  | {
      readonly kind: 'connected'
      readonly peer: PeerInfo
      readonly handshakeMs: number
      /** From a ticket of an earlier session, without a full handshake. */
      readonly isResumed: boolean
      /** Failures since the last stable session, where the peer is kept connected; else 0. */
      readonly attempt: number
    }
  /** A peer that is kept connected has no session; the next attempt follows in `retryMs`. */
  | {
      readonly kind: 'reconnecting'
      readonly agent: AgentId
      readonly attempt: number
      readonly retryMs: number
      /** A session has ended (true), or an attempt at one has failed. */
      readonly wasConnected: boolean
      readonly code: string
      readonly reason: string
    }
  /** A peer is not kept connected any more: `attemptsMax` attempts in a row have failed. */
  | {
      readonly kind: 'given-up'
      readonly agent: AgentId
      readonly attempt: number
      readonly code: string
      readonly reason: string
    }
  /** A session does not work well; it gets no new messages where another can be opened. */
  | {
      readonly kind: 'unhealthy'
      readonly agent: AgentId
      readonly fault: HealthFault
      readonly roundTripMs: number | undefined
    }
  /** Attempts have failed again and again: messages cause none for a while. */
  | { readonly kind: 'circuit-open'; readonly agent: AgentId; readonly forMs: number }
  | { readonly kind: 'circuit-closed'; readonly agent: AgentId }
  | {
      readonly kind: 'disconnected'
      readonly agent: AgentId
      readonly code: string
      readonly reason: string
    }

export interface Agent extends AsyncDisposable {
  readonly id: AgentId
  readonly name: string
  /** Multiaddrs that others can dial, each ending in our agent id. */
  readonly addresses: readonly string[]
  /** The registry of message types: add your own before use. */
  readonly types: MessageTypes

  /** Handles messages and requests of a type; one handler per type. Disposing removes it. */
  handle<Name extends BuiltInName>(type: Name, handler: Handler<BuiltInPayloads[Name]>): Disposable
  handle<Payload = unknown>(type: string, handler: Handler<Payload>): Disposable

  /** Handles streams that peers open under a type. */
  handleStream(type: string, handler: (stream: SessionStream, from: AgentId) => unknown): Disposable

  /**
   * Messages of a type that has no handler, one reader per type. The sender waits while the reader does not
   * read. Leaving the loop ends it.
   */
  messages<Name extends BuiltInName>(
    type: Name,
  ): AsyncIterableIterator<Received<BuiltInPayloads[Name]>>
  messages<Payload = unknown>(type: string): AsyncIterableIterator<Received<Payload>>

  /**
   * Sends a message; connects first where needed. Resolves when the session has taken it, unless
   * `delivery` asks for more.
   */
  send<Name extends BuiltInName>(
    to: PeerTarget,
    type: Name,
    payload: BuiltInPayloads[Name],
    options?: SendOptions,
  ): Promise<void>
  send(to: PeerTarget, type: string, payload: unknown, options?: SendOptions): Promise<void>

  /**
   * Sends messages of one type in order, for less than as many calls of `send`: they are framed and queued together.
   * Resolves when the session has taken all; where it rejects, those before the failure may have been taken.
   */
  sendMany<Name extends BuiltInName>(
    to: PeerTarget,
    type: Name,
    payloads: readonly BuiltInPayloads[Name][],
    options?: DeliveryOptions,
  ): Promise<void>
  sendMany(
    to: PeerTarget,
    type: string,
    payloads: readonly unknown[],
    options?: DeliveryOptions,
  ): Promise<void>

  /** Sends a request and resolves to the answer. 60 s by default. */
  request<Name extends BuiltInName>(
    to: PeerTarget,
    type: Name,
    payload: BuiltInPayloads[Name],
    options?: DeliveryOptions & RequestOptions,
  ): Promise<Received>
  request(
    to: PeerTarget,
    type: string,
    payload: unknown,
    options?: DeliveryOptions & RequestOptions,
  ): Promise<Received>

  /** Opens a stream to a peer's stream handler for the type. */
  stream(to: PeerTarget, type: string): Promise<SessionStream>

  /** Where our sockets for datagrams are: the UDP addresses that we listen on. */
  readonly datagramAddresses: readonly string[]

  /**
   * Opens a channel of sealed datagrams (docs/datagrams.md): each message arrives once or never, in any order. Both
   * agents listen on a UDP address, the peer handles the type with `handleDatagrams`. Resolves when the peer's
   * address is proved; rejects with `FABRIC_UNREACHABLE` where none answers.
   */
  datagrams<Name extends BuiltInName = 'data'>(
    to: PeerTarget,
    options?: { readonly type?: Name; readonly signal?: AbortSignal },
  ): Promise<DatagramChannel<BuiltInPayloads[Name]>>
  datagrams<Payload = unknown>(
    to: PeerTarget,
    options: { readonly type: string; readonly signal?: AbortSignal },
  ): Promise<DatagramChannel<Payload>>

  /** Takes part in channels that peers open for the type. Called before the first message. */
  handleDatagrams<Name extends BuiltInName>(
    type: Name,
    handler: (channel: DatagramChannel<BuiltInPayloads[Name]>) => void,
  ): Disposable
  handleDatagrams<Payload = unknown>(
    type: string,
    handler: (channel: DatagramChannel<Payload>) => void,
  ): Disposable

  /** Makes a multicast group of which we are the owner: we admit members and hand out the keys. */
  multicastGroup<Payload = unknown>(options: GroupOptions): Promise<OwnedGroup<Payload>>

  /** Becomes a member of a peer's group. One that only listens has no number to send under. */
  joinMulticastGroup<Payload = unknown>(
    owner: PeerTarget,
    name: string,
    options?: { readonly isListener?: boolean; readonly signal?: AbortSignal },
  ): Promise<MulticastGroup<Payload>>

  /** Sends to every connected peer that may receive the type. */
  broadcast<Name extends BuiltInName>(
    type: Name,
    payload: BuiltInPayloads[Name],
    options?: DeliveryOptions,
  ): Promise<BroadcastOutcome>
  broadcast(type: string, payload: unknown, options?: DeliveryOptions): Promise<BroadcastOutcome>

  /** Makes sure that there is a session; resolves to what is known of the peer. */
  connect(
    to: PeerTarget,
    options?: {
      readonly signal?: AbortSignal | undefined
      readonly token?: Uint8Array | undefined
    },
  ): Promise<PeerInfo>
  /**
   * Keeps a session with the peer open: connects now and whenever it has ended, with growing waits, until
   * disposed. `watchPeers` tells how it goes. Throws `FABRIC_PEER_UNKNOWN`.
   */
  keep(to: PeerTarget, options?: KeepOptions): Disposable
  /** Ends all sessions with a peer. */
  disconnect(agent: AgentId): Promise<void>
  /** One entry per peer with an open session. */
  peers(): PeerInfo[]
  /** Round trip to a peer's session and back, in milliseconds. */
  ping(to: PeerTarget): Promise<number>
  /** Counters over all sessions, those that have ended included. */
  traffic(): Traffic
  /** What the pool of sessions holds and has done. */
  poolStats(): PoolStats
  /** Calls `listener` for each session that opens or ends, and what happens between. */
  watchPeers(listener: (event: PeerEvent) => void): Disposable

  /** Stops listening, lets handlers finish within `drainMs`, then ends all sessions. */
  close(options?: { readonly drainMs?: number }): Promise<void>
}
