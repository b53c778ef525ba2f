// The session behind its interface: sealed records in both directions, and over them messages, requests and
// streams under flow control.
//
// The path of a message out: post -> frame -> record -> compress? -> seal -> packet -> write. In is the exact
// inverse. Nothing on it allocates per message but the message itself; a record costs one AEAD call.

import type { Timer } from '@myelin/base'
import { wipe } from '@myelin/crypto'
import type { PeerRecord } from '@myelin/identity'
import {
  decompress,
  encodeFrame,
  type FrameSink,
  frameKinds,
  messageCreditBytes,
  messageFlags,
  messageHeaderBytes,
  messagePartHeaderBytes,
  type PacketFault,
  packetFlags,
  readFrames,
  type SettingsFrame,
  streamCreditBytes,
} from '@myelin/wire'
import { decodeAlert } from './alert.ts'
import type { Connection, Phase } from './connection.ts'
import { closeCodes, codeOfNumber, refusal, SessionError, type SessionErrorCode } from './errors.ts'
import { exportFrom } from './exporter.ts'
import type { Established } from './handshake-steps.ts'
import { type Heartbeat, heartbeat } from './heartbeat.ts'
import { IncomingMessage, type MessageKind, type MessageOwner } from './incoming.ts'
import type { Lane } from './lane.ts'
import { type LaneSession, Lanes } from './lanes.ts'
import {
  controlBacklogBytesMax,
  dataWindowBytesMin,
  firstPingMs,
  handshakeWorkMs,
  partCopiedBytesMax,
  pingsMax,
  recordBytesMax,
  retainedWindowsMax,
  roundTripBytesMax,
  roundTripSpanMs,
  streamsMax,
  streamWindowBytes,
  typeNameBytesMax,
} from './limits.ts'
import type { Agreement, HandshakePattern } from './negotiation.ts'
import { type Priority, priorities, priorityNumbers } from './outbox.ts'
import { Pings } from './pings.ts'
import { Receiver } from './receiver.ts'
import { RecordOpener, RecordSealer, tagBytes } from './record-cipher.ts'
import { RecordWriter } from './record-writer.ts'
import { decodeFailure, encodeFailure } from './request-failure.ts'
import { type RequestOptions, Requests } from './requests.ts'
import { type Lease, Retention } from './retention.ts'
import { Sender } from './sender.ts'
import type { SendOptions, Session, SessionStats } from './session.ts'
import type { SessionEnvironment, SessionHandlers } from './session-options.ts'
import type { SessionStream } from './session-stream.ts'
import { type StreamSession, StreamTable } from './stream-table.ts'
import { TypeNames } from './type-names.ts'
import { AdaptiveWindow, RoundTrips } from './window.ts'

const noRecord = -1

export interface SessionParameters {
  readonly isInitiator: boolean
  readonly roles: readonly string[]
  readonly handlers: SessionHandlers
}

