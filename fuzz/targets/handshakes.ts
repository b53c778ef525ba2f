// The three handshake messages, in two ways. Altered on their way: no altered message may pass that the pattern
// has a key for. And said by a rogue with genuine keys, who seals whatever it likes. Each input gets a fresh
// state; clock and randomness are fixed, so that one recorded message fits every state of its kind.

import assert from 'node:assert/strict'
import { concatBytes, emptyBytes, equalBytes, kib, type Result, utf8Encode } from '@myelin/base'
import { HandshakeState } from '@myelin/crypto'
import { AgentKeys, createPeerRecord, type PeerRecord } from '@myelin/identity'
import {
  type AwaitingFinish,
  awaitHandshake,
  beginHandshake,
  closeCodes,
  decodeAccept,
  decodeFinish,
  decodeHello,
  defaultAbilities,
  encodeAccept,
  encodeFinish,
  encodeHello,
  type HandshakeContext,
  type HandshakeStep,
  handshakePatterns,
  NonceCache,
  SessionError,
} from '@myelin/session'
import { type Decoded, type FuzzTarget, SeededRandom } from '@myelin/testkit'
import { boundsWith } from './bounds.ts'

const nowMs = 1_700_000_000_000
const bounds = boundsWith({ outputBytesMax: 64 * kib, allocatedBytesMax: 2048 * kib })

interface Party {
  readonly name: string
  readonly keys: AgentKeys
  readonly record: PeerRecord
}

function party(name: string): Party {
  const keys = AgentKeys.generate(new SeededRandom(name))
  const staticKey = keys.staticKey.publicKey
  return { name, keys, record: createPeerRecord(keys, { sequence: 1, nowMs, staticKey }) }
}

const alice = party('alice')
const bob = party('bob')

/** Fresh, and the same each time. */
function contextOf({ name, keys, record }: Party): HandshakeContext {
  return {
    keys,
    record,
    abilities: defaultAbilities,
    requireHybrid: false,
    timestampWindowMs: 5_000,
    nonces: new NonceCache(16),
    random: new SeededRandom(`${name} in a handshake`),
  }
}

type Pattern = keyof typeof handshakePatterns

function begin(pattern: Pattern) {
  const staticKey = pattern.startsWith('XK') ? bob.keys.staticKey.publicKey : undefined
  const hybrid = handshakePatterns[pattern].isHybrid
  return beginHandshake({ ...contextOf(alice), staticKey, hybrid }, nowMs)
}

function continued<Next>(step: HandshakeStep<Next>): { send: Uint8Array; next: Next } {
  assert.ok(step.kind === 'continue', step.kind)
  return step
}

/** A refusal has a code for the peer. Anything else gives its length. */
function outcomeOf(step: HandshakeStep<{ dispose(): void }>): Decoded {
  if (step.kind === 'failed') {
    assert.ok(step.error instanceof SessionError)
    assert.ok(closeCodes[step.error.code] > 0, `${step.error.code} cannot be told`)
    return undefined
  }
  if (step.kind === 'continue') step.next.dispose()
  return step.send?.length ?? 0
}

function helloTarget(pattern: Pattern, cost: number): FuzzTarget {
  const hello = begin(pattern).send
  // XX sends its hello in the clear: what is changed there shows in the next message.
  const isSealed = pattern.startsWith('XK')
  return {
    name: `handshake-hello-${pattern}`,
    bounds,
    samples: () => [hello],
    tokens: [Uint8Array.of(1, 2, 3, 4), new Uint8Array(32), new Uint8Array(32).fill(255)],
    cost,
    decode: (input) => {
      const decoded = outcomeOf(awaitHandshake(contextOf(bob)).receive(input, nowMs))
      if (isSealed && decoded !== undefined)
        assert.ok(equalBytes(input, hello), 'an altered hello passed')
      return decoded
    },
  }
}

function acceptTarget(pattern: Pattern, cost: number): FuzzTarget {
  const first = begin(pattern)
  const accept = continued(awaitHandshake(contextOf(bob)).receive(first.send, nowMs)).send
  return {
    name: `handshake-accept-${pattern}`,
    bounds,
    samples: () => [accept],
    tokens: [new Uint8Array(32), new Uint8Array(32).fill(255)],
    cost,
    decode: (input) => {
      const decoded = outcomeOf(begin(pattern).next.receive(input, nowMs))
      if (decoded !== undefined) assert.ok(equalBytes(input, accept), 'an altered accept passed')
      return decoded
    },
  }
}

function finishWanted(pattern: Pattern): { finish: Uint8Array; state: AwaitingFinish } {
  const first = begin(pattern)
  const second = continued(awaitHandshake(contextOf(bob)).receive(first.send, nowMs))
  const done = first.next.receive(second.send, nowMs)
  assert.ok(done.kind === 'established')
  // A hello of XK or XX is followed by nothing else.
  return { finish: done.send ?? emptyBytes, state: second.next as AwaitingFinish }
}

