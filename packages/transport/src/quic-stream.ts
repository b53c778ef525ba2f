// One bidirectional QUIC stream as a ByteStream: the main one of a connection, or a lane.
//
// The package takes one write at a time and answers when quinn has the bytes, so what is written meanwhile waits here
// and leaves as one. Reading asks for the next chunk before it delivers the last, and holds one back while paused: then
// quinn's window fills, and the peer's writes stay with the peer.

import { attachedTwiceError, resetError } from './errors.ts'
import { quicReadBytes, quicWriteBytesMax, socketHighWaterBytes } from './limits.ts'
import type { ByteStream, ByteStreamHandlers, StreamLanes } from './ports.ts'
import { type NativeStream, quicError } from './quic-native.ts'

export interface QuicStreamNames {
  readonly localAddress: string
  readonly remoteAddress: string
  readonly channelBinding?: Uint8Array
}

/** The connection of a stream. */
export interface QuicStreamOwner {
  /** Both directions have ended in order. */
  finished(stream: QuicStream): void
  /** It was destroyed here, or broke; the peer is to be told. */
  dropped(stream: QuicStream, native: NativeStream | undefined): void
}

export interface QuicStreamParts {
  readonly names: QuicStreamNames
  readonly owner: QuicStreamOwner
  /** Sent before all else: what kind of stream it is. */
  readonly prefix?: Uint8Array
  readonly lanes?: StreamLanes
}

const lowWaterBytes = socketHighWaterBytes / 2

export class QuicStream implements ByteStream {
  readonly kind = 'stream' as const
  readonly transport = 'quic'
  readonly localAddress: string
  readonly remoteAddress: string
  readonly channelBinding?: Uint8Array
  readonly lanes?: StreamLanes
  readonly #owner: QuicStreamOwner
  #native: NativeStream | undefined
  #prefix: Uint8Array | undefined
  #handlers: ByteStreamHandlers | undefined
  #error: Error | undefined
  /** Accepted and not yet given to quinn; `#buffered` counts the write under way, too. */
  #outbox: Uint8Array[] = []
  #buffered = 0
  #corks = 0
  /** Received and not yet delivered; null is the peer's end. */
  #inbox: (Uint8Array | null)[] = []
  #isFlushDue = false
  #isWriting = false
  #isReading = false
  #isPaused = false
  #isDelivering = false
  #isFull = false
  #missedDrain = false
  #isEnded = false
  #isEndSent = false
  #isPeerEnded = false
  #isPeerEndTold = false
  #isGone = false
  #isClosedTold = false

  constructor({ names, owner, prefix, lanes }: QuicStreamParts) {
    this.localAddress = names.localAddress
    this.remoteAddress = names.remoteAddress
    if (names.channelBinding !== undefined) this.channelBinding = names.channelBinding
    if (lanes !== undefined) this.lanes = lanes
    this.#owner = owner
    this.#prefix = prefix
  }

