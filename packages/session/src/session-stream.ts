// One stream of a session: an ordered run of bytes in each direction, with its own credit, so that a stalled
// stream slows no other. Reading is `for await`; writing says when to wait.

import { AsyncQueue } from '@myelin/base'
import { ReceiveCredit, SendCredit } from './credit.ts'
import { SessionError, type SessionErrorCode } from './errors.ts'
import type { Lane } from './lane.ts'
import { dataWindowBytes, streamHighWaterBytes } from './limits.ts'
import type { AdaptiveWindow } from './window.ts'

/** What a stream needs from the table it lives in. */
export interface StreamHost {
  /** The stream has bytes or an end to send. */
  ready(stream: SessionStream): void
  /** The application took bytes: `streamLimit` is a new limit to announce, or 0. */
  taken(stream: SessionStream, bytes: number, streamLimit: number): void
  sendReset(stream: SessionStream, code: number): void
  sendStop(stream: SessionStream, code: number): void
  /** Both directions are over. */
  finished(stream: SessionStream): void
  /** For what the stream receives. */
  window(): AdaptiveWindow
}

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

// One chunk per frame and at least one byte each; the byte credit is the real bound.
const chunksMax = dataWindowBytes

export class SessionStream implements AsyncIterable<Uint8Array>, AsyncDisposable {
  readonly id: number
  /** The name it was opened under: what handles it. */
  readonly type: string
  readonly #host: StreamHost
  readonly #inbox: AsyncQueue<Uint8Array>
  readonly #sendCredit = new SendCredit()
  readonly #receiveCredit: ReceiveCredit
  readonly #chunks: Uint8Array[] = []
  #queuedBytes = 0
  #drainWaiters: Waiter[] = []
  #closeWaiters: Waiter[] = []
  #sendState: 'open' | 'finishing' | 'done' = 'open'
  #isReceiveDone = false
  #failure: SessionError | undefined
  #isStopped = false
  /** The opening frame is still to be sent. */
  isOpening: boolean
  /** `stop` was called before the opening frame left: this code follows it. */
  stopCodeDue: number | undefined
  /** Where it has one, its frames go there; else over the main stream. */
  lane: Lane | undefined
  /** It stands in the table's line of streams that can send. */
  isInLine = false

