// One lane: a byte stream beside the main one that carries the frames of a single stream, under keys of its own, so
// that what is lost of one stream holds up no other (docs/protocol.md, "Lanes"). It begins with a packet in the clear
// that names the stream; that id is part of the keys, so no record opens under another.

import type { ByteStream, ByteStreamHandlers } from '@myelin/transport'
import {
  encodeFrame,
  type FrameSink,
  frameKinds,
  PacketDecoder,
  type PacketSink,
  packetFlags,
  packetHeaderBytes,
  readFrames,
  type SettingsFrame,
  writePacketHeader,
} from '@myelin/wire'
import { controlBacklogBytesMax, pingsMax, recordBytesMax } from './limits.ts'
import { type RecordOpener, tagBytes } from './record-cipher.ts'
import type { RecordWriter } from './record-writer.ts'

const laneIdBytes = 4
const pingNonce = new Uint8Array(8)

/** The frames of one stream, and what may come before the first of them. */
export interface LaneFrames
  extends Pick<
    FrameSink,
    | 'streamReceived'
    | 'streamResetReceived'
    | 'streamStopReceived'
    | 'maxStreamDataReceived'
    | 'defineTypeReceived'
  > {}

/** For the statistics of the session. */
export interface LaneCounts {
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly recordsSent: number
  readonly rekeysSent: number
  readonly rekeysReceived: number
}

export interface LaneKeys {
  readonly writer: RecordWriter
  readonly opener: RecordOpener
}

/** What a lane needs of its session. */
export interface LaneHost extends LaneFrames {
  /** The peer's lane says whose it is: its keys, or undefined where there must be no such lane. */
  claim(lane: Lane, streamId: number): LaneKeys | undefined
  /** The peer broke a rule: the session is over. */
  laneFault(
    code: 'SESSION_PROTOCOL' | 'SESSION_RECORD_OPEN' | 'SESSION_FLOW_CONTROL',
    detail: string,
  ): void
  /** Its stream still expects something. */
  isExpecting(streamId: number): boolean
  heard(): void
  /** It takes more, or has told what it should. */
  laneReady(lane: Lane): void
  laneClosed(lane: Lane): void
}

export class Lane implements ByteStreamHandlers, PacketSink, FrameSink {
  readonly stream: ByteStream
  readonly #host: LaneHost
  readonly #decoder: PacketDecoder
  #id: number | undefined
  #keys: LaneKeys | undefined
  /** What was sent has not been confirmed: a ping is due, or under way. */
  #unconfirmed: 'ping-due' | 'pong-due' | undefined
  #bytesReceived = 0
  #rekeysReceived = 0
  #pingsInRecord = 0
  #isKeyUpdateDue = false
  #isPeerEnded = false
  #isOver = false

  constructor(
    stream: ByteStream,
    host: LaneHost,
    own?: { readonly id: number; readonly keys: LaneKeys },
  ) {
    this.stream = stream
    this.#host = host
    this.#id = own?.id
    this.#keys = own?.keys
    const payloadBytesMax = own === undefined ? laneIdBytes : recordBytesMax + tagBytes
    this.#decoder = new PacketDecoder({ payloadBytesMax })
  }

