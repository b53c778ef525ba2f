// Batches frames into records, seals each once and writes it (DESIGN §3.6). Frames that are written in one
// turn of the event loop share a record; a lone one leaves at the end of the same turn. Rotates the key when
// messages, bytes or time ask for it: the key-update frame is the last of the old key's records, so nothing
// is lost or held up over a rotation (R029).

import type { Clock } from '@myelin/base'
import { aeadEngine } from '@myelin/crypto'
import type { ByteStream } from '@myelin/transport'
import { type CompressionName, compress, frameKinds } from '@myelin/wire'
import { recordBytesMax } from './limits.ts'
import type { RecordBuffers } from './record-buffers.ts'
import { type RecordSealer, sealedOverheadBytes } from './record-cipher.ts'
import { release } from './release.ts'

export interface RekeyLimits {
  readonly messages: number
  readonly bytes: number
  readonly ms: number
}

export interface RecordWriterOptions {
  readonly stream: ByteStream
  readonly sealer: RecordSealer
  readonly buffers: RecordBuffers
  readonly clock: Clock
  readonly compression: CompressionName
  readonly compressionThresholdBytes: number
  readonly rekey: RekeyLimits
}

/** Bytes that the transport may hold before the writer counts as blocked. */
const transportBufferBytesMax = 256 * 1024
/**
 * A record from here on leaves in parts where the cipher writes to memory of its own: for a smaller one the three
 * writes cost more than the copy.
 */
const partsFromBytes = recordBytesMax / 4
/** One byte of each record is kept free for the key-update frame. */
export const recordRoom = recordBytesMax - 1

export class RecordWriter {
  /** The transport's buffer is full: wait for `unblock`. */
  isBlocked = false
  records = 0
  bytes = 0
  rekeys = 0
  lastWriteMs: number
  readonly #options: RecordWriterOptions
  readonly #flushLater: () => void
  #buffer: Uint8Array | undefined
  #length = 0
  #frames = 0
  #messagesInRecord = 0
  #isFlushDue = false
  #isClosed = false
  #messagesOfKey = 0
  #bytesOfKey = 0
  #keySinceMs: number

  constructor(options: RecordWriterOptions) {
    this.#options = options
    this.#flushLater = () => {
      this.#isFlushDue = false
      if (!this.isBlocked) this.flush()
    }
    this.#keySinceMs = options.clock.monotonicMs()
    this.lastWriteMs = this.#keySinceMs
  }

  /** Room for one more frame in the open record. */
  get roomBytes(): number {
    return recordRoom - this.#length
  }

  /**
   * The buffer to write a frame of `frameBytes` into, at `offset`; then call `commit`. Seals what is there
   * first where the frame would not fit.
   */
  begin(frameBytes: number): Uint8Array {
    if (this.#length + frameBytes > recordRoom) this.flush()
    this.#buffer ??= this.#options.buffers.take()
    return this.#buffer
  }

  get offset(): number {
    return this.#length
  }

  /** Messages that may still start under this key. */
  get messagesLeft(): number {
    return this.#options.rekey.messages - this.#messagesOfKey
  }

  /** The frames end at `end`; `messages` of them start a message. */
  commit(end: number, messages: number, frames = 1): void {
    this.#length = end
    this.#frames += frames
    this.#messagesInRecord += messages
    this.#messagesOfKey += messages
    if (this.#messagesOfKey >= this.#options.rekey.messages) this.flush()
    else this.#flushSoon()
  }

  /** Adds a control frame. */
  control(frame: Uint8Array): void {
    this.begin(frame.length).set(frame, this.#length)
    this.commit(this.#length + frame.length, 0)
  }

  /** Seals and writes what is there, now. */
  flush(): void {
    const buffer = this.#buffer
    if (buffer === undefined || this.#length === 0 || this.#isClosed) return
    const { stream, buffers, clock } = this.#options
    const nowMs = clock.monotonicMs()
    this.#bytesOfKey += this.#length
    const isRekeyDue = this.#isRekeyDue(nowMs)
    if (isRekeyDue) {
      buffer[this.#length] = frameKinds.keyUpdate
      this.#length += 1
    }
    const plaintext = buffer.subarray(0, this.#length)
    const smaller = this.#compress(plaintext, isRekeyDue)
    const sealed = this.#seal(smaller ?? plaintext, smaller !== undefined)
    if (isRekeyDue) this.#rekey(nowMs)
    buffers.give(buffer)
    this.#buffer = undefined
    this.#length = 0
    this.#frames = 0
    this.#messagesInRecord = 0
    this.records += 1
    this.lastWriteMs = nowMs
    // Last: a transport may call back from within a write.
    if (!this.#write(sealed) && stream.bufferedBytes > transportBufferBytesMax)
      this.isBlocked = true
  }

  /** The key is old and nothing is being sent that would rotate it: rotate now. */
  rekeyIfOld(): void {
    if (this.#isRekeyDue(this.#options.clock.monotonicMs()))
      this.control(Uint8Array.of(frameKinds.padding))
  }

  /** Nothing is written any more; the buffer goes back. Once. */
  close(): void {
    this.#isClosed = true
    if (this.#buffer !== undefined) this.#options.buffers.give(this.#buffer)
    this.#buffer = undefined
    this.#options.sealer[Symbol.dispose]()
  }

  /** One packet, or its parts where that is cheaper. */
  #seal(plaintext: Uint8Array, isCompressed: boolean): Uint8Array | readonly Uint8Array[] {
    const { sealer } = this.#options
    this.bytes += plaintext.length + sealedOverheadBytes
    return plaintext.length < partsFromBytes || aeadEngine() === 'openssl'
      ? sealer.seal(plaintext, isCompressed)
      : sealer.sealParts(plaintext, isCompressed)
  }

  /** False: the transport's buffer is above its mark. */
  #write(sealed: Uint8Array | readonly Uint8Array[]): boolean {
    const { stream } = this.#options
    let hasRoom = true
    if (sealed instanceof Uint8Array) {
      hasRoom = stream.write(sealed)
      if (stream.isHandedOver) release(sealed)
      return hasRoom
    }
    stream.cork()
    for (const part of sealed) hasRoom = stream.write(part)
    stream.uncork()
    if (stream.isHandedOver) for (const part of sealed) release(part)
    return hasRoom
  }

  #flushSoon(): void {
    if (this.#isFlushDue || this.#isClosed) return
    this.#isFlushDue = true
    this.#options.clock.defer(this.#flushLater)
  }

  /** Only a record of a single message: two senders' data in one compressed record would leak (CRIME). */
  #compress(plaintext: Uint8Array, hasKeyUpdate: boolean): Uint8Array | undefined {
    const { compression, compressionThresholdBytes } = this.#options
    if (
      compression === 'none' ||
      this.#frames !== 1 ||
      this.#messagesInRecord !== 1 ||
      hasKeyUpdate
    )
      return undefined
    return compress(compression, plaintext, { thresholdBytes: compressionThresholdBytes })
  }

  #isRekeyDue(nowMs: number): boolean {
    const { messages, bytes, ms } = this.#options.rekey
    return (
      this.#messagesOfKey >= messages || this.#bytesOfKey >= bytes || nowMs - this.#keySinceMs >= ms
    )
  }

  #rekey(nowMs: number): void {
    this.#options.sealer.update()
    this.rekeys += 1
    this.#messagesOfKey = 0
    this.#bytesOfKey = 0
    this.#keySinceMs = nowMs
  }
}
