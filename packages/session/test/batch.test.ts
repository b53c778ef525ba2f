// Many messages in one call.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { IncomingMessage } from '@myelin/session'
import { VirtualClock, verifies } from '@myelin/testkit'
import { sendQueueBytesMax } from '../src/limits.ts'
import { connect, party, until } from './pair.ts'

async function pair() {
  const clock = new VirtualClock()
  const [alice, bob] = [party({ clock }), party({ clock })]
  return { bob, ...(await connect(alice, bob)) }
}

const payloads = (count: number, bytes: number) =>
  Array.from({ length: count }, (_, i) => {
    const payload = new Uint8Array(bytes).fill(i)
    new DataView(payload.buffer).setUint32(0, i)
    return payload
  })

function inOrder(messages: readonly IncomingMessage[]): void {
  for (const [i, { payload, id }] of messages.entries()) {
    const { buffer, byteOffset } = payload
    assert.equal(new DataView(buffer, byteOffset).getUint32(0), i)
    assert.equal(id, i)
    if (payload.length > 4) assert.equal(payload.at(-1), i & 255)
  }
}

test('a batch arrives whole and in order, whatever it finds in its way', async () => {
  verifies('R085', 'R092')
  for (const [count, bytes] of [
    [1, 4],
    [10_000, 64],
    [2_000, 5_000],
    [40, 100_000],
  ] as const) {
    const { near, bob } = await pair()
    near.postMany('data', payloads(count, bytes))
    await until(() => bob.messages.length === count)
    inOrder(bob.messages)
    assert.equal(near.stats.messagesSent, count)
  }
})

test('batches and single messages keep their order, also behind a queue', async () => {
  const { near, bob } = await pair()
  const all = payloads(6_000, 1_000)
  for (let i = 0; i < all.length; i += 600) {
    near.postMany('data', all.slice(i, i + 599))
    near.post('data', all[i + 599] as Uint8Array)
  }
  await until(() => bob.messages.length === all.length)
  inOrder(bob.messages)
})

test('a batch shares records, and each key serves no more messages than it may', async () => {
  verifies('R029')
  const bob = party()
  const { near, far } = await connect(
    party({ rekey: { messages: 100, bytes: 2 ** 36, ms: 3_600_000 } }),
    bob,
  )
  near.postMany('data', payloads(1_000, 64))
  await until(() => bob.messages.length === 1_000)
  assert.equal(near.stats.rekeysSent, 10)
  assert.equal(far.stats.rekeysReceived, 10)
  const other = await pair()
  const before = other.near.stats.recordsSent
  other.near.postMany('data', payloads(1_000, 64))
  await until(() => other.bob.messages.length === 1_000)
  assert.equal(other.near.stats.recordsSent - before, 2)
})

test('a batch is taken whole or not at all', async () => {
  const { near, bob } = await pair()
  bob.holds = true
  const ten = payloads(10, sendQueueBytesMax / 16)
  near.postMany('data', ten)
  const { messagesSent } = near.stats
  assert.throws(() => near.postMany('data', ten), { code: 'SESSION_QUEUE_FULL' })
  assert.equal(near.stats.messagesSent, messagesSent)
  const tooLong = [new Uint8Array(4), new Uint8Array(17 * 1024 * 1024)]
  assert.throws(() => near.postMany('data', tooLong), { code: 'SESSION_MESSAGE_TOO_LARGE' })
  assert.equal(near.stats.messagesSent, messagesSent)
  assert.equal(near.postMany('data', []), false, 'nothing, above the mark')
  const other = await pair()
  await other.near.close()
  assert.throws(() => other.near.postMany('data', ten), { code: 'SESSION_CLOSED' })
})

test('an urgent batch overtakes what waits', async () => {
  const { near, bob } = await pair()
  bob.holds = true
  near.postMany('data', payloads(2_000, 5_000))
  near.postMany('data', payloads(3, 16), { priority: 'critical' })
  for (const message of bob.messages) message.release()
  bob.holds = false
  await until(() => bob.messages.some(({ priority }) => priority === 'critical'))
  assert.ok(bob.messages.length < 2_000)
  await until(() => bob.messages.length === 2_003)
})
