// The way out: messages into frames, as far as the peer's credit and the transport allow; the rest waits in
// the outbox. A message that finds the way free is written straight into the open record.

import {
  messageCreditBytes,
  messageFlags,
  messageHeaderBytes,
  messagePartHeaderBytes,
  writeMessageHeader,
  writeMessagePartHeader,
} from '@myelin/wire'
import { SendCredit } from './credit.ts'
import { SessionError } from './errors.ts'
import { sendHighWaterBytes } from './limits.ts'
import { Outbox, type QueuedMessage } from './outbox.ts'
import { type RecordWriter, recordRoom } from './record-writer.ts'

/** The other kind of traffic that shares the way: sends one frame, or says that it cannot. */
export interface StreamSource {
  sendOne(writer: RecordWriter, credit: SendCredit): boolean
}

export interface MessageHead {
  /** Kind and priority bits. */
  readonly flags: number
  readonly typeId: number
  readonly id: number
  readonly timestamp: number
}

export class Sender {
  readonly credit = new SendCredit()
  messagesSent = 0
  readonly #writer: RecordWriter
  readonly #streams: StreamSource
  readonly #outbox = new Outbox()
  readonly #onDrain: () => void
  #wantsDrain = false
  #isPumping = false
  #isStreamTurn = false

  constructor(writer: RecordWriter, streams: StreamSource, onDrain: () => void) {
    this.#writer = writer
    this.#streams = streams
    this.#onDrain = onDrain
  }

  get queuedBytes(): number {
    return this.#outbox.bytes
  }

  get isEmpty(): boolean {
    return this.#outbox.isEmpty
  }

  /** False: a message of so many bytes would be refused. */
  hasRoom(payloadBytes: number): boolean {
    return this.#outbox.hasRoom(payloadBytes)
  }

  /** False: above the mark, wait for drain. Throws `SESSION_QUEUE_FULL` far above it. */
  send(flags: number, typeId: number, id: number, timestamp: number, payload: Uint8Array): boolean {
    const frameBytes = messageHeaderBytes + payload.length
    const creditBytes = messageCreditBytes + payload.length
    const writer = this.#writer
    if (
      this.#outbox.isEmpty &&
      !writer.isBlocked &&
      frameBytes <= recordRoom &&
      creditBytes <= this.credit.available
    ) {
      const target = writer.begin(frameBytes)
      const body = writeMessageHeader(
        target,
        writer.offset,
        flags,
        typeId,
        id,
        timestamp,
        payload.length,
      )
      target.set(payload, body)
      this.credit.use(creditBytes)
      this.messagesSent += 1
      writer.commit(body + payload.length, 1)
      return true
    }
    this.#queue({ flags, typeId, id, timestamp, payload, offset: 0 })
    this.messagesSent += 1
    this.pump()
    return this.#hasRoom()
  }