  /** The stream is there: what was written before goes out. */
  opened(native: NativeStream): void {
    this.#native = native
    if (this.#isGone) this.#owner.dropped(this, native)
    this.#flush()
    this.#read()
  }

  get bufferedBytes(): number {
    return this.#isGone ? 0 : this.#buffered
  }

  get isHandedOver(): boolean {
    return !this.#isGone && this.#buffered === 0
  }

  attach(handlers: ByteStreamHandlers): void {
    if (this.#handlers !== undefined) throw attachedTwiceError()
    this.#handlers = handlers
    queueMicrotask(this.#catchUp)
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isEnded || this.#isGone) return false
    if (bytes.length > 0) {
      this.#outbox.push(bytes)
      this.#buffered += bytes.length
      this.#flushSoon()
    }
    if (this.#buffered < socketHighWaterBytes) return true
    this.#isFull = true
    return false
  }

  cork(): void {
    this.#corks += 1
  }

  uncork(): void {
    if (this.#corks === 0) return
    this.#corks -= 1
    this.#flushSoon()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    // Not from within: the caller may itself be a handler.
    queueMicrotask(this.#catchUp)
  }

  end(): void {
    if (this.#isEnded || this.#isGone) return
    this.#isEnded = true
    this.#corks = 0
    this.#flushSoon()
  }

  destroy(error?: Error): void {
    if (this.#isGone) return
    this.lost(error)
    this.#owner.dropped(this, this.#native)
  }

  /** The connection is gone, and the stream with it. */
  lost(error?: Error): void {
    if (this.#isGone) return
    this.#error = error
    this.#inbox = []
    this.#leave()
  }

  get #isOpenToData(): boolean {
    return this.#handlers !== undefined && !this.#isPaused && !this.#isGone
  }

  /** At the end of the turn, so that what is written in it goes out together. */
  #flushSoon(): void {
    if (this.#isFlushDue || this.#isWriting) return
    this.#isFlushDue = true
    queueMicrotask(this.#flush)
  }

  readonly #flush = (): void => {
    this.#isFlushDue = false
    if (this.#native === undefined || this.#isWriting || this.#corks > 0) return
    if (this.#isGone || this.#isEndSent) return
    const bytes = this.#takeOutgoing()
    if (bytes !== undefined) {
      this.#isWriting = true
      const counted = bytes.length - (this.#prefix?.length ?? 0)
      this.#prefix = undefined
      this.#native.write(bytes).then(() => this.#written(counted), this.#broke)
    } else if (this.#isEnded) {
      this.#isEndSent = true
      this.#native.finishWrite().then(this.#closeIfEnded, this.#broke)
    }
  }

  #written(bytes: number): void {
    this.#isWriting = false
    this.#buffered -= bytes
    if (this.#isGone) return
    this.#flush()
    if (!this.#isFull || this.#buffered > lowWaterBytes) return
    this.#isFull = false
    if (this.#handlers === undefined) this.#missedDrain = true
    else this.#handlers.drain()
  }

  /** Pieces of the outbox as one: a call into the package costs more than copying what it carries. */
  #takeOutgoing(): Uint8Array | undefined {
    const [first] = this.#outbox
    if (this.#prefix === undefined && first === undefined) return undefined
    const parts = this.#prefix === undefined ? [] : [this.#prefix]
    let bytes = 0
    let taken = 0
    for (const part of this.#outbox) {
      if (taken > 0 && bytes + part.length > quicWriteBytesMax) break
      parts.push(part)
      bytes += part.length
      taken += 1
    }
    this.#outbox.splice(0, taken)
    return parts.length === 1 ? parts[0] : Buffer.concat(parts)
  }

  #read(): void {
    if (this.#native === undefined || this.#isReading || this.#isPeerEnded) return
    if (!this.#isOpenToData) return
    this.#isReading = true
    this.#native.read(quicReadBytes).then(this.#received, this.#broke)
  }

  readonly #received = (chunk: Uint8Array | null): void => {
    this.#isReading = false
    if (this.#isGone) return
    this.#isPeerEnded = chunk === null
    this.#inbox.push(chunk)
    this.#read()
    this.#deliver()
  }

  #deliver(): void {
    if (this.#isDelivering) return
    this.#isDelivering = true
    while (this.#inbox.length > 0 && this.#isOpenToData) {
      const chunk = this.#inbox.shift() as Uint8Array | null
      if (chunk === null) {
        this.#isPeerEndTold = true
        this.#handlers?.end()
      } else this.#handlers?.data(chunk)
    }
    this.#isDelivering = false
    this.#closeIfEnded()
  }

  /** Delivers what waited, then lets more come. */
  readonly #catchUp = (): void => {
    if (this.#handlers === undefined) return
    if (this.#isGone) {
      this.#tellClosed()
      return
    }
    if (this.#missedDrain) {
      this.#missedDrain = false
      this.#handlers.drain()
    }
    this.#deliver()
    this.#read()
  }

  readonly #closeIfEnded = (): void => {
    if (!this.#isEndSent || !this.#isPeerEndTold || this.#isGone) return
    this.#leave()
    this.#owner.finished(this)
  }

  readonly #broke = (cause: unknown): void => {
    this.#isWriting = false
    this.#isReading = false
    if (this.#isGone) return
    const what = `the stream to ${this.remoteAddress} broke`
    const error = quicError(cause, what)
    this.destroy(error.code === 'TRANSPORT_FAILED' ? resetError(what) : error)
  }

  #leave(): void {
    this.#isGone = true
    this.#outbox = []
    queueMicrotask(this.#tellClosed)
  }

  readonly #tellClosed = (): void => {
    if (this.#handlers === undefined || this.#isClosedTold) return
    this.#isClosedTold = true
    this.#handlers.closed(this.#error)
  }
}
