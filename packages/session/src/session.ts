// What a session is to its user. Made by `dialSession` and `acceptSession`; ends once, with a reason.

import type { PeerRecord } from '@myelin/identity'
import type { IncomingMessage } from './incoming.ts'
import type { Agreement, HandshakePattern } from './negotiation.ts'
import type { Priority } from './outbox.ts'
import type { RequestOptions } from './requests.ts'
import type { SessionStream } from './session-stream.ts'

export interface SendOptions {
  readonly priority?: Priority | undefined
}

/** Counters since the session began. */
export interface SessionStats {
  readonly messagesSent: number
  readonly messagesReceived: number
  /** On the wire, sealed. */
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly recordsSent: number
  readonly rekeysSent: number
  readonly rekeysReceived: number
  readonly streamsOpen: number
  readonly requestsPending: number
  /** Payload bytes that wait to be sent. */
  readonly queuedBytes: number
  /** Bytes received that no handler has released yet. */
  readonly heldBytes: number
  /** Bytes that the peer may have under way and unread here: grows with the bandwidth-delay product. */
  readonly windowBytes: number
  /** The shortest of late, or undefined where none was measured. */
  readonly roundTripMs: number | undefined
}

export interface Session extends AsyncDisposable {
  /** Who is there: the record that the handshake proved. */
  readonly peer: PeerRecord
  readonly agreement: Agreement
  readonly pattern: HandshakePattern
  /** Begun with a ticket of an earlier session instead of keys and signatures. */
  readonly isResumed: boolean
  /** Handshake hash, 32 bytes: names this session on both sides and no other. */
  readonly transcript: Uint8Array
  /** We called (true) or were called. */
  readonly isInitiator: boolean
  /** What the trust store gave the peer. */
  readonly roles: readonly string[]
  /** Open for messages: neither closing nor over. */
  readonly isOpen: boolean
  readonly remoteAddress: string
  readonly transport: string
  readonly stats: SessionStats

  /**
   * Sends a message. `payload` belongs to the session until it has left. Returns false when the queue is
   * above its mark: the message is accepted, but wait for the `drain` handler before the next. Throws
   * `SESSION_QUEUE_FULL` far above it, `SESSION_MESSAGE_TOO_LARGE`, or what ended the session.
   */
  post(type: string, payload: Uint8Array, options?: SendOptions): boolean

  /**
   * Sends messages of one type in order, for less than as many calls of `post`: they share records and go through the
   * queue together. All or none: throws as `post` does before it takes any. The array stays the caller's.
   */
  postMany(type: string, payloads: readonly Uint8Array[], options?: SendOptions): boolean

  /**
   * Sends a request and waits for its response, 60 s by default. Rejects with `SESSION_REQUEST_TIMEOUT`,
   * with a `RequestFailure` where the peer says that it failed, or with what ended the session.
   */
  request(
    type: string,
    payload: Uint8Array,
    options?: RequestOptions & SendOptions,
  ): Promise<IncomingMessage>

  /** Opens a stream that the peer's handler for `type` receives. Throws `SESSION_STREAMS_FULL`. */
  openStream(type: string): SessionStream

  /**
   * Round trip to the peer's session and back, in milliseconds. Rejects with `SESSION_REQUEST_TIMEOUT` where 64
   * later ones were sent and it is still unanswered, or with what ended the session.
   */
  ping(): Promise<number>

  /**
   * A secret for another protocol: the same on both sides, another one for each session, `label` and `context`,
   * and without a way back to the session's own keys (as RFC 8446 §7.5). 32 bytes by default; the caller wipes
   * it. Throws what ended the session.
   */
  exportSecret(label: string, context: Uint8Array, bytes?: number): Uint8Array

  /**
   * Ends the session: what is queued leaves within the close timeout, then the peer is told why. Resolves
   * when the connection is gone. A second call waits for the first.
   */
  close(code?: 'SESSION_CLOSED' | 'SESSION_GOING_AWAY', reason?: string): Promise<void>
}
