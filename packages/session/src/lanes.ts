// The lanes of a session: which stream has which, and their keys. Secrets of lanes come from a root per direction that
// is derived when the session is established, so that neither key updates on the main stream nor the order in which
// lanes arrive matter:
//
//   root(direction)       = HKDF-Expand(secret_0(direction), "myelin lanes")
//   secret_0(lane)        = HKDF-Expand(root(direction), "myelin lane" ‖ stream id (u32))
//
// and from there on as for the main stream (traffic-secrets.ts). A stream has one lane, ever: no secret is used twice.

import { concatBytes, utf8Encode } from '@myelin/base'
import { hkdfExpand, wipe } from '@myelin/crypto'
import type { ByteStream, StreamLanes } from '@myelin/transport'
import { Lane, type LaneCounts, type LaneFrames, type LaneHost, type LaneKeys } from './lane.ts'
import { lanesMax } from './limits.ts'
import type { SuiteName } from './negotiation.ts'
import type { RecordBuffers } from './record-buffers.ts'
import { RecordOpener, RecordSealer } from './record-cipher.ts'
import { RecordWriter, type RecordWriterOptions } from './record-writer.ts'
import type { TrafficSecrets } from './traffic-secrets.ts'

const secretBytes = 32
const rootLabel = utf8Encode('myelin lanes')
const laneLabel = utf8Encode('myelin lane')
const noCounts: LaneCounts = {
  bytesSent: 0,
  bytesReceived: 0,
  recordsSent: 0,
  rekeysSent: 0,
  rekeysReceived: 0,
}

/** What the lanes need of their session. */
export interface LaneSession
  extends LaneFrames,
    Pick<LaneHost, 'laneFault' | 'isExpecting' | 'heard'> {
  /** The peer may open a stream of this id, and has not. */
  mayBeOpened(streamId: number): boolean
  pump(): void
  /** The stream's lane takes more. */
  resumeStream(streamId: number): void
}

export interface LanesOptions {
  readonly transport: StreamLanes
  readonly session: LaneSession
  readonly suite: SuiteName
  /** Of the session; still its owner's. */
  readonly secrets: Pick<TrafficSecrets, 'send' | 'receive'>
  readonly writing: Pick<RecordWriterOptions, 'clock' | 'rekey'> & {
    readonly buffers: RecordBuffers
  }
}

export class Lanes {
  readonly #options: LanesOptions
  readonly #host: LaneHost
  readonly #sendRoot: Uint8Array
  readonly #receiveRoot: Uint8Array
  readonly #lanes = new Set<Lane>()
  readonly #byStream = new Map<number, Lane>()
  /** Of lanes that are gone. */
  #past: LaneCounts = noCounts
  #isStarted = false
  #isOver = false

  constructor(options: LanesOptions) {
    const { transport, secrets, session } = options
    this.#options = options
    this.#sendRoot = hkdfExpand('sha256', secrets.send, rootLabel, secretBytes)
    this.#receiveRoot = hkdfExpand('sha256', secrets.receive, rootLabel, secretBytes)
    this.#host = {
      streamReceived: (flags, typeId, id, payload) =>
        session.streamReceived(flags, typeId, id, payload),
      streamResetReceived: (id, code) => session.streamResetReceived(id, code),
      streamStopReceived: (id, code) => session.streamStopReceived(id, code),
      maxStreamDataReceived: (id, limit) => session.maxStreamDataReceived(id, limit),
      defineTypeReceived: (typeId, name) => session.defineTypeReceived(typeId, name),
      laneFault: (code, detail) => session.laneFault(code, detail),
      isExpecting: (id) => session.isExpecting(id),
      heard: () => session.heard(),
      claim: (lane, id) => this.#claim(lane, id),
      laneReady: (lane) => {
        if (lane.id !== undefined) session.resumeStream(lane.id)
        session.pump()
      },
      laneClosed: (lane) => this.#forget(lane),
    }
    transport.accept((stream) => this.#accept(stream))
  }

