// One flipped bit in each field of each handshake message: nothing that was altered on the way is taken.
// Offsets are those of Noise (rev 34 §7.5, noise_hfs §5) and of handshake-payload.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SessionError, type SessionErrorCode } from '@myelin/session'
import { verifies } from '@myelin/testkit'
import { encodePacket } from '@myelin/wire'
import { type Direction, flip, type Rule, tamper } from './interceptor.ts'
import { type Party, party } from './pair.ts'
import { attempt, codeOf, scene } from './scene.ts'

verifies('R034', 'R134')

type Field = readonly [name: string, length: number]

const tag: Field = ['tag', 16]
/** 8 + 32 + 2 + (1 + 3) + (1 + 3) bytes with the default abilities. */
const hello: readonly Field[] = [
  ['timestamp', 8],
  ['nonce', 32],
  ['lowest version', 1],
  ['highest version', 1],
  ['number of suites', 1],
  ['suites', 3],
  ['number of compressions', 1],
  ['compressions', 3],
]
const accept = (record: number): readonly Field[] => [
  ['timestamp', 8],
  ['challenge', 32],
  ['version', 1],
  ['suite', 1],
  ['compression', 1],
  ['record length', 2],
  ['record', record],
  ['certificates length', 2],
]
const finish = (record: number): readonly Field[] => [
  ['answer', 32],
  ['record length', 2],
  ['record', record],
  ['token length', 2],
  ['certificates length', 2],
]
const e: Field = ['e', 32]
const s: readonly Field[] = [
  ['s', 32],
  ['tag of s', 16],
]
const kemKey: Field = ['e1', 1184]
const kemText: readonly Field[] = [
  ['ekem1', 1088],
  ['tag of ekem1', 16],
]

const layouts = {
  XX: (record: number) => [
    [['pattern', 1] as Field, e, kemKey, ...hello],
    [e, ...kemText, ...s, ...accept(record), tag],
    [...s, ...finish(record), tag],
  ],
  XK: (record: number) => [
    [['pattern', 1] as Field, e, kemKey, ['tag of e1', 16] as Field, ...hello, tag],
    [e, ...kemText, ...accept(record), tag],
    [...s, ...finish(record), tag],
  ],
}

/** First, middle and last byte of each field, with its name. */
function* positions(fields: readonly Field[]): Generator<[name: string, offset: number]> {
  let start = 0
  for (const [name, length] of fields) {
    const offsets = new Set([start, start + (length >> 1), start + length - 1])
    for (const offset of offsets) yield [name, offset]
    start += length
  }
}

const ways: readonly Direction[] = ['toResponder', 'toInitiator', 'toResponder']
const indexes = [0, 0, 1]

async function flipped(alice: Party, bob: Party, message: number, offset: number, isXk: boolean) {
  const rule = tamper(ways[message] as Direction, indexes[message] as number, (payload) =>
    flip(payload, offset),
  )
  const staticKey = isXk ? bob.keys.staticKey.publicKey : undefined
  const { dialed, accepted, middle } = await attempt(alice, bob, { rule, staticKey })
  return { dialed, accepted, middle, codes: [codeOf(dialed), codeOf(accepted)] }
}

test('the layouts that the flips go by are those of the messages', async () => {
  const { alice, bob } = await scene()
  for (const [pattern, layout] of Object.entries(layouts)) {
    const staticKey = pattern === 'XK' ? bob.keys.staticKey.publicKey : undefined
    const { middle } = await attempt(alice, bob, { staticKey })
    const lengths = layout(alice.record.encoded.length).map((fields) =>
      fields.reduce((sum, [, length]) => sum + length, 0),
    )
    const { toResponder, toInitiator } = middle.seen
    const sent = [toResponder[0], toInitiator[0], toResponder[1]].map(
      (packet) => packet?.payload.length,
    )
    assert.deepEqual(sent, lengths)
  }
})

for (const pattern of ['XX', 'XK'] as const) {
  test(`${pattern}: no flipped bit in the answer gets past the initiator`, async () => {
    const { alice, bob, unharmed } = await scene()
    const fields = layouts[pattern](bob.record.encoded.length)[1] as Field[]
    for (const [name, offset] of positions(fields)) {
      const { codes, accepted } = await flipped(alice, bob, 1, offset, pattern === 'XK')
      // Both ends of a KEM or DH value that nobody can use are malformed, and the tag of what follows is wrong.
      assert.deepEqual(
        codes,
        ['SESSION_HANDSHAKE_DECRYPT', 'SESSION_HANDSHAKE_DECRYPT'],
        `${name} at ${offset}`,
      )
      assert.ok((accepted as SessionError).isUnauthenticated)
    }
    await unharmed()
  })

  test(`${pattern}: no flipped bit in the last message gets past the responder, and the initiator is told`, async () => {
    const { alice, bob, unharmed } = await scene()
    const fields = layouts[pattern](alice.record.encoded.length)[2] as Field[]
    for (const [name, offset] of positions(fields)) {
      const { codes, dialed, accepted } = await flipped(alice, bob, 2, offset, pattern === 'XK')
      assert.deepEqual(
        codes,
        ['SESSION_HANDSHAKE_DECRYPT', 'SESSION_HANDSHAKE_DECRYPT'],
        `${name} at ${offset}`,
      )
      assert.ok(!(accepted as SessionError).isUnauthenticated)
      assert.ok((dialed as SessionError).isUnauthenticated, 'anyone could have said so')
    }
    assert.deepEqual(alice.ended.length + bob.ended.length, 0, 'no session was open, so none ended')
    await unharmed()
  })
}