  /** For the stream's own frames. */
  get writer(): RecordWriter {
    return (this.#keys as LaneKeys).writer
  }

  get counts(): LaneCounts {
    const writer = this.#keys?.writer
    return {
      bytesSent: writer?.bytes ?? 0,
      bytesReceived: this.#bytesReceived,
      recordsSent: writer?.records ?? 0,
      rekeysSent: writer?.rekeys ?? 0,
      rekeysReceived: this.#rekeysReceived,
    }
  }

  get id(): number | undefined {
    return this.#id
  }

  /** Says whose lane it is; the first thing on it. */
  announce(): void {
    const packet = new Uint8Array(packetHeaderBytes + laneIdBytes)
    writePacketHeader(packet, 0, packetFlags.none, laneIdBytes)
    new DataView(packet.buffer).setUint32(packetHeaderBytes, this.#id as number)
    this.stream.write(packet)
  }

  /** Something of the stream was written into the writer. */
  noteSent(): void {
    this.#unconfirmed ??= 'ping-due'
    if (this.#unconfirmed === 'pong-due') this.#unconfirmed = 'ping-due'
  }

  control(frame: Uint8Array): void {
    if (this.#isOver) return
    this.noteSent()
    this.writer.control(frame)
    if (this.writer.isBlocked && this.stream.bufferedBytes > controlBacklogBytesMax)
      this.#host.laneFault('SESSION_FLOW_CONTROL', 'it does not read what it causes on a lane')
  }

  /** The peer has all that was sent; else it is asked to say so. */
  isConfirmed(): boolean {
    if (this.#isOver || this.#isPeerEnded || this.#keys === undefined) return true
    if (this.#unconfirmed === 'ping-due') {
      this.#unconfirmed = 'pong-due'
      this.writer.control(encodeFrame.ping(pingNonce))
    }
    return this.#unconfirmed === undefined
  }

  /** Its stream is over: nothing more is sent. */
  finish(): void {
    if (this.#isOver) return
    this.writer.flush()
    this.stream.end()
  }

  /** The session is over. The byte stream goes with the main one. */
  dispose(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#keys?.writer.close()
    this.#keys?.opener[Symbol.dispose]()
  }

  data(chunk: Uint8Array): void {
    if (this.#isOver) return
    this.#bytesReceived += chunk.length
    const fault = this.#decoder.push(chunk, this)
    if (fault !== undefined) this.#fail('SESSION_PROTOCOL', fault)
  }

  drain(): void {
    if (this.#isOver || this.#keys === undefined) return
    this.writer.isBlocked = false
    this.writer.flush()
    this.#host.laneReady(this)
  }

  end(): void {
    if (this.#isOver) return
    this.#isPeerEnded = true
    const id = this.#id
    if (id === undefined || this.#host.isExpecting(id))
      this.#fail('SESSION_PROTOCOL', 'a lane that ends before its stream')
    else {
      this.finish()
      this.#host.laneReady(this)
    }
  }

  closed(error?: Error): void {
    if (this.#isOver) return
    if (error !== undefined && (this.#id === undefined || this.#host.isExpecting(this.#id))) {
      this.#fail('SESSION_PROTOCOL', 'a lane that breaks before its stream ends')
      return
    }
    this.dispose()
    this.#host.laneClosed(this)
  }

  packet(flags: number, header: Uint8Array, payload: Uint8Array): void {
    if (this.#isOver) return
    if (this.#keys === undefined) {
      this.#named(flags, payload)
      return
    }
    if (flags !== packetFlags.encrypted) {
      this.#fail('SESSION_PROTOCOL', 'a packet on a lane that is no plain record')
      return
    }
    this.#host.heard()
    const record = this.#keys.opener.open(header, payload)
    if (record === undefined) {
      this.#fail('SESSION_RECORD_OPEN', 'a record of a lane')
      return
    }
    this.#pingsInRecord = 0
    const fault = readFrames(record, this)
    if (fault !== undefined) this.#fail('SESSION_PROTOCOL', fault)
    else if (this.#isKeyUpdateDue && !this.#isOver) {
      this.#isKeyUpdateDue = false
      this.#keys.opener.update()
      this.#rekeysReceived += 1
    }
  }

  #named(flags: number, payload: Uint8Array): void {
    if (flags !== packetFlags.none || payload.length !== laneIdBytes) {
      this.#fail('SESSION_PROTOCOL', 'a lane that does not say whose it is')
      return
    }
    const id = new DataView(payload.buffer, payload.byteOffset).getUint32(0)
    const keys = this.#host.claim(this, id)
    if (keys === undefined) {
      this.#fail('SESSION_PROTOCOL', 'a lane for a stream that can have none')
      return
    }
    this.#id = id
    this.#keys = keys
    this.#decoder.payloadBytesMax = recordBytesMax + tagBytes
  }

  // ── Frames: those of its stream, and few others ──────────────────────────────────────────────────────

  streamReceived(flags: number, typeId: number, streamId: number, payload: Uint8Array): void {
    if (this.#isOwn(streamId)) this.#host.streamReceived(flags, typeId, streamId, payload)
  }

  streamResetReceived(streamId: number, code: number): void {
    if (this.#isOwn(streamId)) this.#host.streamResetReceived(streamId, code)
  }

  streamStopReceived(streamId: number, code: number): void {
    if (this.#isOwn(streamId)) this.#host.streamStopReceived(streamId, code)
  }

  maxStreamDataReceived(streamId: number, limit: number): void {
    if (this.#isOwn(streamId)) this.#host.maxStreamDataReceived(streamId, limit)
  }

  defineTypeReceived(typeId: number, name: string): void {
    if (!this.#isOver) this.#host.defineTypeReceived(typeId, name)
  }

  keyUpdateReceived(): void {
    if (this.#isKeyUpdateDue) this.#fail('SESSION_PROTOCOL', 'two key updates in one record')
    this.#isKeyUpdateDue = true
  }

  pingReceived(nonce: Uint8Array): void {
    if (this.#isOver) return
    this.#pingsInRecord += 1
    if (this.writer.isBlocked || this.#pingsInRecord > pingsMax) return
    this.writer.control(encodeFrame.pong(nonce))
  }

  pongReceived(_nonce: Uint8Array): void {
    if (this.#unconfirmed !== 'pong-due') return
    this.#unconfirmed = undefined
    this.#host.laneReady(this)
  }

  settingsReceived(_settings: SettingsFrame): void {
    this.#refuse(frameKinds.settings)
  }

  closeReceived(): void {
    this.#refuse(frameKinds.close)
  }

  messageReceived(): void {
    this.#refuse(frameKinds.message)
  }

  messagePartReceived(): void {
    this.#refuse(frameKinds.messagePart)
  }

  maxDataReceived(): void {
    this.#refuse(frameKinds.maxData)
  }

  maxStreamsReceived(): void {
    this.#refuse(frameKinds.maxStreams)
  }

  #isOwn(streamId: number): boolean {
    if (this.#isOver) return false
    if (streamId === this.#id) return true
    this.#fail('SESSION_PROTOCOL', 'a frame of another stream on a lane')
    return false
  }

  #refuse(kind: number): void {
    this.#fail('SESSION_PROTOCOL', `a frame of kind ${kind} on a lane`)
  }

  #fail(code: 'SESSION_PROTOCOL' | 'SESSION_RECORD_OPEN', detail: string): void {
    if (!this.#isOver) this.#host.laneFault(code, detail)
  }
}