  /** Of all lanes that there were. */
  get counts(): LaneCounts {
    let sum = this.#past
    for (const { counts } of this.#lanes) sum = sumOf(sum, counts)
    return sum
  }

  /** Both sides have their settings: lanes that came earlier are read from now on. */
  start(): void {
    this.#isStarted = true
    for (const lane of this.#lanes) lane.stream.resume()
  }

  /** A lane for a stream of ours; undefined where the transport has none left: it goes over the main stream. */
  open(streamId: number): Lane | undefined {
    if (this.#isOver || this.#lanes.size >= lanesMax) return undefined
    let stream: ByteStream
    try {
      stream = this.#options.transport.open()
    } catch {
      return undefined
    }
    const lane = new Lane(stream, this.#host, {
      id: streamId,
      keys: this.#keysOf(stream, streamId),
    })
    this.#lanes.add(lane)
    this.#byStream.set(streamId, lane)
    stream.attach(lane)
    lane.announce()
    return lane
  }

  of(streamId: number): Lane | undefined {
    return this.#byStream.get(streamId)
  }

  /** The peer has all that was sent on lanes; else it is asked, and `pump` follows. */
  isConfirmed(): boolean {
    let isConfirmed = true
    for (const lane of this.#lanes) if (!lane.isConfirmed()) isConfirmed = false
    return isConfirmed
  }

  /** The session is over. */
  end(): void {
    this.#isOver = true
    wipe(this.#sendRoot)
    wipe(this.#receiveRoot)
    this.#past = this.counts
    for (const lane of this.#lanes) lane.dispose()
    this.#lanes.clear()
    this.#byStream.clear()
  }

  #accept(stream: ByteStream): void {
    const lane = new Lane(stream, this.#host)
    stream.attach(lane)
    if (this.#isOver) lane.dispose()
    else if (this.#lanes.size >= 2 * lanesMax)
      this.#options.session.laneFault('SESSION_PROTOCOL', 'too many lanes')
    else {
      this.#lanes.add(lane)
      if (!this.#isStarted) stream.pause()
    }
  }

  #claim(lane: Lane, streamId: number): LaneKeys | undefined {
    const { session } = this.#options
    if (this.#byStream.has(streamId) || !session.mayBeOpened(streamId)) return undefined
    this.#byStream.set(streamId, lane)
    return this.#keysOf(lane.stream, streamId)
  }

  #keysOf(stream: ByteStream, streamId: number): LaneKeys {
    const { suite, writing } = this.#options
    const id = new Uint8Array(4)
    new DataView(id.buffer).setUint32(0, streamId)
    const info = concatBytes(laneLabel, id)
    const derive = (root: Uint8Array) => hkdfExpand('sha256', root, info, secretBytes)
    const sealer = new RecordSealer(suite, derive(this.#sendRoot))
    const opener = new RecordOpener(suite, derive(this.#receiveRoot))
    // Nothing on a lane is compressed: only records of single messages are.
    const writer = new RecordWriter({
      stream,
      sealer,
      ...writing,
      compression: 'none',
      compressionThresholdBytes: 0,
    })
    return { writer, opener }
  }

  #forget(lane: Lane): void {
    this.#past = sumOf(this.#past, lane.counts)
    this.#lanes.delete(lane)
    if (lane.id !== undefined) this.#byStream.delete(lane.id)
    this.#options.session.pump()
  }
}

function sumOf(a: LaneCounts, b: LaneCounts): LaneCounts {
  return {
    bytesSent: a.bytesSent + b.bytesSent,
    bytesReceived: a.bytesReceived + b.bytesReceived,
    recordsSent: a.recordsSent + b.recordsSent,
    rekeysSent: a.rekeysSent + b.rekeysSent,
    rekeysReceived: a.rekeysReceived + b.rekeysReceived,
  }
}
