// The streams of a session: opening, routing of frames, fair sending. Even ids belong to the session's
// initiator, odd ones to its responder; ids only rise, so one number tells whether a stream is over or new.

import {
  encodeFrame,
  streamCreditBytes,
  streamFlags,
  streamHeaderBytes,
  writeStreamHeader,
} from '@myelin/wire'
import type { SendCredit } from './credit.ts'
import { SessionError, type SessionErrorCode } from './errors.ts'
import type { Lane } from './lane.ts'
import { customTypeIdFirst, streamGapsMax, streamsMax } from './limits.ts'
import { type RecordWriter, recordRoom } from './record-writer.ts'
import { SessionStream, type StreamHost } from './session-stream.ts'
import type { AdaptiveWindow } from './window.ts'

/** What the table needs from its session. */
export interface StreamSession {
  control(frame: Uint8Array): void
  /** Something became sendable. */
  pump(): void
  /** The application took bytes off the session's window. */
  releaseData(bytes: number): void
  /** Undefined: the peer never defined that type. */
  typeName(typeId: number): string | undefined
  /** For what one stream receives. */
  streamWindow(): AdaptiveWindow
  /** Announces the type where it must. */
  typeId(name: string): number
  incomingStream(stream: SessionStream): void
  /** Streams have lanes, so they may arrive out of the order of their ids. */
  readonly hasLanes: boolean
  /** A lane for a new stream of ours; undefined: it goes over the main stream. */
  openLane(streamId: number): Lane | undefined
  /** The lane on which the peer's stream arrives, if it does on one. */
  laneOf(streamId: number): Lane | undefined
}

export class StreamTable implements StreamHost {
  readonly #session: StreamSession
  readonly #streams = new Map<number, SessionStream>()
  readonly #ready: SessionStream[] = []
  /** First in the line, but the main stream is full: not asked until it has room. */
  readonly #held: SessionStream[] = []
  #nextId: number
  #opened = 0
  /** How many streams the peer lets us open, ever. */
  #openLimit = 0
  #peerHighestId = -1
  /** Ids below it that the peer has not opened, where lanes may be late; the lowest first. */
  #peerGaps: Set<number> | undefined
  #peerOpened = 0
  #peerLimit = streamsMax
  #initialStreamLimit = 0

  constructor(session: StreamSession, isInitiator: boolean) {
    this.#session = session
    this.#nextId = isInitiator ? 0 : 1
  }

  get openCount(): number {
    return this.#streams.size
  }

