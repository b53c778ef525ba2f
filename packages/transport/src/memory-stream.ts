// Two byte streams joined in memory, with the manners of TCP: asynchronous delivery in order, half-close,
// reset, backpressure. Chunks pass from writer to reader without a copy.
//
// What one end writes waits in the inbound queue of the other. Handlers are only ever called from a deferred
// turn, so none runs inside another; the closure that is deferred is made once per stream.

import { BoundedQueue } from '@myelin/base'
import { attachedTwiceError, resetError, TransportError } from './errors.ts'
import { memoryChunksMax, memoryHighWaterBytes, memoryLowWaterBytes } from './limits.ts'
import type { ByteStream, ByteStreamHandlers } from './ports.ts'

/** Calls back soon, after the current synchronous work, in the order of the calls. */
export type Defer = (callback: () => void) => void

export class MemoryStream implements ByteStream {
  readonly kind = 'stream' as const
  readonly transport = 'memory'
  readonly localAddress: string
  readonly remoteAddress: string
  readonly #defer: Defer
  #peer: MemoryStream
  #handlers: ByteStreamHandlers | undefined
  /** Written by the peer, not yet read here. */
  readonly #inbound = new BoundedQueue<Uint8Array>(memoryChunksMax)
  #inboundBytes = 0
  /** Written here while corked. */
  readonly #held = new BoundedQueue<Uint8Array>(memoryChunksMax)
  #heldBytes = 0
  #corks = 0
  #isPaused = false
  #isScheduled = false
  #wantsDrain = false
  #isDrainDue = false
  /** This end writes no more; the peer writes no more; and that has been told. */
  #isWriteEnded = false
  #isPeerEnded = false
  #isEndTold = false
  /** Destroyed or reset: only `closed` is left to tell. */
  #isBroken = false
  #error: Error | undefined
  #isClosed = false

  private constructor(localAddress: string, remoteAddress: string, defer: Defer) {
    this.#peer = this
    this.localAddress = localAddress
    this.remoteAddress = remoteAddress
    this.#defer = defer
  }

  /** The two ends of a new connection. */
  static pair(clientAddress: string, serverAddress: string, defer: Defer): MemoryStreamPair {
    const client = new MemoryStream(clientAddress, serverAddress, defer)
    const server = new MemoryStream(serverAddress, clientAddress, defer)
    client.#peer = server
    server.#peer = client
    return { client, server }
  }

  get bufferedBytes(): number {
    return this.#heldBytes + this.#peer.#inboundBytes
  }

  attach(handlers: ByteStreamHandlers): void {
    if (this.#handlers !== undefined) throw attachedTwiceError()
    this.#handlers = handlers
    this.#schedule()
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isWriteEnded || this.#isBroken) return false
    if (bytes.length > 0) {
      if (this.#corks > 0) this.#hold(bytes)
      else this.#peer.#receive(bytes)
    }
    if (this.bufferedBytes < memoryHighWaterBytes) return true
    this.#wantsDrain = true
    return false
  }

  cork(): void {
    this.#corks += 1
  }

  uncork(): void {
    if (this.#corks === 0) return
    this.#corks -= 1
    if (this.#corks === 0) this.#release()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#schedule()
  }

  end(): void {
    if (this.#isWriteEnded || this.#isBroken) return
    this.#corks = 0
    this.#release()
    this.#isWriteEnded = true
    this.#peer.#isPeerEnded = true
    this.#peer.#schedule()
    this.#schedule()
  }

  destroy(error?: Error): void {
    if (this.#isBroken || this.#isClosed) return
    this.#break(error)
    const peer = this.#peer
    if (peer.#isBroken || peer.#isClosed) return
    peer.#break(resetError(`the stream to ${peer.remoteAddress} broke`))
  }

  #break(error: Error | undefined): void {
    this.#isBroken = true
    this.#error = error
    this.#inbound.clear()
    this.#held.clear()
    this.#inboundBytes = 0
    this.#heldBytes = 0
    this.#schedule()
  }

  #hold(bytes: Uint8Array): void {
    if (this.#held.push(bytes)) this.#heldBytes += bytes.length
    else this.#overflow()
  }

  #release(): void {
    for (let bytes = this.#held.shift(); bytes !== undefined; bytes = this.#held.shift())
      this.#peer.#receive(bytes)
    this.#heldBytes = 0
  }

  #receive(bytes: Uint8Array): void {
    if (this.#isBroken) return
    if (this.#inbound.push(bytes)) {
      this.#inboundBytes += bytes.length
      this.#schedule()
    } else this.#peer.#overflow()
  }

  #overflow(): void {
    const message = `${memoryChunksMax} chunks wait unread; heed a write that returns false`
    this.destroy(new TransportError('TRANSPORT_EXHAUSTED', message, { kind: 'usage' }))
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isClosed || this.#handlers === undefined) return
    this.#isScheduled = true
    this.#defer(this.#run)
  }

  readonly #run = (): void => {
    this.#isScheduled = false
    const handlers = this.#handlers
    if (handlers === undefined || this.#isClosed) return
    this.#tellData(handlers)
    if (this.#isDrainDue && !this.#isBroken) {
      this.#isDrainDue = false
      handlers.drain()
    }
    const isRead = this.#inbound.size === 0 && !this.#isPaused && !this.#isBroken
    if (isRead && this.#isPeerEnded && !this.#isEndTold) {
      this.#isEndTold = true
      handlers.end()
    }
    if (this.#isBroken || (this.#isEndTold && this.#isWriteEnded)) {
      this.#isClosed = true
      handlers.closed(this.#error)
    } else if (this.#inbound.size > 0 && !this.#isPaused) this.#schedule()
  }

  /** Only what was there at the start: a handler that makes its peer write more gets it in the next turn. */
  #tellData(handlers: ByteStreamHandlers): void {
    for (let left = this.#inbound.size; left > 0; left -= 1) {
      if (this.#isPaused) break
      // Undefined once a handler has destroyed the stream, which empties the queue.
      const chunk = this.#inbound.shift()
      if (chunk === undefined) break
      this.#inboundBytes -= chunk.length
      handlers.data(chunk)
    }
    this.#peer.#relieve()
  }

  #relieve(): void {
    if (!this.#wantsDrain || this.bufferedBytes > memoryLowWaterBytes) return
    this.#wantsDrain = false
    this.#isDrainDue = true
    this.#schedule()
  }
}

export interface MemoryStreamPair {
  readonly client: MemoryStream
  readonly server: MemoryStream
}
