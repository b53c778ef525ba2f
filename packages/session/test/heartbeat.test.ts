import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock, verifies } from '@myelin/testkit'
import { connect, party, until } from './pair.ts'

verifies('R140', 'R141', 'R029')

test('a quiet session is kept alive by pings, one an interval', async () => {
  const clock = new VirtualClock()
  const [alice, bob] = [party({ clock }), party({ clock, heartbeatIntervalMs: 1e9 })]
  const { near, far } = await connect(alice, bob)
  // Each side measures the path: settings, a ping and the answer to the other's.
  await clock.advance(1_000)
  await until(() => near.stats.recordsSent === 3)
  const before = near.stats.recordsSent
  await clock.advance(28_000)
  assert.equal(near.stats.recordsSent, before)
  await clock.advance(151_000)
  assert.equal(near.stats.recordsSent - before, 6)
  assert.ok(near.isOpen && far.isOpen)
})

test('a peer that answers nothing is dead after four intervals, not before', async () => {
  const clock = new VirtualClock()
  const [alice, bob] = [party({ clock }), party({ clock, heartbeatIntervalMs: 1e9 })]
  const { near } = await connect(alice, bob, {}, { isDeaf: true })
  await clock.advance(119_000)
  assert.ok(near.isOpen)
  // The last that was heard was the peer's first ping, a moment after the beginning.
  await clock.advance(32_000)
  assert.equal(alice.ended[0]?.code, 'SESSION_PEER_DEAD')
})

test('a key that is a day old rotates although nothing is sent', async () => {
  const clock = new VirtualClock()
  const [alice, bob] = [
    party({ clock, heartbeatIntervalMs: 3_600_000 }),
    party({ clock, heartbeatIntervalMs: 3_600_000 }),
  ]
  const { near, far } = await connect(alice, bob)
  await clock.advance(23 * 3_600_000)
  assert.equal(near.stats.rekeysSent, 0)
  await clock.advance(2 * 3_600_000)
  assert.equal(near.stats.rekeysSent, 1)
  assert.equal(far.stats.rekeysReceived, 1)
  assert.ok(near.isOpen && far.isOpen)
})
