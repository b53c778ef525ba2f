// A whole session as responder, fed by a rogue that completed the handshake. The input is a script of what it
// then says, piece by piece: kind(1) · length(u16) · bytes; the kind's top bit has the piece arrive in chunks.
// The handshake is recorded once; with clock and randomness fixed, every new session accepts the recording and
// has the same keys.

import assert from 'node:assert/strict'
import { type Clock, concatBytes, emptyBytes, kib, mib, type Timer, utf8Encode } from '@myelin/base'
import { aead, hkdfExpand } from '@myelin/crypto'
import { AgentKeys, createPeerRecord } from '@myelin/identity'
import {
  acceptSession,
  awaitHandshake,
  beginHandshake,
  type Established,
  type HandshakeContext,
  type IncomingMessage,
  type Session,
  type SessionEnvironment,
  SessionError,
  type SessionHandlers,
  type SessionStream,
  sessionEnvironment,
} from '@myelin/session'
import { type FuzzTarget, SeededRandom } from '@myelin/testkit'
import type { ByteStream, ByteStreamHandlers } from '@myelin/transport'
import {
  compress,
  encodePacket,
  messageHeaderBytes,
  packetFlags,
  writeMessageHeader,
  writePacketHeader,
} from '@myelin/wire'
import { boundsWith, hashOf } from './bounds.ts'
import { frameTokens, sampleFrames, sampleSettings } from './packets.ts'

const nowMs = 1_700_000_000_000
const closeTimeoutMs = 200
const alice = AgentKeys.generate(new SeededRandom('alice of the sessions'))
const bob = AgentKeys.generate(new SeededRandom('bob of the sessions'))

function recordOf(keys: AgentKeys) {
  return createPeerRecord(keys, { sequence: 1, nowMs, staticKey: keys.staticKey.publicKey })
}
const aliceRecord = recordOf(alice)
const bobRecord = recordOf(bob)

/** How a piece of the script becomes bytes on the stream. */
const pieceKinds = {
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

function piece(kind: number, bytes: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(kind, bytes.length >> 8, bytes.length), bytes)
}

const inChunks = 0x80
/** Neither a divisor of anything here nor as long as a small record. */
const chunkBytes = 1_021

interface Piece {
  readonly kind: number
  readonly isInChunks: boolean
  readonly bytes: Uint8Array
}

function* piecesOf(input: Uint8Array): Generator<Piece> {
  for (let at = 0; at + 3 <= input.length; ) {
    const head = input[at] as number
    const length = ((input[at + 1] as number) << 8) | (input[at + 2] as number)
    const bytes = input.slice(at + 3, at + 3 + length)
    yield { kind: (head & 0x7f) % 7, isInChunks: (head & inChunks) !== 0, bytes }
    at += 3 + length
  }
}

