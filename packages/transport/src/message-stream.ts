// A socket that carries whole messages (WebSocket, RFC 6455) as a ByteStream. Free of Node: browsers use it too.
//
// What WebSocket lacks is agreed here, for both ends:
//   - a message is a piece of the byte stream, of any size up to 1 MiB; where it ends means nothing;
//   - an empty message ends its sender's side (half-close); a message after it breaks the protocol;
//   - who has sent and received that closes with code 1000; a stream that closes otherwise was broken off;
//   - text messages break the protocol.

import { attachedTwiceError, protocolError, resetError, type TransportError } from './errors.ts'
import {
  socketHighWaterBytes,
  streamTurnMsMax,
  unpausedBytesMax,
  webSocketSentBytesMax,
} from './limits.ts'
import type { ByteStream, ByteStreamHandlers } from './ports.ts'

/** What the socket tells. */
export interface MessageEvents {
  message(bytes: Uint8Array): void
  textMessage(): void
  /** Some of what was sent has left. */
  sent(): void
  /** The socket is gone, with the code of the peer's close frame (RFC 6455 §7.4), 1006 where there was none. */
  closed(code: number, cause?: TransportError): void
}

/** What a stream needs of its socket. It is paused at first. */
export interface MessageSocket {
  /** Bytes that were sent and have not left. */
  readonly bufferedAmount: number
  /** The bytes are the socket's from now on. */
  send(bytes: Uint8Array): void
  /** Calls `sent` when the buffer has shrunk, where the socket does not by itself. */
  watchBuffer(): void
  /** Holds back what comes, as far as the platform can. */
  pause(): void
  resume(): void
  /** The closing handshake, after what was sent. */
  close(): void
  /** Ends it now, as far as the platform can. */
  terminate(): void
  /** Calls back when others have had their turn. */
  defer(callback: () => void): void
}

export interface MessageStreamNames {
  readonly transport: string
  readonly localAddress: string
  readonly remoteAddress: string
}

const closeCodeNormal = 1_000
const lowWaterBytes = socketHighWaterBytes / 2

export class MessageStream implements ByteStream, MessageEvents {
  readonly kind = 'stream' as const
  readonly transport: string
  readonly localAddress: string
  readonly remoteAddress: string
  readonly #socket: MessageSocket
  #handlers: ByteStreamHandlers | undefined
  /** Received and not yet delivered; an empty one is the peer's end. */
  #inbox: Uint8Array[] = []
  #inboxTaken = 0
  #inboxBytes = 0
  #corked: Uint8Array[] = []
  #corkedBytes = 0
  #corks = 0
  #turnMs = 0
  #error: Error | undefined
  #isPaused = false
  #isTurnOver = false
  #isDelivering = false
  #isFull = false
  #missedDrain = false
  #isEnded = false
  #isPeerEnded = false
  #isDestroyed = false
  #isClosed = false
  #isClosedTold = false

  constructor(names: MessageStreamNames, open: (events: MessageEvents) => MessageSocket) {
    this.transport = names.transport
    this.localAddress = names.localAddress
    this.remoteAddress = names.remoteAddress
    this.#socket = open(this)
  }

  get bufferedBytes(): number {
    return this.#isGone ? 0 : this.#corkedBytes + this.#socket.bufferedAmount
  }

  get isHandedOver(): boolean {
    return !this.#isGone && this.bufferedBytes === 0
  }

