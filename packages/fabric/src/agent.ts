// What an agent is to the program that runs it (DESIGN §5).

import type { AgentId } from '@myelin/identity'
import type { Priority, RequestOptions, SessionStats, SessionStream } from '@myelin/session'
import type { BuiltInName, BuiltInPayloads, MessageTypes } from '@myelin/wire'

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

export type PeerEvent =
  | { readonly kind: 'connected'; readonly peer: PeerInfo; readonly handshakeMs: number }
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

  /** Sends a message; connects first where needed. Resolves when the session has taken it. */
  send<Name extends BuiltInName>(
    to: PeerTarget,
    type: Name,
    payload: BuiltInPayloads[Name],
    options?: DeliveryOptions,
  ): Promise<void>
  send(to: PeerTarget, type: string, payload: unknown, options?: DeliveryOptions): Promise<void>

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
  /** Ends all sessions with a peer. */
  disconnect(agent: AgentId): Promise<void>
  /** One entry per peer with an open session. */
  peers(): PeerInfo[]
  /** Round trip to a peer's session and back, in milliseconds. */
  ping(to: PeerTarget): Promise<number>
  /** Counters over all sessions, those that have ended included. */
  traffic(): Traffic
  /** Calls `listener` for each session that opens or ends. */
  watchPeers(listener: (event: PeerEvent) => void): Disposable

  /** Stops listening, lets handlers finish within `drainMs`, then ends all sessions. */
  close(options?: { readonly drainMs?: number }): Promise<void>
}
