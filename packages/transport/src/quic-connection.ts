// One QUIC connection: its main stream, its lanes, and how it ends.
//
// Each stream begins with a byte that says what it is: 1 the main one, which the dialler opens first; 2 a lane; 3 the
// word "I have read all of yours". QUIC drops at a close what was not acknowledged, and the package does not tell what
// was; so after the main stream has ended both ways the connection waits for that word, for a bounded time.

import { protocolError, TransportError } from './errors.ts'
import { quicLingerMs } from './limits.ts'
import type { ByteStream, StreamLanes } from './ports.ts'
import { type NativeConnection, type NativeStream, quicError } from './quic-native.ts'
import { QuicStream, type QuicStreamNames, type QuicStreamOwner } from './quic-stream.ts'

export const streamKinds = { main: 1, lane: 2, allRead: 3 } as const

export interface QuicConnectionParts {
  readonly native: NativeConnection
  readonly names: QuicStreamNames
  readonly lanesMax: number
  /** The connection is gone; once. */
  gone(): void
}

export class QuicConnection implements QuicStreamOwner, StreamLanes {
  readonly main: QuicStream
  readonly #parts: QuicConnectionParts
  readonly #lanes = new Set<QuicStream>()
  /** Lanes of the peer that nobody has asked for yet. */
  #unclaimed: QuicStream[] = []
  /** Open lanes, by who opened them. */
  #peerLanes = 0
  #ownLanes = 0
  readonly #peerOpened = new WeakSet<QuicStream>()
  #onLane: ((stream: ByteStream) => void) | undefined
  #linger: NodeJS.Timeout | undefined
  #isMainOver = false
  #hasPeerReadAll = false
  #isGone = false

  constructor(parts: QuicConnectionParts, main: NativeStream) {
    this.#parts = parts
    this.main = new QuicStream({ names: parts.names, owner: this, lanes: this })
    this.main.opened(main)
    this.#acceptStreams()
  }

  open(): ByteStream {
    if (this.#ownLanes >= this.#parts.lanesMax) {
      const message = `the connection to ${this.#parts.names.remoteAddress} has ${this.#ownLanes} lanes open; end some, or raise lanesMax`
      throw new TransportError('TRANSPORT_EXHAUSTED', message, { kind: 'recoverable' })
    }
    const lane = this.#newLane(Uint8Array.of(streamKinds.lane))
    if (this.#isMainOver || this.#isGone) {
      lane.lost()
      return lane
    }
    this.#ownLanes += 1
    this.#lanes.add(lane)
    this.#parts.native.outboundStream().then(
      (stream) => lane.opened(stream),
      (cause) => lane.lost(this.#lostError(cause)),
    )
    return lane
  }

  accept(onStream: (stream: ByteStream) => void): void {
    this.#onLane = onStream
    for (const lane of this.#unclaimed.splice(0)) onStream(lane)
  }

  finished(stream: QuicStream): void {
    if (stream === this.main) this.#endMain()
    else this.#forget(stream)
  }

  dropped(stream: QuicStream, native: NativeStream | undefined): void {
    if (stream === this.main) {
      this.#isMainOver = true
      this.#parts.native.abort()
      this.#dropLanes()
      return
    }
    this.#forget(stream)
    native?.resetWrite().catch(() => {})
    native?.stopRead().catch(() => {})
  }

  #newLane(prefix?: Uint8Array): QuicStream {
    const { localAddress, remoteAddress } = this.#parts.names
    const names = { localAddress, remoteAddress }
    return new QuicStream({ names, owner: this, ...(prefix === undefined ? {} : { prefix }) })
  }

  #forget(lane: QuicStream): void {
    if (!this.#lanes.delete(lane)) return
    if (this.#peerOpened.has(lane)) this.#peerLanes -= 1
    else this.#ownLanes -= 1
  }

  #acceptStreams(): void {
    this.#parts.native.inboundStream().then(
      (stream) => {
        this.#acceptStreams()
        this.#arrived(stream).catch(() => {})
      },
      (cause) => this.#lost(cause),
    )
  }

  async #arrived(stream: NativeStream): Promise<void> {
    const kind = await stream.read(1)
    if (kind?.[0] === streamKinds.lane) this.#laneArrived(stream)
    else if (kind?.[0] === streamKinds.allRead) this.#peerReadAll()
    else this.#breakOff('it opened a stream of an unknown kind')
  }

  #laneArrived(stream: NativeStream): void {
    if (this.#isMainOver) return
    if (this.#peerLanes >= this.#parts.lanesMax) {
      this.#breakOff(`it opened more than ${this.#parts.lanesMax} lanes`)
      return
    }
    const lane = this.#newLane()
    this.#peerLanes += 1
    this.#peerOpened.add(lane)
    this.#lanes.add(lane)
    lane.opened(stream)
    if (this.#onLane === undefined) this.#unclaimed.push(lane)
    else this.#onLane(lane)
  }

  #breakOff(reason: string): void {
    this.main.destroy(protocolError(`the stream to ${this.main.remoteAddress} broke`, reason))
  }

  /** All has been sent and all has been read; the peer may not be as far. */
  #endMain(): void {
    this.#isMainOver = true
    this.#dropLanes()
    if (this.#hasPeerReadAll) {
      this.#parts.native.abort()
      return
    }
    this.#linger = setTimeout(() => this.#parts.native.abort(), quicLingerMs)
    this.#sayAllRead().catch(() => {})
  }

  async #sayAllRead(): Promise<void> {
    const stream = await this.#parts.native.outboundStream()
    await stream.write(Uint8Array.of(streamKinds.allRead))
    await stream.finishWrite()
  }

  #peerReadAll(): void {
    this.#hasPeerReadAll = true
    if (this.#isMainOver) this.#parts.native.abort()
  }

  #dropLanes(error?: Error): void {
    for (const lane of [...this.#lanes]) {
      this.#forget(lane)
      lane.lost(error)
    }
    this.#unclaimed = []
  }

  #lost(cause: unknown): void {
    if (this.#isGone) return
    this.#isGone = true
    clearTimeout(this.#linger)
    const error = this.#lostError(cause)
    this.main.lost(error)
    this.#dropLanes(error)
    this.#parts.gone()
  }

  #lostError(cause: unknown): TransportError {
    return quicError(cause, `the stream to ${this.#parts.names.remoteAddress} broke`)
  }
}