test('XK: no flipped bit in the first message gets past the responder', async () => {
  const { alice, bob, unharmed } = await scene()
  for (const [name, offset] of positions(layouts.XK(0)[0] as Field[])) {
    const { codes } = await flipped(alice, bob, 0, offset, true)
    const code = name === 'pattern' ? 'SESSION_HANDSHAKE_MALFORMED' : 'SESSION_HANDSHAKE_DECRYPT'
    assert.deepEqual(codes, [code, code], `${name} at ${offset}`)
  }
  await unharmed()
})

/** Who notices a flipped bit in the first message of XX, where all is in the clear but bound to what follows. */
const clearFields: Readonly<Record<string, readonly SessionErrorCode[]>> = {
  // The neighbour of XXhfs by one bit is classical.
  pattern: ['SESSION_HYBRID_REQUIRED'],
  e: ['SESSION_HANDSHAKE_DECRYPT'],
  // ML-KEM (FIPS 203 §7.2) may refuse the key at once; else its other user notices.
  e1: ['SESSION_HANDSHAKE_DECRYPT', 'SESSION_HANDSHAKE_MALFORMED'],
  // The last byte is within the window of ±5 s, the others are years away or beyond 2^53.
  timestamp: ['SESSION_HANDSHAKE_DECRYPT', 'SESSION_TIMESTAMP', 'SESSION_HANDSHAKE_MALFORMED'],
  nonce: ['SESSION_HANDSHAKE_DECRYPT'],
  'lowest version': ['SESSION_HANDSHAKE_DECRYPT'],
  'highest version': ['SESSION_HANDSHAKE_MALFORMED'],
  'number of suites': ['SESSION_HANDSHAKE_MALFORMED'],
  suites: ['SESSION_HANDSHAKE_DECRYPT'],
  'number of compressions': ['SESSION_HANDSHAKE_MALFORMED'],
  compressions: ['SESSION_HANDSHAKE_DECRYPT'],
}

test('XX: a flipped bit in the first message is refused there or undoes the handshake', async () => {
  const { alice, bob, unharmed } = await scene()
  for (const [name, offset] of positions(layouts.XX(0)[0] as Field[])) {
    const { codes, dialed, accepted } = await flipped(alice, bob, 0, offset, false)
    const expected = clearFields[name] as readonly string[]
    assert.ok(expected.includes(codes[0] as string), `${name} at ${offset}: ${codes[0]}`)
    assert.equal(codes[1], codes[0])
    // One of both found out by itself, the other was told.
    assert.notEqual(
      (dialed as SessionError).isUnauthenticated,
      (accepted as SessionError).isUnauthenticated,
    )
  }
  await unharmed()
})

test('a pattern cannot be passed off as another', async () => {
  const { alice, clock, unharmed } = await scene()
  const lenient = party({ clock, requireHybrid: false })
  for (const staticKey of [undefined, lenient.keys.staticKey.publicKey]) {
    for (const number of [1, 2, 3, 4]) {
      const own = staticKey === undefined ? 2 : 1
      if (number === own) continue
      const rule = tamper('toResponder', 0, (payload) =>
        Uint8Array.from([number, ...payload.subarray(1)]),
      )
      const { dialed, accepted } = await attempt(alice, lenient, { rule, staticKey })
      assert.match(codeOf(accepted), /^SESSION_HANDSHAKE_(DECRYPT|MALFORMED)$/)
      assert.equal(codeOf(dialed), codeOf(accepted))
    }
  }
  await unharmed()
})

test('a timestamp that is moved within the window undoes the handshake all the same', async () => {
  const { alice, bob } = await scene()
  const { codes, dialed } = await flipped(alice, bob, 0, 1 + 32 + 1184 + 7, false)
  assert.equal(codes[0], 'SESSION_HANDSHAKE_DECRYPT')
  assert.ok(!(dialed as SessionError).isUnauthenticated, 'the initiator found out by itself')
})

test('a KEM key out of range is refused before it is used', async () => {
  const { alice, bob, unharmed } = await scene()
  // FIPS 203 §7.2: each coefficient must be below 3,329; 0xfff is not.
  const rule = tamper('toResponder', 0, (payload) => {
    payload[33] = 0xff
    payload[34] = 0xff
    return payload
  })
  assert.equal(
    codeOf((await attempt(alice, bob, { rule })).accepted),
    'SESSION_HANDSHAKE_MALFORMED',
  )
  await unharmed()
})

