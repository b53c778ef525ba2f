// A whole session as responder, in two ways. As a stranger finds it: any bytes from the first one on. And fed by
// a rogue that completed the handshake: the input is a script of what it then says, piece by piece: kind(1) ·
// length(u16) · bytes; the kind's top bit has the piece arrive in chunks. The handshake is recorded once; with
// clock and randomness fixed, every new session accepts the recording and has the same keys.

import assert from 'node:assert/strict'
import { type Clock, concatBytes, emptyBytes, kib, mib } from '@myelin/base'
import { AgentKeys, createPeerRecord } from '@myelin/identity'
import {
  acceptSession,
  awaitHandshake,
  beginHandshake,
  type Established,
  type HandshakeContext,
  type Session,
  type SessionEnvironment,
  SessionError,
  sessionEnvironment,
} from '@myelin/session'
import { type FuzzTarget, SeededRandom } from '@myelin/testkit'
import { encodePacket, messageHeaderBytes, writeMessageHeader } from '@myelin/wire'
import { boundsWith } from './bounds.ts'
import { frameTokens, sampleFrames, sampleSettings } from './packets.ts'
import {
  inChunks,
  nowMs,
  piece,
  pieceKinds,
  piecesOf,
  RogueSealer,
  ScriptedStream,
  StillClock,
  Witness,
} from './rogue-session.ts'

const closeTimeoutMs = 200
const alice = AgentKeys.generate(new SeededRandom('alice of the sessions'))
const bob = AgentKeys.generate(new SeededRandom('bob of the sessions'))

function recordOf(keys: AgentKeys) {
  return createPeerRecord(keys, { sequence: 1, nowMs, staticKey: keys.staticKey.publicKey })
}
const aliceRecord = recordOf(alice)
const bobRecord = recordOf(bob)

/** Neither a divisor of anything here nor as long as a small record. */
const chunkBytes = 1_021

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

interface Stage {
  readonly clock: StillClock
  readonly stream: ScriptedStream
  readonly witness: Witness
  outcome: Session | Error | undefined
}

function acceptOn(clock: StillClock): Stage {
  const [stream, witness] = [new ScriptedStream(), new Witness()]
  const stage: Stage = { clock, stream, witness, outcome: undefined }
  acceptSession(stream, environmentOf(clock), { handlers: witness }).then(
    (session) => {
      stage.outcome = session
    },
    (error: Error) => {
      stage.outcome = error
    },
  )
  return stage
}

/** Ends the stream, and checks what must hold of every session whatever was said in it. */
async function checkEnd(
  { clock, stream, witness, ...stage }: Stage,
  inputBytes: number,
): Promise<void> {
  witness.checkKept()
  const isOpened = witness.events.includes('opened')
  assert.equal(
    witness.events.includes('closed'),
    isOpened,
    'closed is told to whom opened was told',
  )
  assert.deepEqual(witness.violations, [])
  const { outcome } = stage
  assert.ok(outcome !== undefined, 'neither accepted nor refused')
  if (outcome instanceof Error)
    assert.ok(outcome instanceof SessionError, `refused with ${outcome}`)
  const left = [...clock.pending].filter(({ delayMs }) => delayMs !== closeTimeoutMs)
  assert.deepEqual(left, [], 'a timer is left behind')
  // The peer's bytes must not buy it many times as many of ours.
  const bytesMax = 16 * kib + 64 * inputBytes
  assert.ok(stream.writtenBytes <= bytesMax, `${stream.writtenBytes} bytes written`)
}

/** What a stranger says from the first byte on. The recording's start is among the samples. */
async function greet(input: Uint8Array): Promise<number | undefined> {
  const stage = acceptOn(new StillClock())
  stage.stream.say(input, 1 + (input.length >> 1))
  await turn()
  const isGreeted = stage.stream.writtenBytes > 3 + 10
  stage.stream.hangUp()
  await turn()
  await checkEnd(stage, input.length)
  return isGreeted ? stage.stream.writtenBytes : undefined
}

async function play(input: Uint8Array): Promise<number | undefined> {
  const stage = acceptOn(new StillClock())
  const { stream } = stage
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
  const session = stage.outcome instanceof Error ? undefined : stage.outcome
  const isOpen = session?.isOpen === true
  if (session !== undefined && isOpen) checkHeld(session)
  stream.hangUp()
  await turn()
  await checkEnd(stage, input.length)
  return isOpen ? stage.witness.heard : undefined
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
    name: 'session-establish',
    bounds: boundsWith({ allocatedBytesMax: 2 * mib }),
    samples: () => {
      const hello = encodePacket(0, recording.hello)
      const finish = encodePacket(0, recording.finish)
      const alert = encodePacket(0, Uint8Array.of(0xff, 0, 30))
      return [hello, concatBytes(hello, finish), concatBytes(hello, alert), alert]
    },
    tokens: [encodePacket(0, Uint8Array.of(0xff, 0, 30)), Uint8Array.of(0xde, 0xad, 0xbe, 0xef, 1)],
    cost: 40,
    decode: greet,
  },
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
    cost: 40,
    decode: play,
  },
]
