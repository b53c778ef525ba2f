// Somebody in between on a session that is open: whatever is done to a record ends that session, delivers
// nothing and touches no other.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SessionError } from '@myelin/session'
import { verifies } from '@myelin/testkit'
import { flip, honest, type Packet, type Rule } from './interceptor.ts'
import { until } from './pair.ts'
import { attempt, bytes, codeOf, scene } from './scene.ts'

verifies('R001', 'R151')

/** Alice posts `count` messages, one record each, through a rule that knows the number of the record. */
async function post(
  count: number,
  change: (record: Packet, index: number) => readonly Uint8Array[],
  payload = bytes('hello bob'),
) {
  const { alice, bob, unharmed } = await scene()
  const { dialed, accepted, middle } = await attempt(alice, bob)
  assert.ok(!(dialed instanceof SessionError) && !(accepted instanceof SessionError))
  const first = middle.seen.toResponder.length
  middle.rule = (packet, direction, index) =>
    direction === 'toResponder' ? change(packet, index - first) : [packet.bytes]
  for (let i = 0; i < count; i += 1) {
    dialed.post('data', payload)
    // A record is made at the end of the turn.
    await new Promise((resolve) => setImmediate(resolve))
  }
  const delivered = () => bob.messages.filter((message) => message.kind === 'message').length
  return { alice, bob, near: dialed, far: accepted, middle, delivered, unharmed }
}

/** The responder notices, the initiator is told inside the session. */
async function assertRefused(
  { alice, bob, near, far, unharmed }: Awaited<ReturnType<typeof post>>,
  code = 'SESSION_RECORD_OPEN',
) {
  await until(() => !near.isOpen && !far.isOpen)
  assert.deepEqual(
    bob.ended.map((error) => error.code),
    [code],
  )
  assert.deepEqual(
    alice.ended.map((error) => error.code),
    [code],
  )
  assert.equal(alice.ended[0]?.isUnauthenticated, false)
  assert.throws(() => near.post('data', bytes('x')), { code })
  await unharmed()
}

test('records pass untouched: the control', async () => {
  const { delivered, near, unharmed } = await post(3, (record) => [record.bytes])
  await until(() => delivered() === 3)
  assert.ok(near.isOpen)
  await unharmed()
})

test('a record is good once', async () => {
  const attacked = await post(2, (record, index) =>
    index === 0 ? [record.bytes, record.bytes] : [record.bytes],
  )
  await assertRefused(attacked)
  assert.equal(attacked.delivered(), 1)
})

test('an old record is not good later', async () => {
  let old: Uint8Array = new Uint8Array(0)
  const attacked = await post(3, (record, index) => {
    if (index === 0) old = record.bytes
    return index === 2 ? [old] : [record.bytes]
  })
  await assertRefused(attacked)
  assert.equal(attacked.delivered(), 2)
})

test('records in another order are refused', async () => {
  verifies('R092')
  let held: Uint8Array = new Uint8Array(0)
  const attacked = await post(2, (record, index) => {
    if (index === 0) held = record.bytes
    return index === 0 ? [] : [record.bytes, held]
  })
  await assertRefused(attacked)
  assert.equal(attacked.delivered(), 0)
})

test('a missing record is noticed with the next one', async () => {
  verifies('R092')
  const attacked = await post(2, (record, index) => (index === 0 ? [] : [record.bytes]))
  await assertRefused(attacked)
  assert.equal(attacked.delivered(), 0)
})

test('a record does not open in the direction it came from', async () => {
  const attacked = await post(1, (record) => [record.bytes])
  await until(() => attacked.delivered() === 1)
  const record = attacked.middle.seen.toResponder.at(-1) as Packet
  attacked.middle.rule = honest
  attacked.middle.inject('toInitiator', record.bytes)
  await until(() => !attacked.near.isOpen)
  assert.equal(attacked.alice.ended[0]?.code, 'SESSION_RECORD_OPEN')
  await attacked.unharmed()
})

