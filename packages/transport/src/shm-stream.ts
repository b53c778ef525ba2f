// A shared-memory stream: two rings, and the Unix socket over which they were agreed. Bytes go through the rings
// alone. The socket wakes a side that sleeps (one byte each time, whatever its value) and tells that the other
// process is gone: its end is the end of the stream.
//
// Awake, a stream is looked at by the poller in each turn of the event loop; handlers are called from there and
// nowhere else. Without bytes for a while, which shm-patience.ts measures out, it sleeps.
//
// After `isOver` the rings are not touched any more; the memory is unmapped once the socket has closed.

import type { Socket } from 'node:net'
import { BoundedQueue } from '@myelin/base'
import { attachedTwiceError, resetError, TransportError } from './errors.ts'
import {
  memoryChunksMax,
  shmChunkBytesMax,
  socketHighWaterBytes,
  streamTurnMsMax,
} from './limits.ts'
import type { ByteStream, ByteStreamHandlers } from './ports.ts'
import type { Segment } from './shm-native.ts'
import { Patience } from './shm-patience.ts'
import { type Pollable, poller } from './shm-poller.ts'
import type { RingReader, RingWriter } from './shm-ring.ts'

export interface ShmStreamParts {
  /** Connected, agreed upon, and without listeners. */
  readonly socket: Socket
  /** Owned by the stream from now on; holds both rings. */
  readonly segment: Segment
  readonly inbound: RingReader
  readonly outbound: RingWriter
  readonly localAddress: string
  readonly remoteAddress: string
  /** Longest wait for bytes within one turn, in microseconds. */
  readonly spinUs: number
  /** Longest time without bytes before sleep, in microseconds. */
  readonly pollUs: number
}

const wakeByte = Uint8Array.of(1)

export class ShmStream implements ByteStream, Pollable {
  readonly kind = 'stream' as const
  readonly transport = 'shm'
  readonly localAddress: string
  readonly remoteAddress: string
  readonly #socket: Socket
  readonly #segment: Segment
  readonly #inbound: RingReader
  readonly #outbound: RingWriter
  readonly #spinUs: number
  readonly #patience: Patience
  #handlers: ByteStreamHandlers | undefined
  #error: Error | undefined

  /** What did not fit the ring, or waits for `uncork`; of the first chunk `#offset` bytes are in the ring. */
  readonly #queue = new BoundedQueue<Uint8Array>(memoryChunksMax)
  #offset = 0
  #queuedBytes = 0
  #corks = 0
  #isBlocked = false
  #wantsDrain = false

  #isPaused = false
  /** `end` was called; the other side can see it; the other side's end was told here. */
  #isEnding = false
  #isEndPublished = false
  #isEndTold = false
  /** The other process closed its socket, and whether it had all that we wrote. */
  #isPeerGone = false
  #isCutOff = false
  /** Only `closed` is left to tell; the socket has closed; that is told. */
  #isOver = false
  #isSocketClosed = false
  #isClosedTold = false

  #isAsleep = false
  #wakesSent = 0
  #wakesReceived = 0
  #turnCount = 0