  constructor(host: StreamHost, id: number, type: string, isOpening: boolean) {
    this.#host = host
    this.id = id
    this.type = type
    this.isOpening = isOpening
    this.#receiveCredit = new ReceiveCredit(host.window())
    this.#inbox = new AsyncQueue(chunksMax, (chunk) => {
      host.taken(
        this,
        chunk.length,
        this.#isReceiveDone ? 0 : this.#receiveCredit.release(chunk.length),
      )
    })
  }

  /** Bytes written and not yet on their way. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /**
   * Queues bytes, which belong to the stream from now on. False when the buffer is above its mark: wait for
   * `drained()`. Throws `SESSION_STREAM_STATE` after `finish`, or what ended the stream.
   */
  write(bytes: Uint8Array): boolean {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#sendState !== 'open') {
      throw new SessionError(
        'SESSION_STREAM_STATE',
        'the stream is finished; open another to send more',
        { kind: 'usage' },
      )
    }
    if (bytes.length > 0) {
      this.#chunks.push(bytes)
      this.#queuedBytes += bytes.length
    }
    this.#host.ready(this)
    return this.#queuedBytes < streamHighWaterBytes
  }

  /** Resolves when the buffer is below its mark, or dropped by a reset; rejects when the session ends before. */
  drained(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#queuedBytes < streamHighWaterBytes) return Promise.resolve()
    return new Promise((resolve, reject) => this.#drainWaiters.push({ resolve, reject }))
  }

  /** Says that nothing more will be written; what is queued still leaves. */
  finish(): void {
    if (this.#sendState !== 'open') return
    this.#sendState = 'finishing'
    this.#host.ready(this)
  }

  /** Abandons what we send; the peer's reader sees `SESSION_STREAM_RESET`. `code` is the application's, u16. */
  reset(code = 0): void {
    if (this.#sendState === 'done') return
    this.#host.sendReset(this, code)
    this.#dropOutput()
    if (this.isOpening && !this.#isReceiveDone) {
      // The peer never heard of the stream, so nothing will come back.
      this.#isReceiveDone = true
      this.#inbox.close()
    }
    this.#finishSending()
  }

  /** Asks the peer to stop sending; what arrives from now on is dropped. */
  stop(code = 0): void {
    const isReceiving = !this.#isReceiveDone
    if (isReceiving) {
      this.#host.sendStop(this, code)
      this.#isStopped = true
    }
    // Also behind the end: what nobody will read must not keep the session's credit.
    void this.#inbox.return()
    if (isReceiving) this.#finishReceiving()
  }

  /** Resolves when both directions are over; rejects when the stream or its session failed. */
  closed(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#isOver) return Promise.resolve()
    return new Promise((resolve, reject) => this.#closeWaiters.push({ resolve, reject }))
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: () => this.#inbox.next(),
      return: () => {
        this.stop()
        return Promise.resolve({ done: true, value: undefined })
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.finish()
    this.stop()
    await this.closed().catch(() => {})
  }

  get #isOver(): boolean {
    return this.#sendState === 'done' && this.#isReceiveDone
  }

  // What follows is for the table alone.

  /** There is something that could be sent, credit allowing. */
  get hasOutput(): boolean {
    return (
      this.#sendState !== 'done' &&
      (this.isOpening || this.#queuedBytes > 0 || this.#sendState === 'finishing')
    )
  }

  /** Bytes that may be sent now under the stream's own credit. */
  get sendableBytes(): number {
    return Math.min(this.#queuedBytes, this.#sendCredit.available)
  }

  /** The peer has neither ended nor reset its direction, and we still listen. */
  get isExpecting(): boolean {
    return !this.#isReceiveDone
  }

  get isFinishing(): boolean {
    return this.#sendState === 'finishing'
  }

  /** Copies the next `bytes` queued bytes into `target` at `offset`. */
  takeOutput(target: Uint8Array, offset: number, bytes: number): void {
    let at = offset
    let rest = bytes
    while (rest > 0) {
      const chunk = this.#chunks[0] as Uint8Array
      const part = chunk.length <= rest ? chunk : chunk.subarray(0, rest)
      target.set(part, at)
      if (part.length === chunk.length) this.#chunks.shift()
      else this.#chunks[0] = chunk.subarray(part.length)
      at += part.length
      rest -= part.length
    }
    this.#sendCredit.use(bytes)
    this.#queuedBytes -= bytes
    if (this.#queuedBytes < streamHighWaterBytes && this.#drainWaiters.length > 0) {
      for (const waiter of this.#drainWaiters.splice(0)) waiter.resolve()
    }
  }

  /** The frame with the end has been written. */
  finSent(): void {
    this.#finishSending()
  }

  raiseSendLimit(limit: number): void {
    this.#sendCredit.raise(limit)
    if (this.hasOutput) this.#host.ready(this)
  }

  /** The code of a violation, or undefined. */
  receive(payload: Uint8Array, isLast: boolean): SessionErrorCode | undefined {
    if (this.#isStopped) {
      this.#host.taken(this, payload.length, 0)
      return undefined
    }
    // Nothing comes after the end of a direction, be it a fin or a reset.
    if (this.#isReceiveDone) return 'SESSION_PROTOCOL'
    if (!this.#receiveCredit.receive(payload.length)) return 'SESSION_FLOW_CONTROL'
    if (payload.length > 0) this.#inbox.push(payload)
    if (isLast) {
      this.#inbox.close()
      this.#finishReceiving()
    }
    return undefined
  }

  /** The peer abandoned its direction. */
  resetByPeer(code: number): void {
    if (this.#isReceiveDone) return
    this.#inbox.close(
      new SessionError('SESSION_STREAM_RESET', `the peer reset the stream with code ${code}`, {
        kind: 'recoverable',
      }),
    )
    this.#finishReceiving()
  }

  /** The session is over. */
  fail(error: SessionError): void {
    if (this.#failure !== undefined || this.#isOver) return
    this.#failure = error
    // Before the output is dropped, which lets those that wait for room go on.
    for (const waiter of [...this.#drainWaiters.splice(0), ...this.#closeWaiters.splice(0)])
      waiter.reject(error)
    this.#dropOutput()
    // What was cut short is dropped: a reader that takes its time would keep it, session after session.
    if (!this.#isReceiveDone) while (this.#inbox.size > 0) void this.#inbox.next()
    this.#inbox.close(error)
  }

  #dropOutput(): void {
    this.#chunks.length = 0
    this.#queuedBytes = 0
    for (const waiter of this.#drainWaiters.splice(0)) waiter.resolve()
  }

  #finishSending(): void {
    this.#sendState = 'done'
    this.#settle()
  }

  #finishReceiving(): void {
    this.#isReceiveDone = true
    this.#settle()
  }

  #settle(): void {
    if (!this.#isOver) return
    this.#host.finished(this)
    for (const waiter of this.#closeWaiters.splice(0)) waiter.resolve()
  }
}
