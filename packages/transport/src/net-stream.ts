// A socket of node:net (TCP, Unix socket, named pipe) or node:tls as a ByteStream. Chunks pass through as Node read them:
// each has memory of its own, so the receiver may keep it. The closures are made once per stream.
//
// Node reports a peer that is gone and a peer that only ended alike, as the end of the readable side, because
// the streams are half-open on purpose. `destroy` therefore resets a TCP connection (RFC 9293 §3.10.5), and on a
// Unix socket, which has no reset, the other side finds out by an empty write: it fails with EPIPE when the
// peer closed, and does nothing when the peer only shut its writing side.

import type { Socket } from 'node:net'
import { emptyBytes } from '@myelin/base'
import { attachedTwiceError, transportErrorOf } from './errors.ts'
import { streamTurnMsMax } from './limits.ts'
import type { ByteStream, ByteStreamHandlers } from './ports.ts'

export interface NetStreamNames {
  readonly transport: string
  readonly localAddress: string
  readonly remoteAddress: string
  /** TCP can reset a connection, pipes cannot. */
  readonly canReset: boolean
  /** The TCP socket beneath a TLS one: that is what can be reset. */
  readonly beneath?: Socket
  readonly channelBinding?: Uint8Array
}

export class NetStream implements ByteStream {
  readonly kind = 'stream' as const
  readonly transport: string
  readonly localAddress: string
  readonly remoteAddress: string
  readonly channelBinding?: Uint8Array
  readonly #socket: Socket
  readonly #beneath: Socket
  readonly #canReset: boolean
  #handlers: ByteStreamHandlers | undefined
  #error: Error | undefined
  #isDestroyed = false
  #isClosed = false
  #isClosedTold = false
  #missedDrain = false
  #isPaused = false
  /** What the receiver has taken of this turn, and whether the stream waits for the next. */
  #turnMs = 0
  #isTurnOver = false

  /** Takes the socket over: from here on no error of it is unhandled. */
  constructor(socket: Socket, names: NetStreamNames) {
    this.transport = names.transport
    this.localAddress = names.localAddress
    this.remoteAddress = names.remoteAddress
    if (names.channelBinding !== undefined) this.channelBinding = names.channelBinding
    this.#socket = socket
    this.#beneath = names.beneath ?? socket
    this.#canReset = names.canReset
    socket.on('error', this.#onError)
    socket.on('drain', this.#onDrain)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onClose)
  }

  get bufferedBytes(): number {
    return this.#isGone ? 0 : this.#socket.writableLength
  }

  /** Node counts a write that is still under way; a destroyed socket may have dropped one unfinished. */
  get isHandedOver(): boolean {
    return !this.#isGone && this.#socket.writableLength === 0
  }

  attach(handlers: ByteStreamHandlers): void {
    if (this.#handlers !== undefined) throw attachedTwiceError()
    this.#handlers = handlers
    if (this.#missedDrain || this.#isClosed) queueMicrotask(this.#catchUp)
    this.#socket.on('data', this.#onData)
    if (!this.#isPaused) this.#socket.resume()
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isDestroyed || !this.#socket.writable) return false
    return this.#socket.write(bytes)
  }

  cork(): void {
    this.#socket.cork()
  }

  uncork(): void {
    this.#socket.uncork()
  }

  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#isPaused = false
    // Before `attach` there is nobody to give the bytes to: a flowing socket would lose them.
    if (this.#handlers !== undefined && !this.#isTurnOver) this.#socket.resume()
  }

  end(): void {
    if (!this.#isDestroyed && this.#socket.writable) this.#socket.end()
  }

  destroy(error?: Error): void {
    if (this.#isGone) return
    this.#isDestroyed = true
    this.#error = error
    if (this.#canReset) this.#beneath.resetAndDestroy()
    else this.#socket.destroy()
  }

  /** A reset of the socket beneath a TLS one takes a turn to arrive there. */
  get #isGone(): boolean {
    return this.#isDestroyed || this.#socket.destroyed
  }

  readonly #onData = (chunk: Uint8Array): void => {
    // Node goes on to emit what it has read already after a destroy from within a handler.
    if (this.#isDestroyed) return
    const beganMs = performance.now()
    this.#handlers?.data(chunk)
    this.#turnMs += performance.now() - beganMs
    if (this.#turnMs < streamTurnMsMax || this.#isTurnOver) return
    this.#isTurnOver = true
    this.#socket.pause()
    setImmediate(this.#takeTurn)
  }

  readonly #takeTurn = (): void => {
    this.#turnMs = 0
    this.#isTurnOver = false
    if (!this.#isPaused && !this.#isDestroyed) this.#socket.resume()
  }

  readonly #onDrain = (): void => {
    if (this.#isDestroyed) return
    if (this.#handlers === undefined) this.#missedDrain = true
    else this.#handlers.drain()
  }

  readonly #onEnd = (): void => {
    if (this.#isDestroyed) return
    if (!this.#canReset && this.#socket.writable) this.#socket.write(emptyBytes)
    this.#handlers?.end()
  }

  readonly #onError = (cause: Error): void => {
    if (this.#isDestroyed) return
    this.#error ??= transportErrorOf(cause, `the stream to ${this.remoteAddress} broke`)
  }

  readonly #onClose = (): void => {
    this.#isClosed = true
    this.#tellClosed()
  }

  /** Delivers what happened before `attach`, out of its caller's stack. */
  readonly #catchUp = (): void => {
    if (this.#isClosed) this.#tellClosed()
    else if (this.#missedDrain && !this.#isDestroyed) this.#handlers?.drain()
  }

  #tellClosed(): void {
    if (this.#handlers === undefined || this.#isClosedTold) return
    this.#isClosedTold = true
    this.#handlers.closed(this.#error)
  }
}