/** The sender's side of protocol specification §4 and §5, written from it and not from the session's own. */
class RogueSealer {
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
class StillClock implements Clock {
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
class ScriptedStream implements ByteStream {
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
class Witness implements SessionHandlers {
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

function environmentOf(clock: Clock): SessionEnvironment {
  return sessionEnvironment({
    clock,
    random: new SeededRandom('bob in a session'),
    keys: bob,
    record: () => bobRecord,
    authorize: () => ({ isAdmitted: true, roles: [] }),
    requireHybrid: false,
    closeTimeoutMs,
    abilities: {
      versionMin: 1,
      versionMax: 1,
      suites: ['chacha20-poly1305'],
      compressions: ['lz4'],
    },
    messageBytesMax: 16 * kib,
  })
}

interface Recording {
  readonly hello: Uint8Array
  readonly finish: Uint8Array
  readonly established: Established
}

/** The initiator's side, once. */
function recordHandshake(): Recording {
  const environment = environmentOf(new StillClock())
  const context: HandshakeContext = { ...environment, record: bobRecord }
  const ours = {
    ...context,
    keys: alice,
    record: aliceRecord,
    random: new SeededRandom('alice in a session'),
    nonces: environmentOf(new StillClock()).nonces,
    hybrid: false,
  }
  const first = beginHandshake(ours, nowMs)
  const second = awaitHandshake(context).receive(first.send, nowMs)
  assert.ok(second.kind === 'continue')
  const third = first.next.receive(second.send, nowMs)
  assert.ok(third.kind === 'established' && third.send !== undefined)
  return { hello: first.send, finish: third.send, established: third.established }
}

const recording = recordHandshake()

async function play(input: Uint8Array): Promise<number | undefined> {
  const clock = new StillClock()
  const stream = new ScriptedStream()
  const witness = new Witness()
  const accepting = acceptSession(stream, environmentOf(clock), { handlers: witness })
  let outcome: unknown
  accepting.then(
    (session) => {
      outcome = session
    },
    (error: unknown) => {
      outcome = error
    },
  )
  stream.say(encodePacket(0, recording.hello))
  stream.say(encodePacket(0, recording.finish))
  const sealer = new RogueSealer(recording.established.secrets.send.slice())
  let pieces = 0
  for (const next of piecesOf(input)) {
    stream.say(sealer.bytesOf(next), next.isInChunks ? chunkBytes : undefined)
    pieces += 1
    // Readers of streams take their turn.
    if (pieces % 4 === 0) await turn()
  }
  await turn()
  const wasOpen =
    outcome !== undefined && !(outcome instanceof Error) && (outcome as Session).isOpen
  if (wasOpen) checkHeld(outcome as Session)
  stream.hangUp()
  await turn()
  witness.checkKept()
  const isOpened = witness.events.includes('opened')
  assert.ok(outcome !== undefined, 'neither accepted nor refused')
  if (outcome instanceof Error)
    assert.ok(outcome instanceof SessionError, `refused with ${outcome}`)
  assert.equal(
    witness.events.includes('closed'),
    isOpened,
    'closed is told to whom opened was told',
  )
  assert.deepEqual(witness.violations, [])
  const left = [...clock.pending].filter(({ delayMs }) => delayMs !== closeTimeoutMs)
  assert.deepEqual(left, [], 'a timer is left behind')
  // The peer's bytes must not buy it many times as many of ours.
  assert.ok(
    stream.writtenBytes <= 16 * kib + 64 * input.length,
    `${stream.writtenBytes} bytes written`,
  )
  return wasOpen ? witness.heard : undefined
}

function checkHeld(session: Session): void {
  const { heldBytes, queuedBytes, requestsPending } = session.stats
  assert.ok(heldBytes >= 0 && heldBytes <= 4 * mib, `${heldBytes} bytes held`)
  assert.ok(queuedBytes >= 0 && requestsPending <= 1)
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function sampleScripts(): Uint8Array[] {
  const settings = piece(pieceKinds.sealed, sampleSettings)
  const frames = sampleFrames()
  const each = frames.map((frame) => concatBytes(settings, piece(pieceKinds.sealed, frame)))
  const together = frames.filter((frame) => frame[0] !== 3 && frame[0] !== 4 && frame[0] !== 5)
  const long = concatBytes(sampleFrames()[0] ?? emptyBytes, new Uint8Array(600))
  return [
    settings,
    ...each,
    concatBytes(settings, ...together.map((frame) => piece(pieceKinds.sealed, frame))),
    concatBytes(settings, piece(pieceKinds.compressed, long), piece(pieceKinds.sealed, long)),
    concatBytes(
      settings,
      piece(pieceKinds.keyUpdate, Uint8Array.of(5)),
      piece(pieceKinds.sealed, frames[0] ?? emptyBytes),
    ),
    concatBytes(
      settings,
      piece(inChunks | pieceKinds.sealed, largeRecord()),
      piece(inChunks | pieceKinds.sealed, largeRecord()),
      piece(pieceKinds.sealed, frames[0] ?? emptyBytes),
    ),
    piece(pieceKinds.clear, Uint8Array.of(0xff, 0, 30)),
    concatBytes(settings, piece(pieceKinds.clear, Uint8Array.of(0xff, 0, 30))),
    piece(pieceKinds.sealed, concatBytes(sampleSettings, ...together)),
  ]
}

/** One message, long enough for the session to gather its record in a pooled buffer. */
function largeRecord(): Uint8Array {
  const record = new Uint8Array(6 * kib).fill(7)
  writeMessageHeader(record, 0, 0, 1, 9, 0, record.length - messageHeaderBytes)
  return record
}

export const sessionTargets: readonly FuzzTarget[] = [
  {
    name: 'session',
    bounds: boundsWith({
      inputBytesMax: 16 * kib,
      outputBytesMax: 64 * kib,
      allocatedBytesMax: 8 * mib,
    }),
    samples: sampleScripts,
    tokens: [
      ...frameTokens,
      ...Object.values(pieceKinds).map((kind) => piece(kind, sampleSettings)),
      ...sampleFrames().map((frame) => piece(pieceKinds.sealed, frame)),
    ],
    cost: 100,
    decode: play,
  },
]