  constructor(parts: ShmStreamParts) {
    const { socket } = parts
    this.localAddress = parts.localAddress
    this.remoteAddress = parts.remoteAddress
    this.#socket = socket
    this.#segment = parts.segment
    this.#inbound = parts.inbound
    this.#outbound = parts.outbound
    this.#spinUs = parts.spinUs
    this.#patience = new Patience(parts.pollUs)
    // An error of the socket is followed by its close, and says no more than that.
    socket.on('error', () => {})
    socket.on('data', this.#onWake)
    socket.on('end', this.#onPeerGone)
    socket.on('close', this.#onSocketClose)
  }

  get bufferedBytes(): number {
    return this.#queuedBytes
  }

  /** What is in the ring is copied, and the other side gets it even if this process dies. */
  get isHandedOver(): boolean {
    return !this.#isOver && !this.#isPeerGone && this.#queuedBytes === 0
  }

  /** How often each side woke the other, and how often we were looked at: idle, none of them grows. */
  get counts(): { wakesSent: number; wakesReceived: number; turns: number } {
    const [wakesSent, wakesReceived] = [this.#wakesSent, this.#wakesReceived]
    return { wakesSent, wakesReceived, turns: this.#turnCount }
  }

  get isAsleep(): boolean {
    return this.#isAsleep
  }

  attach(handlers: ByteStreamHandlers): void {
    if (this.#handlers !== undefined) throw attachedTwiceError()
    this.#handlers = handlers
    this.#rouse()
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isEnding || this.#isOver) return false
    if (this.#isPeerGone) {
      this.destroy(this.#goneError())
      return false
    }
    if (bytes.length > 0) this.#accept(bytes)
    if (this.#queuedBytes < socketHighWaterBytes) return !this.#isOver
    this.#wantsDrain = true
    return false
  }

  cork(): void {
    this.#corks += 1
  }

  uncork(): void {
    if (this.#corks === 0) return
    this.#corks -= 1
    if (this.#corks === 0) this.#flush()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    if (this.#handlers !== undefined) this.#rouse()
  }

  end(): void {
    if (this.#isEnding || this.#isOver) return
    this.#isEnding = true
    this.#corks = 0
    this.#flush()
  }

  destroy(error?: Error): void {
    if (this.#isOver) return
    this.#error = error
    this.#close()
  }

  get spinUs(): number {
    return this.#patience.isNone ? 0 : this.#spinUs
  }

  get isReady(): boolean {
    if (this.#isOver)
      return this.#isSocketClosed && this.#handlers !== undefined && !this.#isClosedTold
    if (this.#isBlocked && this.#corks === 0 && this.#outbound.hasRoom) return true
    if (this.#outbound.isBroken || this.#inbound.isBroken) return true
    if (this.#handlers === undefined) return false
    if (this.#wantsDrain && this.#queuedBytes === 0) return true
    if (this.#isPaused) return false
    return this.#inbound.waiting > 0 || this.#isPeerGone || this.#hasNewEnd
  }

  turn(nowMs: number): boolean {
    this.#turnCount += 1
    if (this.isReady) {
      this.#work()
      this.#patience.restart()
      return !this.#isOver || this.isReady
    }
    if (this.#isOver) return false
    return !this.#patience.isOver(nowMs) || !this.#sleep()
  }

  get #hasNewEnd(): boolean {
    return !this.#isEndTold && this.#inbound.isFinished
  }

  #work(): void {
    if (this.#isBlocked && this.#corks === 0) this.#flush()
    const handlers = this.#handlers
    if (handlers === undefined) this.#checkRings()
    else if (this.#isOver) this.#tellClosed(handlers)
    else {
      if (this.#wantsDrain && this.#queuedBytes === 0) {
        this.#wantsDrain = false
        handlers.drain()
      }
      this.#deliver(handlers)
    }
  }

  #deliver(handlers: ByteStreamHandlers): void {
    const beganMs = performance.now()
    // Only what is there now: what handlers cause, or write behind promises, has its turn later.
    let left = this.#isOver ? 0 : this.#inbound.waiting
    if (left > 0) this.#patience.heard()
    while (left > 0 && !this.#isPaused && !this.#isOver) {
      const chunk = this.#inbound.pull(Math.min(left, shmChunkBytesMax))
      if (chunk === undefined) break
      left -= chunk.length
      if (this.#inbound.isAwaited) this.#wake()
      handlers.data(chunk)
      if (performance.now() - beganMs >= streamTurnMsMax) break
    }
    this.#checkRings()
    if (!this.#isPaused && !this.#isOver && this.#hasNewEnd) {
      this.#isEndTold = true
      handlers.end()
    }
    this.#closeWhenDone()
  }

  /** In order when both have ended; otherwise once the other side is gone and all it left is read. */
  #closeWhenDone(): void {
    if (this.#isOver) return
    if (this.#isEndTold && this.#isEndPublished) {
      if (this.#isCutOff) this.#error = this.#goneError()
      this.#close()
    } else if (this.#isPeerGone && !this.#isPaused && this.#inbound.waiting === 0)
      this.destroy(this.#goneError())
  }

  #accept(bytes: Uint8Array): void {
    let count = 0
    if (this.#corks === 0 && this.#queue.size === 0) {
      count = this.#outbound.push(bytes)
      if (count > 0) this.#publish()
    }
    if (count < bytes.length) {
      if (this.#queue.size === 0) this.#offset = count
      if (!this.#queue.push(bytes)) {
        const message = `${memoryChunksMax} chunks wait unread; heed a write that returns false`
        this.destroy(new TransportError('TRANSPORT_EXHAUSTED', message, { kind: 'usage' }))
        return
      }
      this.#queuedBytes += bytes.length - count
      if (this.#corks === 0) this.#setBlocked(true)
      this.#rouse()
    }
    if (this.#patience.spoke(this.#isAsleep)) this.#rouse()
  }

  /** Moves what waits into the ring, as far as it fits, and makes all of it visible at once. */
  #flush(): void {
    if (this.#isOver || this.#isPeerGone) return
    let moved = 0
    for (let bytes = this.#queue.peek(); bytes !== undefined; bytes = this.#queue.peek()) {
      const count = this.#outbound.push(bytes, this.#offset)
      moved += count
      this.#offset += count
      if (this.#offset < bytes.length) break
      this.#queue.shift()
      this.#offset = 0
    }
    this.#queuedBytes -= moved
    if (moved > 0) this.#publish()
    this.#setBlocked(this.#queue.size > 0)
    if (this.#isEnding && !this.#isEndPublished && this.#queue.size === 0) {
      this.#outbound.finish()
      this.#isEndPublished = true
      this.#wake()
    }
    this.#rouse()
  }

  #publish(): void {
    this.#outbound.publish()
    this.#wake()
  }

  #setBlocked(isBlocked: boolean): void {
    if (this.#isBlocked === isBlocked) return
    this.#isBlocked = isBlocked
    this.#outbound.setBlocked(isBlocked)
  }

  /** Wakes the other side if it sleeps. A wake that is still under way will do. */
  #wake(): void {
    if (!this.#outbound.takeSleeper() || this.#socket.writableLength > 0) return
    this.#wakesSent += 1
    this.#socket.write(wakeByte)
  }

  #rouse(): void {
    if (this.#isAsleep) {
      this.#isAsleep = false
      if (!this.#isOver) this.#inbound.setAsleep(false)
    }
    poller.add(this)
  }

  /** False when there is something to do after all. */
  #sleep(): boolean {
    // Who neither reads nor waits for room need not be woken: `resume` and `write` look for themselves.
    const isListening = this.#handlers !== undefined && !this.#isPaused
    if (!isListening && !this.#isBlocked) return true
    this.#inbound.setAsleep(true)
    if (this.isReady) {
      this.#inbound.setAsleep(false)
      this.#patience.restart()
      return false
    }
    this.#isAsleep = true
    return true
  }

  readonly #onWake = (): void => {
    this.#wakesReceived += 1
    if (this.#isOver || !this.#isAsleep) return
    this.#patience.woken(performance.now())
    this.#rouse()
  }

  readonly #onPeerGone = (): void => {
    if (this.#isPeerGone || this.#isOver) return
    this.#isPeerGone = true
    this.#inbound.freeze()
    const hasAll = this.#isEndPublished && this.#outbound.unread === 0
    this.#isCutOff = !hasAll || this.#outbound.isBroken
    this.#drop()
    this.#rouse()
  }

  readonly #onSocketClose = (): void => {
    this.#isSocketClosed = true
    this.#onPeerGone()
    if (!this.#isOver) return
    this.#segment.unmap()
    poller.add(this)
  }

  /** A ring with impossible indices cannot be trusted with anything. */
  #checkRings(): void {
    if (this.#isOver || !(this.#inbound.isBroken || this.#outbound.isBroken)) return
    const message = `the stream to ${this.remoteAddress} broke: its shared memory holds impossible indices`
    this.destroy(new TransportError('TRANSPORT_PROTOCOL', message, { kind: 'protocol' }))
  }

  #goneError(): TransportError {
    return resetError(`the stream to ${this.remoteAddress} broke`)
  }

  #close(): void {
    this.#isOver = true
    this.#drop()
    if (!this.#isSocketClosed) this.#socket.destroy()
    else {
      setImmediate(() => this.#segment.unmap())
      poller.add(this)
    }
  }

  #drop(): void {
    this.#queue.clear()
    this.#queuedBytes = 0
    this.#isBlocked = false
  }

  #tellClosed(handlers: ByteStreamHandlers): void {
    this.#isClosedTold = true
    handlers.closed(this.#error)
  }
}