export class SessionCore
  implements Session, Phase, FrameSink, MessageOwner, StreamSession, LaneSession
{
  readonly peer: PeerRecord
  readonly agreement: Agreement
  readonly pattern: HandshakePattern
  readonly transcript: Uint8Array
  readonly isInitiator: boolean
  readonly roles: readonly string[]
  /** Resolves when the peer has accepted us; rejects when it refuses. */
  readonly confirmed: Promise<void>
  readonly #environment: SessionEnvironment
  readonly #connection: Connection
  readonly #handlers: SessionHandlers
  readonly #writer: RecordWriter
  readonly #opener: RecordOpener
  readonly #types: TypeNames
  readonly #sender: Sender
  readonly #receiver: Receiver
  readonly #retention: Retention
  readonly #requests: Requests
  readonly #streams: StreamTable
  readonly #lanes: Lanes | undefined
  readonly #pings: Pings
  readonly #exporter: Uint8Array
  readonly #roundTrips: RoundTrips
  readonly #window: AdaptiveWindow
  readonly #epochMs: number
  readonly #heartbeat: Heartbeat
  readonly #gone = Promise.withResolvers<void>()
  readonly #confirmation = Promise.withResolvers<void>()
  #state: 'open' | 'closing' | 'closed' = 'open'
  #error: SessionError | undefined
  #isConfirmed = false
  #nextId = 0
  #stamp = 0
  /** The count of records at which `#stamp` was read: it holds until that record is sealed, at the end of the turn. */
  #stampedRecord = noRecord
  #lastHeardMs: number
  #peerMessageBytesMax = 0
  #rekeysReceived = 0
  #pingsInRecord = 0
  #firstPing: Timer | undefined
  /** When our settings left, or an initiator's finish. */
  #settingsMs: number
  /** The record being read ends the peer's key. */
  #isKeyUpdateDue = false

  constructor(
    environment: SessionEnvironment,
    connection: Connection,
    established: Established,
    { isInitiator, roles, handlers }: SessionParameters,
  ) {
    const { clock, buffers, rekey, compressionThresholdBytes, dataWindowBytes, messageBytesMax } =
      environment
    const { agreement, secrets } = established
    this.#environment = environment
    this.#connection = connection
    this.#handlers = handlers
    this.peer = established.peer
    this.agreement = agreement
    this.pattern = established.pattern
    this.transcript = established.transcript
    this.isInitiator = isInitiator
    this.roles = roles
    this.#epochMs = established.epochMs
    this.#exporter = secrets.exporter
    // Before the ciphers below, which own the secrets and move on.
    this.#lanes =
      connection.stream.lanes &&
      new Lanes({
        transport: connection.stream.lanes,
        session: this,
        suite: agreement.suite,
        secrets,
        writing: { buffers, clock, rekey },
      })
    this.#opener = new RecordOpener(agreement.suite, secrets.receive)
    const sealer = new RecordSealer(agreement.suite, secrets.send)
    const { stream } = connection
    const { compression } = agreement
    this.#writer = new RecordWriter({
      stream,
      sealer,
      buffers,
      clock,
      compression,
      compressionThresholdBytes,
      rekey,
    })
    this.#types = new TypeNames(environment.builtInTypes)
    this.#streams = new StreamTable(this, isInitiator)
    this.#sender = new Sender(this.#writer, this.#streams, () => this.#handlers.drain?.(this))
    this.#roundTrips = new RoundTrips(clock, roundTripSpanMs)
    const windowBytesMin = Math.min(dataWindowBytesMin, dataWindowBytes)
    this.#window = new AdaptiveWindow(this.#roundTrips, windowBytesMin, dataWindowBytes)
    this.#receiver = new Receiver({
      window: this.#window,
      heldBytesMax: dataWindowBytes,
      messageBytesMax,
      announce: (limit) => this.control(encodeFrame.maxData(limit)),
    })
    this.#retention = new Retention(retainedWindowsMax * dataWindowBytes)
    this.#requests = new Requests(clock)
    this.#pings = new Pings(clock)
    this.#lastHeardMs = clock.monotonicMs()
    this.#settingsMs = this.#lastHeardMs
    this.confirmed = this.#confirmation.promise
    this.confirmed.catch(() => {})
    this.#heartbeat = this.#startHeartbeat()
    connection.decoder.payloadBytesMax = recordBytesMax + tagBytes
    connection.useBuffers(buffers)
  }

  get isResumed(): boolean {
    return this.pattern === 'NNpsk0'
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get remoteAddress(): string {
    return this.#connection.stream.remoteAddress
  }

  get transport(): string {
    return this.#connection.stream.transport
  }

  get stats(): SessionStats {
    const lanes = this.#lanes?.counts
    return {
      messagesSent: this.#sender.messagesSent,
      messagesReceived: this.#receiver.messagesReceived,
      bytesSent: this.#writer.bytes + (lanes?.bytesSent ?? 0),
      bytesReceived: this.#connection.receivedBytes + (lanes?.bytesReceived ?? 0),
      recordsSent: this.#writer.records + (lanes?.recordsSent ?? 0),
      rekeysSent: this.#writer.rekeys + (lanes?.rekeysSent ?? 0),
      rekeysReceived: this.#rekeysReceived + (lanes?.rekeysReceived ?? 0),
      streamsOpen: this.#streams.openCount,
      requestsPending: this.#requests.pendingCount,
      queuedBytes: this.#sender.queuedBytes,
      heldBytes: this.#receiver.heldBytes,
      windowBytes: this.#window.bytes,
      roundTripMs: this.#roundTrips.shortestMs,
    }
  }

  // ── The user's side ────────────────────────────────────────────────────────────────────────────────────

  post(type: string, payload: Uint8Array, options?: SendOptions): boolean {
    return this.#send(type, payload, 0, this.#takeId(), options?.priority)
  }

  postMany(
    type: string,
    payloads: readonly Uint8Array[],
    { priority = 'normal' }: SendOptions = {},
  ): boolean {
    this.#requireOpen()
    for (const payload of payloads) this.#requireTakes(payload)
    const flags = priorityNumbers[priority] << messageFlags.priorityShift
    const firstId = this.#nextId
    this.#nextId = (firstId + payloads.length) >>> 0
    return this.#sender.sendMany(flags, this.typeId(type), firstId, this.#timestamp(), payloads)
  }

  async request(
    type: string,
    payload: Uint8Array,
    options: RequestOptions & SendOptions = {},
  ): Promise<IncomingMessage> {
    if (this.#requests.isFull) {
      const message = 'too many requests wait for their response; wait for some'
      throw new SessionError('SESSION_REQUESTS_FULL', message, { kind: 'recoverable' })
    }
    options.signal?.throwIfAborted()
    const id = this.#takeId()
    this.#send(type, payload, messageFlags.request, id, options.priority)
    return await this.#requests.wait(id, options)
  }

  openStream(type: string): SessionStream {
    this.#requireOpen()
    // Names and numbers the type here, where the caller hears that there are too many; not while pumping.
    this.typeId(type)
    const stream = this.#streams.open(type)
    this.#streams.ready(stream)
    return stream
  }

  ping(): Promise<number> {
    this.#requireOpen()
    const { nonce, answer } = this.#pings.start(this.#receiver.receivedBytes)
    this.control(encodeFrame.ping(nonce))
    return answer
  }

  exportSecret(label: string, context: Uint8Array, bytes?: number): Uint8Array {
    this.#requireOpen()
    return exportFrom(this.#exporter, label, context, bytes)
  }

  close(
    code: 'SESSION_CLOSED' | 'SESSION_GOING_AWAY' = 'SESSION_CLOSED',
    reason = '',
  ): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closing'
      this.#error = refusal(code, { detail: reason, kind: 'recoverable' })
      this.#environment.clock.setTimer(this.#environment.closeTimeoutMs, () =>
        this.#finishClosing(),
      )
      this.pump()
    }
    return this.#gone.promise
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #send(
    type: string,
    payload: Uint8Array,
    flags: number,
    id: number,
    priority: Priority = 'normal',
  ): boolean {
    this.#requireOpen()
    this.#requireTakes(payload)
    const allFlags = flags | (priorityNumbers[priority] << messageFlags.priorityShift)
    return this.#sender.send(allFlags, this.typeId(type), id, this.#timestamp(), payload)
  }

  /** Sends what can be sent now. */
  pump(): void {
    if (this.#state === 'closed') return
    this.#sender.pump()
    // What fills the main stream does not hold up lanes.
    if (this.#lanes !== undefined && this.#writer.isBlocked)
      while (this.#streams.sendOne(this.#writer, this.#sender.credit)) {}
    if (this.#state === 'closing' && this.#sender.isEmpty && !this.#streams.hasOutput) {
      // The close frame must not overtake what is under way on lanes.
      if (this.#lanes?.isConfirmed() ?? true) this.#finishClosing()
    }
  }

  // ── What establishment, messages and streams need ──────────────────────────────────────────────────────

  /** The responder's first word: the peer is accepted, and this much it may send. */
  accept(): void {
    const { messageBytesMax } = this.#environment
    const streamDataMax = streamWindowBytes
    this.control(
      encodeFrame.settings({
        dataMax: this.#window.bytes,
        streamDataMax,
        streamsMax,
        messageBytesMax,
      }),
    )
    this.#settingsMs = this.#environment.clock.monotonicMs()
    this.#writer.flush()
  }

  /** Ends a session that was never accepted, telling the peer why. */
  refuse(error: SessionError): void {
    this.#fail(error.code)
  }

  releaseMessage(costBytes: number, lease: Lease | undefined): void {
    if (lease !== undefined) this.#retention.give(lease)
    this.releaseData(costBytes)
  }

  releaseData(bytes: number): void {
    this.#receiver.release(bytes)
  }

  reply(id: number, type: string, payload: Uint8Array, priority: Priority): boolean {
    return this.#respond(id, type, payload, messageFlags.response, priority)
  }

  canReply(bytes: number): boolean {
    return this.#state !== 'open' || this.#sender.hasRoom(bytes)
  }

  /** Never throws: it is the answer where others failed, and the peer decides how much it takes. */
  replyFailure(id: number, code: number, message: string): boolean {
    const flags = messageFlags.response | messageFlags.failure
    const failure = encodeFailure(code, message)
    // Asked first: a peer that reads no answer chooses how often, and an error with its trace is dear.
    if (!this.#sender.hasRoom(failure.length)) return false
    try {
      return this.#respond(id, 'data', failure, flags, 'normal')
    } catch (error) {
      if (error instanceof SessionError) return false
      throw error
    }
  }

  /** A response to a session that has ended goes nowhere, and that is no error of the handler. */
  #respond(
    id: number,
    type: string,
    payload: Uint8Array,
    flags: number,
    priority: Priority,
  ): boolean {
    if (this.#state !== 'open') return false
    return this.#send(type, payload, flags, id, priority)
  }

  control(frame: Uint8Array): void {
    if (this.#state === 'closed') return
    this.#writer.control(frame)
    const { stream } = this.#connection
    if (this.#writer.isBlocked && stream.bufferedBytes > controlBacklogBytesMax)
      this.#fail('SESSION_FLOW_CONTROL', 'it does not read what it causes')
  }

  typeName(typeId: number): string | undefined {
    return this.#types.nameOf(typeId)
  }

  typeId(name: string): number {
    const known = this.#types.numberOf(name)
    if (known !== undefined) return known
    if (name === '' || Buffer.byteLength(name) > typeNameBytesMax) {
      const message = `a message type needs a name of 1 to ${typeNameBytesMax} bytes; shorten "${name.slice(0, 32)}…"`
      throw new SessionError('SESSION_OPTION', message, { kind: 'usage' })
    }
    const number = this.#types.announce(name)
    if (number === undefined) {
      const message = 'too many message types in one session; use fewer names'
      throw new SessionError('SESSION_TYPES_FULL', message, { kind: 'usage' })
    }
    this.control(encodeFrame.defineType(number, name))
    return number
  }

  incomingStream(stream: SessionStream): void {
    this.#handlers.stream(stream, this)
  }

  get hasLanes(): boolean {
    return this.#lanes !== undefined
  }

  openLane(streamId: number): Lane | undefined {
    return this.#lanes?.open(streamId)
  }

  laneOf(streamId: number): Lane | undefined {
    return this.#lanes?.of(streamId)
  }

  mayBeOpened(streamId: number): boolean {
    return this.#streams.mayBeOpened(streamId)
  }

  isExpecting(streamId: number): boolean {
    return this.#streams.isExpecting(streamId)
  }

  resumeStream(streamId: number): void {
    this.#streams.resume(streamId)
  }

  heard(): void {
    this.#lastHeardMs = this.#environment.clock.monotonicMs()
  }

  laneFault(code: SessionErrorCode, detail: string): void {
    this.#fail(code, detail)
  }

  streamWindow(): AdaptiveWindow {
    return new AdaptiveWindow(this.#roundTrips, streamWindowBytes, this.#window)
  }

  // ── Packets and the connection ─────────────────────────────────────────────────────────────────────────

  packet(flags: number, header: Uint8Array, payload: Uint8Array): void {
    if (this.#state === 'closed') return
    if ((flags & packetFlags.encrypted) === 0) {
      this.#clearPacket(flags, payload)
      return
    }
    this.#lastHeardMs = this.#environment.clock.monotonicMs()
    const opened = this.#opener.open(header, payload)
    if (opened === undefined) {
      this.#fail('SESSION_RECORD_OPEN')
      return
    }
    const record = (flags & packetFlags.compressed) === 0 ? opened : this.#decompress(opened)
    if (record === undefined) return
    if (!this.#isConfirmed && !beginsSession(record[0])) {
      this.#fail('SESSION_PROTOCOL', 'settings come first')
      return
    }
    // Short records share memory, and one message keeps all of it.
    this.#retention.begin(record.buffer.byteLength)
    this.#pingsInRecord = 0
    const fault = readFrames(record, this)
    if (fault !== undefined) this.#fail('SESSION_PROTOCOL', fault)
    else if (this.#isKeyUpdateDue) this.#updateKey()
  }

  /**
   * Before the peer has confirmed the session, an alert may be its refusal of our last handshake message; it
   * has no other way to tell. After that anyone but the peer may have sent it, and it changes nothing.
   */
  #clearPacket(flags: number, payload: Uint8Array): void {
    const code = decodeAlert(flags, payload)
    if (code === undefined) {
      this.#fail('SESSION_PROTOCOL', 'a packet in the clear')
    } else if (!this.#isConfirmed) {
      this.#end(refusal(code, { isUnauthenticated: true, detail: 'as the peer says' }))
      this.#connection.stream.destroy()
    }
  }

  packetFault(fault: PacketFault): void {
    this.#fail('SESSION_PROTOCOL', fault)
  }

  drained(): void {
    this.#writer.isBlocked = false
    this.#writer.flush()
    this.pump()
  }

  ended(): void {
    this.#end(refusal('SESSION_LOST', { detail: 'the peer hung up', kind: 'recoverable' }))
    this.#connection.stream.end()
  }

  closed(error?: Error): void {
    this.#end(
      refusal('SESSION_LOST', { detail: error?.message ?? '', cause: error, kind: 'recoverable' }),
    )
    this.#gone.resolve()
  }

  #decompress(opened: Uint8Array): Uint8Array | undefined {
    const { compression } = this.agreement
    if (compression === 'none') {
      this.#fail('SESSION_PROTOCOL', 'compressed although no compression was agreed')
      return undefined
    }
    const result = decompress(compression, opened, { outputBytesMax: recordBytesMax })
    if (!result.ok) this.#fail('SESSION_PROTOCOL', result.fault)
    else if (isOneMessage(result.value)) return result.value
    else this.#fail('SESSION_PROTOCOL', 'compressed although it is not one message')
    return undefined
  }

  // ── Frames ─────────────────────────────────────────────────────────────────────────────────────────────

  messageReceived(
    flags: number,
    typeId: number,
    id: number,
    timestamp: number,
    payload: Uint8Array,
  ): void {
    if (this.#state === 'closed') return
    if ((flags & messageFlags.more) !== 0) {
      this.#check(this.#receiver.firstPart(flags, typeId, id, timestamp, payload))
      return
    }
    const costBytes = messageCreditBytes + payload.length
    const violation = this.#receiver.whole(payload, costBytes)
    if (violation !== undefined) this.#fail(violation)
    else this.#deliver(flags, typeId, id, timestamp, payload, costBytes, true)
  }

  messagePartReceived(flags: number, id: number, payload: Uint8Array): void {
    if (this.#state === 'closed') return
    const whole = this.#receiver.laterPart(flags, id, payload)
    if (typeof whole === 'string') {
      this.#fail(whole)
    } else if (whole !== undefined) {
      const { typeId, timestamp, costBytes } = whole
      this.#deliver(whole.flags, typeId, id, timestamp, whole.payload, costBytes, false)
    }
  }

  streamReceived(flags: number, typeId: number, streamId: number, payload: Uint8Array): void {
    if (this.#state === 'closed') return
    if (payload.length === 0 && flags === 0) {
      this.#fail('SESSION_PROTOCOL', 'a stream frame that says nothing')
      return
    }
    if (!this.#receiver.receive(streamCreditBytes + payload.length)) {
      this.#fail('SESSION_FLOW_CONTROL')
      return
    }
    // A chunk costs its object too until it is taken: many short ones are no way round the window.
    if (payload.length === 0) this.#receiver.release(streamCreditBytes)
    // A short chunk may wait long, and must not keep the whole record alive that it came in.
    const chunk = payload.length < partCopiedBytesMax ? payload.slice() : payload
    this.#check(this.#streams.data(flags, typeId, streamId, chunk))
  }

  streamResetReceived(streamId: number, code: number): void {
    this.#check(this.#streams.reset(streamId, code))
  }

  streamStopReceived(streamId: number, code: number): void {
    this.#check(this.#streams.stop(streamId, code))
  }

  maxDataReceived(limit: number): void {
    this.#sender.credit.raise(limit)
    this.pump()
  }

  maxStreamDataReceived(streamId: number, limit: number): void {
    this.#check(this.#streams.raiseStreamLimit(streamId, limit))
  }

  maxStreamsReceived(limit: number): void {
    this.#streams.raiseOpenLimit(limit)
  }

  settingsReceived(settings: SettingsFrame): void {
    if (this.#state === 'closed') return
    if (this.#isConfirmed) {
      this.#fail('SESSION_PROTOCOL', 'settings twice')
      return
    }
    this.#isConfirmed = true
    this.#peerMessageBytesMax = settings.messageBytesMax
    this.#streams.configure(settings.streamsMax, settings.streamDataMax)
    this.#sender.credit.raise(settings.dataMax)
    this.#measureHandshake()
    if (this.isInitiator) this.accept()
    this.#confirmation.resolve()
    this.#handlers.opened?.(this)
    this.#lanes?.start()
    this.pump()
  }

  /** The first round trip: a responder's settings are answered at once, an initiator's finish when it is accepted. */
  #measureHandshake(): void {
    const { clock } = this.#environment
    const roundTripMs = clock.monotonicMs() - this.#settingsMs
    this.#roundTrips.add(Math.max(0, roundTripMs - handshakeWorkMs))
    const { receivedBytes } = this.#receiver
    this.#firstPing = clock.setTimer(firstPingMs, () => {
      const bytes = this.#receiver.receivedBytes - receivedBytes
      if (this.isOpen && bytes <= roundTripBytesMax) this.ping().catch(() => {})
    })
  }

  defineTypeReceived(typeId: number, name: string): void {
    if (!this.#types.learn(typeId, name))
      this.#fail('SESSION_PROTOCOL', 'a message type that cannot be defined')
  }

  keyUpdateReceived(): void {
    // Each costs some hashing; a correct peer's is the last frame of its record (R029).
    if (this.#isKeyUpdateDue) this.#fail('SESSION_PROTOCOL', 'two key updates in one record')
    this.#isKeyUpdateDue = true
  }

  #updateKey(): void {
    if (this.#state === 'closed') return
    this.#isKeyUpdateDue = false
    this.#opener.update()
    this.#rekeysReceived += 1
  }

  pingReceived(nonce: Uint8Array): void {
    // A peer that does not read while it pings gets no more answers than fit the open record, and one that pings
    // without end gets few: no correct peer has more under way.
    this.#pingsInRecord += 1
    if (this.#writer.isBlocked || this.#pingsInRecord > pingsMax) return
    this.control(encodeFrame.pong(nonce))
  }

  pongReceived(nonce: Uint8Array): void {
    const answered = this.#pings.answer(nonce)
    if (answered === undefined) return
    const bytes = this.#receiver.receivedBytes - answered.receivedBytes
    if (bytes <= roundTripBytesMax) this.#roundTrips.add(answered.roundTripMs)
  }

  closeReceived(number: number, reason: string): void {
    if (this.#state === 'closed') return
    const detail = reason === '' ? 'as the peer says' : `the peer says: ${reason}`
    this.#end(refusal(codeOfNumber(number), { detail, kind: 'recoverable' }))
    this.#connection.stream.end()
    this.#lingerThenDestroy()
  }

  /** Plain values all the way to the message: it is the only object that is made for one. */
  #deliver(
    flags: number,
    typeId: number,
    id: number,
    timestamp: number,
    payload: Uint8Array,
    costBytes: number,
    isView: boolean,
  ): void {
    const type = this.#types.nameOf(typeId)
    if (type === undefined) {
      this.#fail('SESSION_PROTOCOL', 'a message of an undefined type')
      return
    }
    const kind = kindOf(flags)
    const priority = priorities[
      (flags & messageFlags.priorityMask) >> messageFlags.priorityShift
    ] as Priority
    const sentMs = this.#epochMs + timestamp
    const isCopied = isView && this.#retention.mustCopy(payload.length)
    const message = new IncomingMessage(
      this,
      kind,
      type,
      id,
      priority,
      sentMs,
      isCopied ? payload.slice() : payload,
      costBytes,
      isView && !isCopied ? this.#retention.take() : undefined,
    )
    if (kind !== 'response') {
      this.#handlers.message(message, this)
      return
    }
    message.release()
    if ((flags & messageFlags.failure) === 0) this.#requests.resolve(id, message)
    else this.#requests.reject(id, decodeFailure(payload))
  }

  // ── The end ────────────────────────────────────────────────────────────────────────────────────────────

  #finishClosing(): void {
    if (this.#state === 'closing' && this.#error !== undefined) this.#sayGoodbye(this.#error)
  }

  /** The peer broke a rule, or died. */
  #fail(code: SessionErrorCode, detail?: string): void {
    if (this.#state === 'closed') return
    this.#sayGoodbye(refusal(code, detail === undefined ? {} : { detail }))
  }

  #sayGoodbye(error: SessionError): void {
    this.#writer.control(encodeFrame.close(closeCodes[error.code], ''))
    this.#writer.flush()
    this.#end(error)
    this.#connection.stream.end()
    this.#lingerThenDestroy()
  }

  /** The last bytes get their time, whatever the peer does. */
  #lingerThenDestroy(): void {
    const { ended, refused } = this.#environment
    const lingering = this.#isConfirmed ? ended : refused
    lingering.add(this.#connection.stream)
  }

  /** The session is over, whoever ended it: nothing is delivered after this. */
  #end(error: SessionError): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    const reason = this.#error ?? error
    this.#error = reason
    this.#heartbeat.stop()
    this.#firstPing?.cancel()
    this.#writer.close()
    this.#opener[Symbol.dispose]()
    wipe(this.#exporter)
    this.#lanes?.end()
    this.#sender.clear()
    this.#receiver.clear()
    this.#requests.rejectAll(reason)
    this.#streams.failAll(reason)
    this.#pings.failAll(reason)
    this.#confirmation.reject(reason)
    // The owner of a session that never opened hears of it from `dialSession` or `acceptSession`.
    if (this.#isConfirmed) this.#handlers.closed(reason, this)
  }

  #requireOpen(): void {
    if (this.#state === 'open') return
    const cause = this.#error
    throw refusal(cause?.code ?? 'SESSION_CLOSED', { cause, kind: 'recoverable' })
  }

  #requireTakes({ length }: Uint8Array): void {
    const bytesMax = this.#peerMessageBytesMax
    if (bytesMax === 0 || length <= bytesMax) return
    const message = `a message of ${length} bytes exceeds the peer's limit of ${bytesMax}; send a stream`
    throw new SessionError('SESSION_MESSAGE_TOO_LARGE', message, { kind: 'usage' })
  }

  #check(code: SessionErrorCode | undefined): void {
    if (code !== undefined) this.#fail(code)
  }

  #takeId(): number {
    const id = this.#nextId
    this.#nextId = (id + 1) >>> 0
    return id
  }

  /**
   * Milliseconds since the epoch, u32: a session that lives for 49 days wraps. Reading the clock costs more than
   * writing a header, so the messages of one record share a reading, unless the record waits for the transport.
   */
  #timestamp(): number {
    const { records, isBlocked } = this.#writer
    if (this.#stampedRecord !== records || isBlocked) {
      this.#stampedRecord = records
      this.#stamp = Math.max(0, this.#environment.clock.wallMs() - this.#epochMs) >>> 0
    }
    return this.#stamp
  }

  #startHeartbeat(): Heartbeat {
    const { clock, heartbeatIntervalMs, heartbeatMissesMax } = this.#environment
    return heartbeat({ intervalMs: heartbeatIntervalMs, missesMax: heartbeatMissesMax })({
      clock,
      lastHeardMs: () => this.#lastHeardMs,
      lastSentMs: () => this.#writer.lastWriteMs,
      ping: () => {
        // Before the settings of both sides nothing else may be said.
        if (this.#isConfirmed && this.isOpen) this.ping().catch(() => {})
      },
      peerDead: (silentMs) =>
        this.#fail('SESSION_PEER_DEAD', `silent for ${Math.round(silentMs / 1000)} s`),
      tick: () => {
        this.#writer.rekeyIfOld()
        this.#window.relax()
      },
    })
  }
}

/**
 * Only a record of one message is compressed. It costs credit for what it unpacks to, so that a few bytes on the wire
 * cannot cause work and memory without end.
 */
function isOneMessage(record: Uint8Array): boolean {
  const [kind = frameKinds.padding] = record
  const isPart = kind === frameKinds.messagePart
  const head = isPart ? messagePartHeaderBytes : messageHeaderBytes
  if ((kind !== frameKinds.message && !isPart) || record.length < head) return false
  const { buffer, byteOffset } = record
  return head + new DataView(buffer, byteOffset).getUint32(head - 4) === record.length
}

/** The first frame is the settings, or the close frame of a peer that refuses us. */
function beginsSession(frameKind: number | undefined): boolean {
  return frameKind === frameKinds.settings || frameKind === frameKinds.close
}

function kindOf(flags: number): MessageKind {
  if ((flags & messageFlags.response) !== 0) return 'response'
  return (flags & messageFlags.request) === 0 ? 'message' : 'request'
}