function finishTarget(pattern: Pattern, cost: number): FuzzTarget {
  const sample = finishWanted(pattern).finish
  return {
    name: `handshake-finish-${pattern}`,
    bounds,
    samples: () => [sample],
    tokens: [new Uint8Array(32), new Uint8Array(32).fill(255)],
    cost,
    decode: (input) => {
      const { finish, state } = finishWanted(pattern)
      // The KEM draws its own randomness, so each state has a finish of its own: it is changed in the places
      // in which the input differs from the sample.
      const altered = input.map((byte, i) => byte ^ (sample[i] ?? 0) ^ (finish[i] ?? 0))
      const decoded = outcomeOf(state.receive(altered, nowMs))
      if (decoded !== undefined) assert.ok(equalBytes(altered, finish), 'an altered finish passed')
      return decoded
    },
  }
}

// ── A rogue with genuine keys ──────────────────────────────────────────────────────────────────────────────

const rogue = party('rogue')

/** Protocol specification §3.1. */
function noiseOf(who: Party, isInitiator: boolean): HandshakeState {
  const { number, protocol } = handshakePatterns.XX
  return new HandshakeState({
    protocolName: protocol,
    initiator: isInitiator,
    prologue: concatBytes(utf8Encode('myelin session'), Uint8Array.of(number)),
    s: who.keys.staticKey,
    random: new SeededRandom('the rogue'),
  })
}

const sampleHello = {
  timestampMs: nowMs,
  nonce: new Uint8Array(32).fill(4),
  versionMin: 1,
  versionMax: 1,
  suites: [2, 1],
  compressions: [2, 1, 0],
}
const sampleAccept = {
  timestampMs: nowMs,
  challenge: new Uint8Array(32).fill(6),
  version: 1,
  suite: 2,
  compression: 2,
  record: rogue.record.encoded,
  certificates: emptyBytes,
}

const rogueAccept: FuzzTarget = {
  name: 'handshake-rogue-accept',
  bounds,
  samples: () => [
    encodeAccept(sampleAccept),
    encodeAccept({ ...sampleAccept, record: bob.record.encoded }),
  ],
  cost: 100,
  decode: (input) => {
    const { send, next } = begin('XX')
    const noise = noiseOf(rogue, false)
    assert.ok(noise.readMessage(send.subarray(1)).ok)
    const step = next.receive(noise.writeMessage(input), nowMs)
    if (step.kind === 'established') {
      const { peer, agreement } = step.established
      assert.equal(peer.agent, rogue.keys.agent, 'the rogue passed as another')
      assert.ok(defaultAbilities.suites.includes(agreement.suite))
    }
    return outcomeOf(step)
  },
}

function challengeOfBob(): { noise: HandshakeState; challenge: Uint8Array; state: AwaitingFinish } {
  const noise = noiseOf(rogue, true)
  const message = noise.writeMessage(encodeHello(sampleHello))
  const hello = concatBytes(Uint8Array.of(handshakePatterns.XX.number), message)
  const { send, next } = continued(awaitHandshake(contextOf(bob)).receive(hello, nowMs))
  const opened = noise.readMessage(send)
  assert.ok(opened.ok)
  const accept = decodeAccept(opened.value)
  assert.ok(accept.ok)
  return { noise, challenge: accept.value.challenge, state: next as AwaitingFinish }
}

const rogueFinish: FuzzTarget = {
  name: 'handshake-rogue-finish',
  bounds,
  samples: () => {
    const finish = {
      answer: challengeOfBob().challenge,
      record: rogue.record.encoded,
      token: new Uint8Array(32),
      certificates: emptyBytes,
    }
    return [
      encodeFinish(finish),
      encodeFinish({ ...finish, token: emptyBytes, record: alice.record.encoded }),
    ]
  },
  cost: 100,
  decode: (input) => {
    const { noise, state } = challengeOfBob()
    const step = state.receive(noise.writeMessage(input), nowMs)
    if (step.kind === 'established') {
      const { peer, token } = step.established
      assert.equal(peer.agent, rogue.keys.agent, 'the rogue passed as another')
      assert.ok((token?.length ?? 0) <= 64)
    }
    return outcomeOf(step)
  },
}

function payloadTarget<Payload>(
  name: string,
  decode: (bytes: Uint8Array) => Result<Payload>,
  encode: (payload: Payload) => Uint8Array,
  samples: readonly Payload[],
): FuzzTarget {
  return {
    name: `handshake-payload-${name}`,
    bounds: boundsWith(),
    samples: () => samples.map(encode),
    decode: (input) => {
      const decoded = decode(input)
      if (!decoded.ok) return undefined
      assert.ok(equalBytes(encode(decoded.value), input), 'one payload has two encodings')
      return input.length
    },
  }
}

export const handshakeTargets: readonly FuzzTarget[] = [
  payloadTarget('hello', decodeHello, encodeHello, [sampleHello, { ...sampleHello, suites: [] }]),
  payloadTarget('accept', decodeAccept, encodeAccept, [sampleAccept]),
  payloadTarget('finish', decodeFinish, encodeFinish, [
    {
      answer: sampleHello.nonce,
      record: new Uint8Array(9),
      token: new Uint8Array(32),
      certificates: emptyBytes,
    },
  ]),
  helloTarget('XKhfs', 100),
  helloTarget('XXhfs', 100),
  acceptTarget('XKhfs', 100),
  acceptTarget('XXhfs', 100),
  finishTarget('XX', 100),
  finishTarget('XXhfs', 200),
  rogueAccept,
  rogueFinish,
]
