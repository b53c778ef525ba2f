// Messages that wait for credit or for the transport, by priority. Large ones leave in parts, so that a
// critical message overtakes a bulk one between two of its parts. Bounded in bytes.

import { BoundedQueue } from '@myelin/base'
import { sendQueueBytesMax } from './limits.ts'

export const priorities = ['normal', 'low', 'high', 'critical'] as const
export type Priority = (typeof priorities)[number]

/** On the wire, bits 4 and 5 of the message flags. */
export const priorityNumbers: Readonly<Record<Priority, number>> = {
  normal: 0,
  low: 1,
  high: 2,
  critical: 3,
}

/** First to leave first. */
const order: readonly number[] = [3, 2, 0, 1]

/** A message on its way out. `payload` belongs to the session until it has left. */
export interface QueuedMessage {
  readonly flags: number
  readonly typeId: number
  readonly id: number
  readonly timestamp: number
  readonly payload: Uint8Array
  /** Bytes of the payload that have left. */
  offset: number
}

const messagesQueuedMax = 1_000_000
/** What a queued message costs beside its payload, so that a flood of empty ones fills the queue too. */
const messageCostBytes = 256

export class Outbox {
  readonly #queues = priorities.map(() => new BoundedQueue<QueuedMessage>(messagesQueuedMax))
  #bytes = 0
  #count = 0
  /** Of a priority above normal. */
  #urgentCount = 0

  /** Payload bytes that wait, and a little for each message. */
  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /** Messages of so many bytes together could be queued. One always can where none waits. */
  hasRoom(payloadBytes: number, messages = 1): boolean {
    const bytes = payloadBytes + messages * messageCostBytes
    const isFirst = messages === 1 && this.#count === 0
    return isFirst || this.#bytes + bytes <= sendQueueBytesMax
  }

  /** False: full; the message is not queued. */
  push(message: QueuedMessage, priority: number): boolean {
    if (!this.hasRoom(message.payload.length)) return false
    if (!this.#queues[priority]?.push(message)) return false
    this.#bytes += message.payload.length + messageCostBytes
    this.#count += 1
    if (priority >= priorityNumbers.high) this.#urgentCount += 1
    return true
  }

  /** The next message to leave, still queued; only of a priority above normal where `onlyUrgent`. */
  peek(onlyUrgent: boolean): QueuedMessage | undefined {
    if (onlyUrgent && this.#urgentCount === 0) return undefined
    for (let i = 0; i < (onlyUrgent ? 2 : order.length); i += 1) {
      const message = this.#queues[order[i] as number]?.peek()
      if (message !== undefined) return message
    }
    return undefined
  }

  /** `bytes` of the message have left; it goes when all have. */
  advance(message: QueuedMessage, bytes: number): void {
    message.offset += bytes
    this.#bytes -= bytes
    if (message.offset < message.payload.length) return
    const priority = (message.flags >> 4) & 3
    this.#queues[priority]?.shift()
    if (priority >= priorityNumbers.high) this.#urgentCount -= 1
    this.#bytes -= messageCostBytes
    this.#count -= 1
  }

  clear(): void {
    for (const queue of this.#queues) queue.clear()
    this.#bytes = 0
    this.#count = 0
    this.#urgentCount = 0
  }
}
