// A message that arrived. Whoever handles it calls `release` when done: that is what grants the sender new
// credit, so a slow handler slows its sender and nobody else.

import type { Priority } from './outbox.ts'
import type { Lease } from './retention.ts'

/** What a message needs from its session. */
export interface MessageOwner {
  releaseMessage(costBytes: number, lease: Lease | undefined): void
  reply(id: number, type: string, payload: Uint8Array, priority: Priority): boolean
  canReply(bytes: number): boolean
  replyFailure(id: number, code: number, message: string): boolean
}

export type MessageKind = 'message' | 'request' | 'response'

export class IncomingMessage {
  readonly kind: MessageKind
  /** The type's name. */
  readonly type: string
  /** Unique among the messages of its sender in this session, until the counter of 2^32 wraps. */
  readonly id: number
  readonly priority: Priority
  /** When it was sent, by the clock of the session's initiator; wall-clock milliseconds. */
  readonly timestampMs: number
  /** A view of the record it came in, or of its own memory. It may be kept. */
  readonly payload: Uint8Array
  readonly #owner: MessageOwner
  #costBytes: number
  readonly #lease: Lease | undefined

  /** Plain values rather than an object of fields: this runs for every message. */
  constructor(
    owner: MessageOwner,
    kind: MessageKind,
    type: string,
    id: number,
    priority: Priority,
    timestampMs: number,
    payload: Uint8Array,
    costBytes: number,
    lease: Lease | undefined,
  ) {
    this.#owner = owner
    this.kind = kind
    this.type = type
    this.id = id
    this.priority = priority
    this.timestampMs = timestampMs
    this.payload = payload
    this.#costBytes = costBytes
    this.#lease = lease
  }

  /** The message has been dealt with. Further calls do nothing. */
  release(): void {
    const cost = this.#costBytes
    if (cost === 0) return
    this.#costBytes = 0
    this.#owner.releaseMessage(cost, this.#lease)
  }

  /**
   * Answers a request. False: the send queue is above its mark, or the session is gone. Throws like `post`
   * where the peer takes no message of this size or the queue is full.
   */
  reply(payload: Uint8Array, type: string = this.type): boolean {
    return this.#owner.reply(this.id, type, payload, this.priority)
  }

  /** False: the peer reads so little that an answer of so many bytes would be refused with `SESSION_QUEUE_FULL`. */
  canReply(bytes: number): boolean {
    return this.#owner.canReply(bytes)
  }

  /**
   * Answers a request with a failure: a number of the application's table and one line of text. Never throws;
   * false also where the peer does not take even that.
   */
  fail(code: number, message: string): boolean {
    return this.#owner.replyFailure(this.id, code, message)
  }
}
