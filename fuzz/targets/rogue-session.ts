// The other side of a fuzzed session, and what stands around it: a script of pieces, the sealing of records, a
// clock that stands still, a byte stream and a program that watches what it is told.

import { type Clock, concatBytes, type Timer, utf8Encode } from '@myelin/base'
import { aead, hkdfExpand } from '@myelin/crypto'
import {
  type IncomingMessage,
  type Session,
  SessionError,
  type SessionHandlers,
  type SessionStream,
} from '@myelin/session'
import type { ByteStream, ByteStreamHandlers } from '@myelin/transport'
import { compress, encodePacket, packetFlags, writePacketHeader } from '@myelin/wire'
import { hashOf } from './bounds.ts'

/** The wall clock of all fuzzed sessions. */
export const nowMs = 1_700_000_000_000

/** How a piece of the script becomes bytes on the stream. */
export const pieceKinds = {
  /** A record as it should be. */
  sealed: 0,
  /** Said to be compressed, which its bytes may or may not be. */
  markedCompressed: 1,
  compressed: 2,
  /** Not sealed, not even a packet. */
  raw: 3,
  /** A packet without seal. */
  clear: 4,
  /** The last record of its key. */
  keyUpdate: 5,
  damaged: 6,
} as const

export function piece(kind: number, bytes: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(kind, bytes.length >> 8, bytes.length), bytes)
}

export const inChunks = 0x80

export interface Piece {
  readonly kind: number
  readonly isInChunks: boolean
  readonly bytes: Uint8Array
}

/** Each piece costs the rogue more than the session. */
const piecesMax = 64

export function* piecesOf(input: Uint8Array): Generator<Piece> {
  for (let at = 0, said = 0; at + 3 <= input.length && said < piecesMax; said += 1) {
    const head = input[at] as number
    const length = ((input[at + 1] as number) << 8) | (input[at + 2] as number)
    const bytes = input.slice(at + 3, at + 3 + length)
    yield { kind: (head & 0x7f) % 7, isInChunks: (head & inChunks) !== 0, bytes }
    at += 3 + length
  }
}

/** The sender's side of protocol specification §4 and §5, written from it and not from the session's own. */
export class RogueSealer {
  #secret: Uint8Array
  #counter = 0

  constructor(secret: Uint8Array) {
    this.#secret = secret
  }

  seal(plaintext: Uint8Array, flags: number): Uint8Array {
    const expand = (label: string, length: number) =>
      hkdfExpand('sha256', this.#secret, utf8Encode(label), length)
    const nonce = expand('myelin iv', 12)
    nonce[11] = (nonce[11] as number) ^ this.#counter
    this.#counter += 1
    const header = new Uint8Array(10)
    writePacketHeader(header, 0, packetFlags.encrypted | flags, plaintext.length + 16)
    const sealed = aead('chacha20-poly1305').seal(
      expand('myelin key', 32),
      nonce,
      plaintext,
      header,
    )
    return concatBytes(header, sealed)
  }

  update(): void {
    this.#secret = hkdfExpand('sha256', this.#secret, utf8Encode('myelin key update'), 32)
    this.#counter = 0
  }

  bytesOf({ kind, bytes }: Piece): Uint8Array {
    if (kind === pieceKinds.raw) return bytes
    if (kind === pieceKinds.clear) return encodePacket(0, bytes)
    if (kind === pieceKinds.markedCompressed) return this.seal(bytes, packetFlags.compressed)
    if (kind === pieceKinds.compressed) {
      const packed = compress('lz4', bytes, { thresholdBytes: 0 })
      return packed === undefined ? this.seal(bytes, 0) : this.seal(packed, packetFlags.compressed)
    }
    const sealed = this.seal(bytes, 0)
    if (kind === pieceKinds.keyUpdate) this.update()
    if (kind === pieceKinds.damaged) sealed[sealed.length - 1] = (sealed.at(-1) as number) ^ 1
    return sealed
  }
}

/** Time stands still; what is set is remembered, so that a timer left behind shows. */
export class StillClock implements Clock {
  readonly pending = new Set<{ delayMs: number; callback: () => void }>()