  attach(handlers: ByteStreamHandlers): void {
    if (this.#handlers !== undefined) throw attachedTwiceError()
    this.#handlers = handlers
    queueMicrotask(this.#catchUp)
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isEnded || this.#isGone) return false
    if (this.#corks > 0) {
      this.#corked.push(bytes)
      this.#corkedBytes += bytes.length
    } else this.#send(bytes)
    if (this.bufferedBytes < socketHighWaterBytes) return true
    this.#isFull = true
    this.#socket.watchBuffer()
    return false
  }

  cork(): void {
    this.#corks += 1
  }

  uncork(): void {
    if (this.#corks === 0) return
    this.#corks -= 1
    if (this.#corks === 0) this.#sendCorked()
  }

  pause(): void {
    this.#isPaused = true
    if (!this.#isGone) this.#socket.pause()
  }

  resume(): void {
    this.#isPaused = false
    // Not from within: the caller may itself be a handler.
    queueMicrotask(this.#catchUp)
  }

  end(): void {
    if (this.#isEnded || this.#isGone) return
    this.#corks = 0
    this.#sendCorked()
    this.#isEnded = true
    this.#socket.send(new Uint8Array(0))
    this.#closeIfEnded()
  }

  destroy(error?: Error): void {
    if (this.#isDestroyed || this.#isClosedTold) return
    this.#isDestroyed = true
    this.#error = error
    this.#inbox = []
    this.#inboxTaken = 0
    this.#corked = []
    this.#corkedBytes = 0
    this.#socket.terminate()
    queueMicrotask(this.#tellClosed)
  }

  message(bytes: Uint8Array): void {
    if (this.#isDestroyed) return
    if (this.#isPeerEnded) {
      this.#breakOff('it sent a message after the empty one, which ends its side')
      return
    }
    this.#isPeerEnded = bytes.length === 0
    this.#inbox.push(bytes)
    this.#inboxBytes += bytes.length
    if (this.#isPeerEnded) this.#closeIfEnded()
    this.#deliver()
    if (this.#inboxBytes > unpausedBytesMax)
      this.#breakOff('it sends more than is read; have it heed the credit of the session')
  }

  textMessage(): void {
    if (!this.#isDestroyed) this.#breakOff('it sent text; only binary messages are allowed')
  }

  sent(): void {
    if (!this.#isFull || this.#isGone) return
    if (this.bufferedBytes > lowWaterBytes) {
      this.#socket.watchBuffer()
      return
    }
    this.#isFull = false
    if (this.#handlers === undefined) this.#missedDrain = true
    else this.#handlers.drain()
  }

  closed(code: number, cause?: TransportError): void {
    if (this.#isDestroyed || this.#isClosed) return
    this.#isClosed = true
    const isInOrder = code === closeCodeNormal && this.#isEnded && this.#isPeerEnded
    if (!isInOrder) this.#error = cause ?? resetError(`the stream to ${this.remoteAddress} broke`)
    this.#deliver()
  }

  get #isGone(): boolean {
    return this.#isDestroyed || this.#isClosed
  }

  #breakOff(reason: string): void {
    this.destroy(protocolError(`the stream to ${this.remoteAddress} broke`, reason))
  }

  /** In messages of at most 64 KiB. */
  #send(bytes: Uint8Array): void {
    // An empty message would say that nothing more comes.
    for (let start = 0; start < bytes.length; start += webSocketSentBytesMax)
      this.#socket.send(bytes.subarray(start, start + webSocketSentBytesMax))
  }

  /** Small pieces together, so that each does not cost a frame. */
  #sendCorked(): void {
    const parts = this.#corked
    let left = this.#corkedBytes
    this.#corked = []
    this.#corkedBytes = 0
    if (this.#isGone) return
    let message = new Uint8Array(0)
    let filled = 0
    for (const part of parts) {
      for (let start = 0; start < part.length; ) {
        if (filled === 0) message = new Uint8Array(Math.min(left, webSocketSentBytesMax))
        const taken = part.subarray(start, start + message.length - filled)
        message.set(taken, filled)
        filled += taken.length
        start += taken.length
        if (filled < message.length) continue
        left -= filled
        filled = 0
        this.#socket.send(message)
      }
    }
  }

  #closeIfEnded(): void {
    if (this.#isEnded && this.#isPeerEnded) this.#socket.close()
  }

  /** Whether the receiver may be called. */
  get #isOpenToData(): boolean {
    return (
      this.#handlers !== undefined && !this.#isPaused && !this.#isTurnOver && !this.#isDestroyed
    )
  }

  #deliver(): void {
    if (this.#isDelivering || !this.#isOpenToData) return
    this.#isDelivering = true
    while (this.#inboxTaken < this.#inbox.length && this.#isOpenToData) {
      const bytes = this.#inbox[this.#inboxTaken] as Uint8Array
      this.#inboxTaken += 1
      this.#deliverOne(bytes)
    }
    this.#isDelivering = false
    if (this.#inboxTaken < this.#inbox.length) return
    this.#inbox = []
    this.#inboxTaken = 0
    if (this.#isClosed) this.#tellClosed()
  }

  #deliverOne(bytes: Uint8Array): void {
    this.#inboxBytes -= bytes.length
    const beganMs = performance.now()
    if (bytes.length === 0) this.#handlers?.end()
    else this.#handlers?.data(bytes)
    this.#turnMs += performance.now() - beganMs
    if (this.#turnMs < streamTurnMsMax || this.#isTurnOver) return
    this.#isTurnOver = true
    if (!this.#isGone) this.#socket.pause()
    this.#socket.defer(this.#takeTurn)
  }

  readonly #takeTurn = (): void => {
    this.#turnMs = 0
    this.#isTurnOver = false
    this.#catchUp()
  }

  /** Delivers what waited, then lets more come. */
  readonly #catchUp = (): void => {
    if (this.#handlers === undefined) return
    if (this.#missedDrain && !this.#isGone) {
      this.#missedDrain = false
      this.#handlers.drain()
    }
    this.#deliver()
    if (this.#isOpenToData && !this.#isGone) this.#socket.resume()
    if (this.#isGone && this.#inbox.length === 0) this.#tellClosed()
  }

  readonly #tellClosed = (): void => {
    if (this.#handlers === undefined || this.#isClosedTold) return
    this.#isClosedTold = true
    this.#handlers.closed(this.#error)
  }
}