test('a public key of low order is refused', async () => {
  const { alice, bob, unharmed } = await scene()
  const rule = tamper('toResponder', 0, (payload) => payload.fill(0, 1, 33))
  for (const staticKey of [undefined, bob.keys.staticKey.publicKey]) {
    const { accepted } = await attempt(alice, bob, { rule, staticKey })
    assert.equal(codeOf(accepted), 'SESSION_HANDSHAKE_MALFORMED')
  }
  await unharmed()
})

test('what is cut off or added does not get through', async () => {
  const { alice, bob, unharmed } = await scene()
  for (const staticKey of [undefined, bob.keys.staticKey.publicKey]) {
    for (const [message, direction] of ways.entries()) {
      const changes = [
        (p: Uint8Array) => p.subarray(0, -1),
        (p: Uint8Array) => Uint8Array.from([...p, 0]),
        () => new Uint8Array(0),
      ]
      for (const change of changes) {
        const rule = tamper(direction, indexes[message] as number, change)
        const { dialed, accepted } = await attempt(alice, bob, { rule, staticKey })
        assert.match(codeOf(dialed), /^SESSION_HANDSHAKE_(DECRYPT|MALFORMED)$/)
        assert.equal(codeOf(accepted), codeOf(dialed))
      }
    }
  }
  await unharmed()
})

test('a handshake packet with flags is none', async () => {
  const { alice, bob, unharmed } = await scene()
  for (const flags of [1, 2, 3]) {
    for (const direction of ['toResponder', 'toInitiator'] as const) {
      const rule: Rule = (packet, to, index) =>
        to === direction && index === 0 ? [encodePacket(flags, packet.payload)] : [packet.bytes]
      const { dialed } = await attempt(alice, bob, { rule })
      assert.equal(codeOf(dialed), 'SESSION_HANDSHAKE_MALFORMED')
    }
  }
  await unharmed()
})

test('offers that are removed or reordered on the way are missed', async () => {
  verifies('R035', 'R012')
  const abilities = {
    versionMin: 1,
    versionMax: 2,
    suites: ['aes-256-gcm', 'chacha20-poly1305'],
    compressions: ['zstd', 'lz4', 'none'],
  } as const
  const { alice, clock, unharmed } = await scene({ abilities })
  const bob = party({ clock, abilities })
  const start = 1 + 32 + 1184 + 8 + 32
  // Versions 1–2, suites 2 and 1, compressions 2, 1 and 0.
  const original = [1, 2, 2, 2, 1, 3, 2, 1, 0]
  const downgrades: Readonly<Record<string, readonly number[]>> = {
    'the older version': [1, 1, 2, 2, 1, 3, 2, 1, 0],
    'the other suite first': [1, 2, 2, 1, 2, 3, 2, 1, 0],
    'one suite only': [1, 2, 1, 1, 3, 2, 1, 0],
    'no compression': [1, 2, 2, 2, 1, 1, 0],
    'the other compression': [1, 2, 2, 2, 1, 2, 1, 0],
  }
  for (const [name, offer] of Object.entries(downgrades)) {
    const rule = tamper('toResponder', 0, (payload) => {
      assert.deepEqual([...payload.subarray(start)], original)
      return Uint8Array.from([...payload.subarray(0, start), ...offer])
    })
    const { dialed, accepted } = await attempt(alice, bob, { rule })
    assert.equal(codeOf(dialed), 'SESSION_HANDSHAKE_DECRYPT', name)
    assert.ok(!(dialed as SessionError).isUnauthenticated)
    assert.ok((accepted as SessionError).isUnauthenticated)
  }
  const { dialed } = await attempt(alice, bob)
  assert.ok(!(dialed instanceof SessionError) && dialed.agreement.version === 2)
  await unharmed()
})

test('an alert says what anyone could have said', async () => {
  const { alice, bob, unharmed } = await scene()
  const alert = encodePacket(0, Uint8Array.of(0xff, 0, 30))
  const rule: Rule = (packet, direction) => (direction === 'toInitiator' ? [alert] : [packet.bytes])
  const { dialed } = await attempt(alice, bob, { rule })
  assert.equal(codeOf(dialed), 'SESSION_NOT_TRUSTED')
  assert.equal((dialed as SessionError).isUnauthenticated, true)
  assert.match((dialed as SessionError).message, /as the peer says/)
  await unharmed()
})

test('a refusal in the session is the peer’s own word', async () => {
  verifies('R002')
  const { alice, clock, unharmed } = await scene()
  const strict = party({
    clock,
    authorize: () => ({ isAdmitted: false, code: 'SESSION_NOT_TRUSTED' }),
  })
  for (const staticKey of [undefined, strict.keys.staticKey.publicKey]) {
    const { dialed, accepted, middle } = await attempt(alice, strict, { staticKey })
    assert.equal(codeOf(accepted), 'SESSION_NOT_TRUSTED')
    assert.equal(codeOf(dialed), 'SESSION_NOT_TRUSTED')
    assert.equal((dialed as SessionError).isUnauthenticated, false)
    assert.equal(
      middle.seen.toInitiator.some((packet) => packet.payload[0] === 0xff && packet.flags === 0),
      false,
    )
  }
  await unharmed()
})