  /**
   * The same for many messages with ids from `firstId` on; those that go straight into one record pass the accounts
   * of credit and records together. Throws `SESSION_QUEUE_FULL` before it takes any.
   */
  sendMany(
    flags: number,
    typeId: number,
    firstId: number,
    timestamp: number,
    payloads: readonly Uint8Array[],
  ): boolean {
    this.#requireRoom(payloads)
    let sent = 0
    while (sent < payloads.length) {
      const written = this.#writeMany(
        flags,
        typeId,
        (firstId + sent) >>> 0,
        timestamp,
        payloads,
        sent,
      )
      if (written === 0) break
      sent += written
    }
    this.messagesSent += sent
    for (let i = sent; i < payloads.length; i += 1) {
      const payload = payloads[i] as Uint8Array
      const id = (firstId + i) >>> 0
      this.#queue({ flags, typeId, id, timestamp, payload, offset: 0 })
    }
    if (sent < payloads.length) this.pump()
    this.messagesSent += payloads.length - sent
    return this.#hasRoom()
  }

  /** Writes what fits into one record, from `start` on. Returns the count. */
  #writeMany(
    flags: number,
    typeId: number,
    firstId: number,
    timestamp: number,
    payloads: readonly Uint8Array[],
    start: number,
  ): number {
    const writer = this.#writer
    const first = messageHeaderBytes + (payloads[start] as Uint8Array).length
    if (!this.#outbox.isEmpty || writer.isBlocked || first > recordRoom) return 0
    const target = writer.begin(first)
    const end = Math.min(payloads.length, start + writer.messagesLeft)
    const creditBytes = this.credit.available
    let at = writer.offset
    let used = 0
    let i = start
    for (; i < end; i += 1) {
      const payload = payloads[i] as Uint8Array
      const { length } = payload
      const cost = messageCreditBytes + length
      if (at + messageHeaderBytes + length > recordRoom || used + cost > creditBytes) break
      const body = writeMessageHeader(
        target,
        at,
        flags,
        typeId,
        (firstId + i - start) >>> 0,
        timestamp,
        length,
      )
      target.set(payload, body)
      at = body + length
      used += cost
    }
    const count = i - start
    if (count === 0) return 0
    this.credit.use(used)
    writer.commit(at, count, count)
    return count
  }

  /** Sends what credit and transport allow: urgent messages, then messages and streams in turn, then low. */
  pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    while (!this.#writer.isBlocked && this.#pumpOne()) {}
    this.#isPumping = false
    if (this.#wantsDrain && this.#outbox.bytes < sendHighWaterBytes / 2) {
      this.#wantsDrain = false
      this.#onDrain()
    }
  }

  clear(): void {
    this.#outbox.clear()
    this.#wantsDrain = false
  }

  #queue(message: QueuedMessage): void {
    const priority = (message.flags & messageFlags.priorityMask) >> messageFlags.priorityShift
    if (!this.#outbox.push(message, priority)) throw this.#full()
  }

  #requireRoom(payloads: readonly Uint8Array[]): void {
    const bytes = payloads.reduce((sum, { length }) => sum + length, 0)
    if (!this.#outbox.hasRoom(bytes, payloads.length)) throw this.#full()
  }

  #hasRoom(): boolean {
    if (this.#outbox.bytes < sendHighWaterBytes) return true
    this.#wantsDrain = true
    return false
  }

  #full(): SessionError {
    this.#wantsDrain = true
    const message = 'the peer reads too slowly and the send queue is full; wait for drain'
    return new SessionError('SESSION_QUEUE_FULL', message, { kind: 'recoverable' })
  }

  #pumpOne(): boolean {
    const urgent = this.#outbox.peek(true)
    if (urgent !== undefined) return this.#sendPart(urgent)
    this.#isStreamTurn = !this.#isStreamTurn
    if (this.#isStreamTurn && this.#streams.sendOne(this.#writer, this.credit)) return true
    const message = this.#outbox.peek(false)
    if (message !== undefined && this.#sendPart(message)) return true
    return !this.#isStreamTurn && this.#streams.sendOne(this.#writer, this.credit)
  }

  /** Sends the message's next part, as much as record and credit hold. */
  #sendPart(message: QueuedMessage): boolean {
    const writer = this.#writer
    const isFirst = message.offset === 0
    const head = isFirst ? messageHeaderBytes : messagePartHeaderBytes
    const creditHead = isFirst ? messageCreditBytes : messagePartHeaderBytes
    const rest = message.payload.length - message.offset
    // A small remainder of room is not worth a part of a large message.
    if (writer.roomBytes < Math.min(head + rest, recordRoom / 4)) writer.flush()
    if (writer.isBlocked) return false
    const bytes = Math.min(rest, writer.roomBytes - head, this.credit.available - creditHead)
    if (bytes < 0 || (bytes === 0 && rest > 0)) return false
    const more = bytes < rest ? messageFlags.more : 0
    const target = writer.begin(head + bytes)
    const body = isFirst
      ? writeMessageHeader(
          target,
          writer.offset,
          message.flags | more,
          message.typeId,
          message.id,
          message.timestamp,
          bytes,
        )
      : writeMessagePartHeader(
          target,
          writer.offset,
          (message.flags & messageFlags.response) | more,
          message.id,
          bytes,
        )
    const { payload, offset } = message
    target.set(bytes === payload.length ? payload : payload.subarray(offset, offset + bytes), body)
    this.credit.use(creditHead + bytes)
    this.#outbox.advance(message, bytes)
    writer.commit(body + bytes, isFirst ? 1 : 0)
    return true
  }
}