  /** Some stream has bytes or an end to send, now or when it gets credit. */
  get hasOutput(): boolean {
    for (const stream of this.#streams.values()) if (stream.hasOutput) return true
    return false
  }

  /** What the peer granted in its settings. */
  configure(openLimit: number, streamDataMax: number): void {
    this.#openLimit = openLimit
    this.#initialStreamLimit = streamDataMax
  }

  /** Throws `SESSION_STREAMS_FULL` while the peer allows no more. */
  open(type: string): SessionStream {
    if (this.#opened >= this.#openLimit) {
      throw new SessionError(
        'SESSION_STREAMS_FULL',
        'the peer allows no more streams now; finish some first',
        { kind: 'recoverable' },
      )
    }
    const stream = new SessionStream(this, this.#nextId, type, true)
    this.#nextId += 2
    this.#opened += 1
    this.#streams.set(stream.id, stream)
    stream.raiseSendLimit(this.#initialStreamLimit)
    return stream
  }

  /** The peer could open a stream of this id: it is its own, and was not there. */
  mayBeOpened(id: number): boolean {
    if (this.#isOurs(id)) return false
    return id > this.#peerHighestId
      ? (id - this.#peerHighestId) / 2 <= streamGapsMax
      : this.#peerGaps?.has(id) === true
  }

  /** Its peer has still to end or reset its direction. */
  isExpecting(id: number): boolean {
    return this.#streams.get(id)?.isExpecting ?? this.mayBeOpened(id)
  }

  failAll(error: SessionError): void {
    for (const stream of this.#streams.values()) stream.fail(error)
    this.#streams.clear()
    this.#ready.length = 0
    this.#held.length = 0
  }

  // From the peer. Each returns the code of a violation, or undefined.

  data(
    flags: number,
    typeId: number,
    id: number,
    payload: Uint8Array,
  ): SessionErrorCode | undefined {
    let stream = this.#streams.get(id)
    if (stream === undefined) {
      if ((flags & streamFlags.open) === 0) return this.#lateData(id, payload)
      const accepted = this.#accept(id, typeId)
      if (typeof accepted === 'string') return accepted
      stream = accepted
    }
    const isLast = (flags & streamFlags.fin) !== 0
    return stream.receive(payload, isLast)
  }

  reset(id: number, code: number): SessionErrorCode | undefined {
    this.#streams.get(id)?.resetByPeer(code)
    return this.#knownOrOver(id)
  }

  stop(id: number, code: number): SessionErrorCode | undefined {
    this.#streams.get(id)?.reset(code)
    return this.#knownOrOver(id)
  }

  raiseStreamLimit(id: number, limit: number): SessionErrorCode | undefined {
    this.#streams.get(id)?.raiseSendLimit(limit)
    return this.#knownOrOver(id)
  }

  raiseOpenLimit(limit: number): void {
    if (limit > this.#openLimit) this.#openLimit = limit
  }

  /**
   * Writes one frame of the stream whose turn it is, under the session's and its own credit. False: nothing
   * can be sent now. This runs at every write, so whoever cannot send is asked once and not again until that
   * has changed: else each write would cost as much as there are streams.
   */
  sendOne(writer: RecordWriter, credit: SendCredit): boolean {
    // No byte can leave. An end that costs just this much waits with the others.
    if (credit.available <= streamCreditBytes) return false
    if (this.#held.length > 0 && !writer.isBlocked) this.#ready.unshift(...this.#held.splice(0))
    for (let turns = this.#ready.length; turns > 0; turns -= 1) {
      const stream = this.#ready.shift() as SessionStream
      stream.isInLine = false
      if (!stream.hasOutput) continue
      const isSent = this.#sendFrame(stream, writer, credit)
      if (stream.hasOutput) this.#lineUpAgain(stream, isSent)
      if (isSent) return true
    }
    return false
  }

  /** The stream's lane takes more. */
  resume(id: number): void {
    const stream = this.#streams.get(id)
    if (stream?.hasOutput === true) this.#enqueue(stream)
  }

  // From the streams.

  ready(stream: SessionStream): void {
    this.#enqueue(stream)
    this.#session.pump()
  }

  taken(stream: SessionStream, bytes: number, streamLimit: number): void {
    if (streamLimit > 0) this.#control(stream, encodeFrame.maxStreamData(stream.id, streamLimit))
    if (bytes > 0) this.#session.releaseData(streamCreditBytes + bytes)
  }

  sendReset(stream: SessionStream, code: number): void {
    // A stream that was never announced needs no reset.
    if (!stream.isOpening) this.#control(stream, encodeFrame.streamReset(stream.id, code))
  }

  sendStop(stream: SessionStream, code: number): void {
    if (stream.isOpening) stream.stopCodeDue = code
    else this.#control(stream, encodeFrame.streamStop(stream.id, code))
  }

  window(): AdaptiveWindow {
    return this.#session.streamWindow()
  }

  finished(stream: SessionStream): void {
    this.#streams.delete(stream.id)
    stream.lane?.finish()
    if (this.#isOurs(stream.id)) {
      // The peer never heard of it and does not count it.
      if (stream.isOpening) this.#opened -= 1
      return
    }
    this.#peerLimit += 1
    this.#session.control(encodeFrame.maxStreams(this.#peerLimit))
  }

  #control(stream: SessionStream, frame: Uint8Array): void {
    if (stream.lane === undefined) this.#session.control(frame)
    else stream.lane.control(frame)
  }

  #enqueue(stream: SessionStream): void {
    if (stream.isInLine) return
    stream.isInLine = true
    this.#ready.push(stream)
  }

  #lineUpAgain(stream: SessionStream, isSent: boolean): void {
    // A transport that calls back from within a write may have brought it back already.
    if (stream.isInLine) return
    // Without credit of its own, or room in its lane, it leaves the line; either brings it back.
    const hasCredit = stream.isOpening || stream.sendableBytes > 0 || stream.queuedBytes === 0
    if (!hasCredit || stream.lane?.writer.isBlocked === true) return
    stream.isInLine = true
    if (isSent) this.#ready.push(stream)
    else this.#held.push(stream)
  }

  #sendFrame(stream: SessionStream, main: RecordWriter, credit: SendCredit): boolean {
    const typeId = stream.isOpening ? this.#session.typeId(stream.type) : 0
    const writer = this.#writerOf(stream, typeId) ?? main
    if (writer.roomBytes < streamHeaderBytes + 1) writer.flush()
    if (writer.isBlocked) return false
    const room = Math.min(writer.roomBytes, recordRoom) - streamHeaderBytes
    const bytes = Math.max(
      0,
      Math.min(stream.sendableBytes, room, credit.available - streamCreditBytes),
    )
    const isLast = stream.isFinishing && bytes === stream.queuedBytes
    if (bytes === 0 && !stream.isOpening && !isLast) return false
    const flags = (stream.isOpening ? streamFlags.open : 0) | (isLast ? streamFlags.fin : 0)
    const target = writer.begin(streamHeaderBytes + bytes)
    const body = writeStreamHeader(
      target,
      writer.offset,
      { flags, typeId, streamId: stream.id },
      bytes,
    )
    stream.takeOutput(target, body, bytes)
    stream.isOpening = false
    stream.lane?.noteSent()
    credit.use(streamCreditBytes + bytes)
    writer.commit(body + bytes, 0)
    if (stream.stopCodeDue !== undefined) {
      this.#control(stream, encodeFrame.streamStop(stream.id, stream.stopCodeDue))
      stream.stopCodeDue = undefined
    }
    if (isLast) stream.finSent()
    return true
  }

  /** The writer of the stream's lane, which is opened with the stream. */
  #writerOf(stream: SessionStream, typeId: number): RecordWriter | undefined {
    if (stream.isOpening && stream.lane === undefined && this.#session.hasLanes) {
      stream.lane = this.#session.openLane(stream.id)
      // The lane may overtake the main stream, on which the type was defined.
      if (typeId >= customTypeIdFirst)
        stream.lane?.control(encodeFrame.defineType(typeId, stream.type))
    }
    return stream.lane?.writer
  }

  /** The ids between are still on their way, each on its lane. */
  #passOver(id: number): void {
    const first = this.#peerHighestId < 0 ? id % 2 : this.#peerHighestId + 2
    if (first >= id) return
    this.#peerGaps ??= new Set()
    for (let between = first; between < id; between += 2) this.#peerGaps.add(between)
    // What is so far behind was never announced.
    for (const oldest of this.#peerGaps) {
      if (this.#peerGaps.size <= streamGapsMax) break
      this.#peerGaps.delete(oldest)
    }
  }

  #accept(id: number, typeId: number): SessionStream | SessionErrorCode {
    const isLate = this.#peerGaps?.delete(id) === true
    if (this.#isOurs(id) || (id <= this.#peerHighestId && !isLate)) return 'SESSION_PROTOCOL'
    if (this.#peerOpened >= this.#peerLimit) return 'SESSION_FLOW_CONTROL'
    const type = this.#session.typeName(typeId)
    if (type === undefined) return 'SESSION_PROTOCOL'
    if (this.#session.hasLanes && !isLate) {
      if (!this.mayBeOpened(id)) return 'SESSION_PROTOCOL'
      this.#passOver(id)
    }
    this.#peerHighestId = Math.max(this.#peerHighestId, id)
    this.#peerOpened += 1
    const stream = new SessionStream(this, id, type, false)
    stream.lane = this.#session.laneOf(id)
    this.#streams.set(id, stream)
    stream.raiseSendLimit(this.#initialStreamLimit)
    this.#session.incomingStream(stream)
    return stream
  }

  /** Data for a stream that we stopped reading: it only gives its credit back. */
  #lateData(id: number, payload: Uint8Array): SessionErrorCode | undefined {
    const fault = this.#knownOrOver(id)
    if (fault === undefined && payload.length > 0)
      this.#session.releaseData(streamCreditBytes + payload.length)
    return fault
  }

  #knownOrOver(id: number): SessionErrorCode | undefined {
    const isPast = this.#isOurs(id)
      ? id < this.#nextId
      : id <= this.#peerHighestId && this.#peerGaps?.has(id) !== true
    return isPast ? undefined : 'SESSION_PROTOCOL'
  }

  #isOurs(id: number): boolean {
    return id % 2 === this.#nextId % 2
  }
}
