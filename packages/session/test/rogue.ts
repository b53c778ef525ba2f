// A peer that holds genuine keys and breaks the rules: it speaks Noise and records itself, so that it can say
// what no correct peer says.

import assert from 'node:assert/strict'
import { concatBytes } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import { HandshakeState } from '@myelin/crypto'
import { acceptSession, handshakePatterns, type Session } from '@myelin/session'
import type { ByteStream } from '@myelin/transport'
import { encodeFrame, encodePacket, PacketDecoder } from '@myelin/wire'
import {
  type Accept,
  decodeAccept,
  encodeAccept,
  encodeFinish,
  encodeHello,
  type Finish,
  type Hello,
} from '../src/handshake-payload.ts'
import { type Agreement, compressionOfNumber } from '../src/negotiation.ts'
import { RecordOpener, RecordSealer } from '../src/record-cipher.ts'
import { trafficSecrets } from '../src/traffic-secrets.ts'
import { type Party, wire } from './pair.ts'

/** Packets of one byte stream, to be awaited one by one. */
export class PacketReader {
  readonly #packets: { flags: number; header: Uint8Array; payload: Uint8Array }[] = []
  #wake: () => void = () => {}
  isEnded = false

  constructor(stream: ByteStream) {
    const decoder = new PacketDecoder()
    const sink = {
      packet: (flags: number, header: Uint8Array, payload: Uint8Array) => {
        this.#packets.push({ flags, header: header.slice(), payload: payload.slice() })
        this.#wake()
      },
    }
    const over = () => {
      this.isEnded = true
      this.#wake()
    }
    stream.attach({
      data: (chunk) => void decoder.push(chunk, sink),
      drain: () => {},
      end: over,
      closed: over,
    })
  }

  /** Undefined: nothing more comes. */
  async next(): Promise<{ flags: number; header: Uint8Array; payload: Uint8Array } | undefined> {
    while (this.#packets.length === 0 && !this.isEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#packets.shift()
  }
}

/** What a responder with the default abilities agrees to. */
const rogueAgreement: Agreement = { version: 1, suite: 'aes-256-gcm', compression: 'zstd' }
const pattern = handshakePatterns.XXhfs
const prologue = concatBytes(
  new TextEncoder().encode('myelin session'),
  Uint8Array.of(pattern.number),
)
const none = new Uint8Array(0)

function noiseOf(party: Party, initiator: boolean): HandshakeState {
  const { staticKey } = party.keys
  return new HandshakeState({
    protocolName: pattern.protocol,
    initiator,
    prologue,
    s: staticKey,
    random: systemRandom,
  })
}

export function helloOf(party: Party, changes: Partial<Hello> = {}): Hello {
  const nonce = systemRandom.fill(new Uint8Array(32))
  const timestampMs = party.environment.clock.wallMs()
  return {
    timestampMs,
    nonce,
    versionMin: 1,
    versionMax: 1,
    suites: [2, 1],
    compressions: [2, 1, 0],
    ...changes,
  }
}

export interface RogueSession {
  readonly stream: ByteStream
  readonly packets: PacketReader
  readonly sealer: RecordSealer
  readonly opener: RecordOpener
  /** The other end, where it accepted. */
  readonly accepting: Promise<Session>
  /** Sends frames as one record. */
  send(...frames: readonly Uint8Array[]): void
}

/** Says a hello of these bytes, well sealed whatever they are. */
export async function rogueHello(
  rogue: Party,
  responder: Party,
  hello: Uint8Array,
): Promise<Pick<RogueSession, 'stream' | 'packets' | 'accepting'>> {
  const [stream, far] = await wire()
  const accepting = acceptSession(far, responder.environment, { handlers: responder.handlers })
  accepting.catch(() => {})
  const packets = new PacketReader(stream)
  const first = noiseOf(rogue, true).writeMessage(hello)
  stream.write(encodePacket(0, concatBytes(Uint8Array.of(pattern.number), first)))
  return { stream, packets, accepting }
}

/** Runs the handshake as initiator, with changes to what it says. */
export async function rogueInitiator(
  rogue: Party,
  responder: Party,
  changes: { hello?: Partial<Hello>; finish?: Partial<Finish> } = {},
): Promise<RogueSession> {
  const [near, far] = await wire()
  const accepting = acceptSession(far, responder.environment, { handlers: responder.handlers })
  accepting.catch(() => {})
  const packets = new PacketReader(near)
  const noise = noiseOf(rogue, true)
  const first = noise.writeMessage(encodeHello(helloOf(rogue, changes.hello)))
  near.write(encodePacket(0, concatBytes(Uint8Array.of(pattern.number), first)))
  const answer = await packets.next()
  assert.ok(answer !== undefined)
  const opened = noise.readMessage(answer.payload)
  assert.ok(opened.ok)
  const accept = decodeAccept(opened.value)
  assert.ok(accept.ok)
  const finish = {
    answer: accept.value.challenge,
    record: rogue.record.encoded,
    token: none,
    certificates: none,
    ...changes.finish,
  }
  near.write(encodePacket(0, noise.writeMessage(encodeFinish(finish))))
  const compression = compressionOfNumber(accept.value.compression)
  assert.ok(compression !== undefined)
  const secrets = trafficSecrets(noise.split(), { ...rogueAgreement, compression })
  const sealer = new RecordSealer(rogueAgreement.suite, secrets.send)
  const opener = new RecordOpener(rogueAgreement.suite, secrets.receive)
  const send = (...frames: readonly Uint8Array[]) =>
    void near.write(sealer.seal(concatBytes(...frames), false))
  return { stream: near, packets, sealer, opener, accepting, send }
}

/** A rogue initiator that has been accepted and has sent its settings. */
export async function rogueSession(
  rogue: Party,
  responder: Party,
  hello: Partial<Hello> = {},
): Promise<RogueSession & { readonly far: Session }> {
  const session = await rogueInitiator(rogue, responder, { hello })
  session.send(rogueSettings)
  return { ...session, far: await session.accepting }
}

export const rogueSettings: Uint8Array = encodeFrame.settings({
  dataMax: 2 ** 22,
  streamDataMax: 2 ** 19,
  streamsMax: 1024,
  messageBytesMax: 2 ** 24,
})

/** Answers one initiator as responder, with changes to what it says. */
export async function rogueResponder(
  rogue: Party,
  stream: ByteStream,
  changes: Partial<Accept>,
): Promise<void> {
  const packets = new PacketReader(stream)
  const noise = noiseOf(rogue, false)
  const hello = await packets.next()
  assert.ok(hello !== undefined)
  assert.ok(noise.readMessage(hello.payload.subarray(1)).ok)
  const accept: Accept = {
    timestampMs: rogue.environment.clock.wallMs(),
    challenge: systemRandom.fill(new Uint8Array(32)),
    version: 1,
    suite: 2,
    compression: 2,
    record: rogue.record.encoded,
    certificates: none,
    ...changes,
  }
  stream.write(encodePacket(0, noise.writeMessage(encodeAccept(accept))))
}