test('a record of one session does not open in another of the same agents', async () => {
  verifies('R030')
  const other = await post(1, (record) => [record.bytes])
  const { alice, bob, unharmed } = other
  const second = await attempt(alice, bob)
  assert.ok(!(second.dialed instanceof SessionError) && !(second.accepted instanceof SessionError))
  const far = second.accepted
  second.middle.inject('toResponder', (other.middle.seen.toResponder.at(-1) as Packet).bytes)
  await until(() => !far.isOpen)
  assert.equal(bob.ended.at(-1)?.code, 'SESSION_RECORD_OPEN')
  assert.ok(other.far.isOpen)
  await unharmed()
})

const compressible = new Uint8Array(4_000).fill(65)

/** By byte of the record: header 0–9 (magic, version, flags, length), ciphertext, tag in the last 16. */
const flips: readonly (readonly [what: string, offset: number, mask: number, code: string])[] = [
  ['magic', 0, 1, 'SESSION_PROTOCOL'],
  ['version', 4, 1, 'SESSION_PROTOCOL'],
  ['a reserved flag', 5, 4, 'SESSION_PROTOCOL'],
  ['the encrypted flag', 5, 2, 'SESSION_PROTOCOL'],
  ['the compressed flag', 5, 1, 'SESSION_RECORD_OPEN'],
  ['the first byte of the ciphertext', 10, 1, 'SESSION_RECORD_OPEN'],
  ['a byte of the ciphertext', 25, 0x80, 'SESSION_RECORD_OPEN'],
  ['the first byte of the tag', -16, 1, 'SESSION_RECORD_OPEN'],
  ['the last byte of the tag', -1, 0x80, 'SESSION_RECORD_OPEN'],
]

for (const payload of [bytes('hello bob'), compressible]) {
  const kind = payload === compressible ? 'compressed' : 'plain'
  for (const [what, offset, mask, code] of flips) {
    test(`a ${kind} record ends the session by one bit: ${what}`, async () => {
      const attacked = await post(1, (record) => [flip(record.bytes, offset, mask)], payload)
      await assertRefused(attacked, code)
      assert.equal(attacked.delivered(), 0)
    })
  }
}

test('a shorter length cuts a record that does not open, and the rest is no packet', async () => {
  const attacked = await post(1, (record) => {
    const shorter = record.bytes.slice()
    new DataView(shorter.buffer).setUint32(6, record.payload.length - 1)
    return [shorter]
  })
  await assertRefused(attacked)
  assert.equal(attacked.delivered(), 0)
})

test('a longer length waits for bytes of the next record, and does not open', async () => {
  const attacked = await post(2, (record, index) => {
    if (index > 0) return [record.bytes]
    const longer = record.bytes.slice()
    new DataView(longer.buffer).setUint32(6, record.payload.length + 1)
    return [longer]
  })
  await assertRefused(attacked)
  assert.equal(attacked.delivered(), 0)
})

test('a length beyond a record is refused at its header', async () => {
  verifies('R121')
  const attacked = await post(1, (record) => {
    const header = record.bytes.slice(0, 10)
    new DataView(header.buffer).setUint32(6, 64 * 1024 + 17)
    return [header]
  })
  await assertRefused(attacked, 'SESSION_PROTOCOL')
})

test('a record shorter than its tag does not open', async () => {
  const attacked = await post(1, (record) => {
    const short = record.bytes.slice(0, 10 + 15)
    new DataView(short.buffer).setUint32(6, 15)
    return [short]
  })
  await assertRefused(attacked)
})

test('a session that was refused can be made anew at once', async () => {
  const attacked = await post(1, (record) => [flip(record.bytes, -1)])
  await assertRefused(attacked)
  const { alice, bob } = attacked
  const rule: Rule = honest
  assert.equal(codeOf((await attempt(alice, bob, { rule })).dialed), 'open')
})