  wallMs(): number {
    return nowMs
  }
  monotonicMs(): number {
    return 0
  }
  setTimer(delayMs: number, callback: () => void): Timer {
    const entry = { delayMs, callback }
    this.pending.add(entry)
    return { cancel: () => void this.pending.delete(entry) }
  }
  defer(callback: () => void): void {
    queueMicrotask(callback)
  }
}

/** The session's end of a byte stream; the script is the other end and throws away what it hears. */
export class ScriptedStream implements ByteStream {
  readonly kind = 'stream' as const
  readonly transport = 'script'
  readonly localAddress = '/memory/here'
  readonly remoteAddress = '/memory/there'
  readonly bufferedBytes = 0
  writtenBytes = 0
  isDestroyed = false
  isEnded = false
  #handlers: ByteStreamHandlers | undefined

  attach(handlers: ByteStreamHandlers): void {
    this.#handlers = handlers
  }
  write(bytes: Uint8Array): boolean {
    this.writtenBytes += bytes.length
    return true
  }
  cork(): void {}
  uncork(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {
    this.isEnded = true
  }
  destroy(): void {
    this.isDestroyed = true
  }

  /** The memory of what is said belongs to the session, as that of any stream. */
  say(bytes: Uint8Array, chunkLength = bytes.length): void {
    for (let at = 0; at < bytes.length && !this.isDestroyed; at += chunkLength)
      this.#handlers?.data(bytes.slice(at, at + chunkLength))
  }
  hangUp(): void {
    if (!this.isDestroyed) this.#handlers?.end()
    this.#handlers?.closed()
  }
}

/** The program over the session: answers, holds back, reads and stops streams, and writes down what it is told. */
export class Witness implements SessionHandlers {
  readonly events: string[] = []
  readonly violations: string[] = []
  /** What was delivered, and what it was when it was. */
  readonly #kept: { readonly bytes: Uint8Array; readonly hash: number }[] = []
  heard = 0

  opened(session: Session): void {
    this.#note('opened')
    if (!session.isOpen) this.violations.push('opened after its end')
    this.#try(() => session.post('data', new Uint8Array(40)))
    session.request('echo', new Uint8Array(4)).catch(() => {})
    session.ping().catch(() => {})
  }
  message(message: IncomingMessage): void {
    this.#note('message')
    this.#keep(message.payload)
    if (message.kind === 'request') {
      if (message.id % 2 === 0) this.#try(() => message.reply(message.payload))
      else message.fail(1, 'no')
    }
    if (message.id % 4 !== 3) message.release()
  }
  stream(stream: SessionStream): void {
    this.#note('stream')
    void this.#use(stream).catch((error: unknown) => {
      if (!(error instanceof SessionError)) this.violations.push(`a stream threw ${error}`)
    })
  }
  closed(error: SessionError): void {
    this.#note('closed')
    if (!(error instanceof SessionError)) this.violations.push(`closed with ${error}`)
  }

  /** The peer may take no message of that size: that is for the sender to know. */
  #try(send: () => unknown): void {
    try {
      send()
    } catch (error) {
      const isKnown = error instanceof SessionError && error.code === 'SESSION_MESSAGE_TOO_LARGE'
      if (!isKnown) this.violations.push(`sending threw ${error}`)
    }
  }

  /** A payload may be kept: nothing that arrives later may show in it. */
  checkKept(): void {
    if (this.#kept.some(({ bytes, hash }) => hashOf(bytes) !== hash))
      this.violations.push('a payload changed after its delivery')
  }

  #keep(bytes: Uint8Array): void {
    this.heard += bytes.length
    this.#kept.push({ bytes, hash: hashOf(bytes) })
  }

  #note(event: string): void {
    if (this.events.includes('closed')) this.violations.push(`${event} after closed`)
    if (event !== 'opened' && !this.events.includes('opened'))
      this.violations.push(`${event} before opened`)
    this.events.push(event)
  }

  async #use(stream: SessionStream): Promise<void> {
    stream.write(new Uint8Array(10))
    if (stream.id % 8 === 2) stream.stop(3)
    if (stream.id % 8 === 4) stream.reset(4)
    stream.closed().catch(() => {})
    for await (const chunk of stream) this.#keep(chunk)
    stream.finish()
  }
}
