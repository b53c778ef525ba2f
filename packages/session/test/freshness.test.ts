// When a handshake may begin: clocks, nonces and the validity of peer records.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemRandom } from '@myelin/base/system'
import { NonceCache, type SessionError } from '@myelin/session'
import { VirtualClock, verifies } from '@myelin/testkit'
import { noncesRemembered, timestampWindowMs } from '../src/limits.ts'
import { party } from './pair.ts'
import { attempt, codeOf, scene } from './scene.ts'

const accepted = [4_900, -4_900, 5_000, -5_000]
const refused = [5_100, -5_100, 5_001, -5_001]

test('the window for clocks is five seconds to either side', () => {
  verifies('R135')
  assert.equal(timestampWindowMs, 5_000)
})

for (const who of ['initiator', 'responder'] as const) {
  test(`a clock of the ${who} that differs by 4.9 s is fine, one by 5.1 s is not`, async () => {
    verifies('R135')
    for (const skewMs of [...accepted, ...refused]) {
      const [aliceClock, bobClock] = [new VirtualClock(), new VirtualClock()]
      const [alice, bob] = [party({ clock: aliceClock }), party({ clock: bobClock })]
      const skewed = who === 'initiator' ? aliceClock : bobClock
      skewed.skew(skewMs)
      for (const staticKey of [undefined, bob.keys.staticKey.publicKey]) {
        const outcome = await attempt(alice, bob, { staticKey })
        const expected = accepted.includes(skewMs) ? 'open' : 'SESSION_TIMESTAMP'
        assert.deepEqual(
          [codeOf(outcome.dialed), codeOf(outcome.accepted)],
          [expected, expected],
          `${skewMs} ms`,
        )
      }
    }
  })
}

test('the initiator checks the responder’s clock too', async () => {
  verifies('R135')
  for (const skewMs of [...accepted, ...refused]) {
    const bobClock = new VirtualClock()
    const alice = party({ clock: new VirtualClock() })
    const tolerant = party({ clock: bobClock, timestampWindowMs: 3_600_000 })
    bobClock.skew(skewMs)
    const { dialed } = await attempt(alice, tolerant)
    if (accepted.includes(skewMs)) {
      assert.equal(codeOf(dialed), 'open')
    } else {
      assert.equal(codeOf(dialed), 'SESSION_TIMESTAMP', `${skewMs} ms`)
      assert.equal((dialed as SessionError).isUnauthenticated, false)
      assert.match((dialed as SessionError).message, /differs by -?5\.[01] s/)
    }
  }
})

test('a refused clock harms nobody else and leaves no trace in the nonces', async () => {
  const { alice, bob, unharmed } = await scene()
  const clock = new VirtualClock()
  clock.skew(60_000)
  const before = bob.environment.nonces.size
  const late = party({ clock })
  assert.equal(codeOf((await attempt(late, bob)).dialed), 'SESSION_TIMESTAMP')
  assert.equal(bob.environment.nonces.size, before)
  assert.equal(alice.ended.length, 0)
  await unharmed()
})

const nonceOf = (number: number) => {
  const nonce = new Uint8Array(32)
  new DataView(nonce.buffer).setUint32(28, number)
  return nonce
}

test('none of the last 10,000 nonces is taken twice, and memory holds no more of them', () => {
  verifies('R136')
  assert.equal(noncesRemembered, 10_000)
  const cache = new NonceCache(noncesRemembered)
  for (let i = 0; i < 25_000; i += 1) {
    assert.ok(cache.accept(nonceOf(i)))
    assert.ok(cache.size <= 10_000)
  }
  for (let i = 15_000; i < 25_000; i += 1)
    assert.equal(cache.accept(nonceOf(i)), false, `nonce ${i}`)
  assert.equal(cache.size, 10_000)
  // Only what is older is forgotten; its timestamp is long outside the window.
  assert.equal(cache.accept(nonceOf(14_999)), true)
})

test('a refused nonce does not push another one out', () => {
  verifies('R136')
  const cache = new NonceCache(3)
  for (let i = 0; i < 3; i += 1) cache.accept(nonceOf(i))
  for (let i = 0; i < 10; i += 1) assert.equal(cache.accept(nonceOf(2)), false)
  assert.equal(cache.accept(nonceOf(0)), false)
})

test('an environment remembers 10,000 nonces, of both directions', async () => {
  verifies('R136')
  const { alice, bob } = await scene()
  const [sent, received] = [alice.environment.nonces.size, bob.environment.nonces.size]
  await attempt(alice, bob)
  assert.deepEqual(
    [alice.environment.nonces.size, bob.environment.nonces.size],
    [sent + 1, received + 1],
  )
  for (let i = 0; i < 20_000; i += 1)
    bob.environment.nonces.accept(systemRandom.fill(new Uint8Array(32)))
  assert.equal(bob.environment.nonces.size, 10_000)
})

test('a peer record that has expired opens no session, whoever shows it', async () => {
  verifies('R002')
  const { alice, bob, clock, unharmed } = await scene()
  const stale = party({ clock, lifetimeMs: 1_000 })
  assert.equal(codeOf((await attempt(stale, bob)).dialed), 'open')
  assert.equal(codeOf((await attempt(alice, stale)).dialed), 'open')
  await clock.advance(1_000)
  const calling = await attempt(stale, bob)
  assert.equal(codeOf(calling.accepted), 'SESSION_PEER_RECORD_EXPIRED')
  assert.equal(codeOf(calling.dialed), 'SESSION_PEER_RECORD_EXPIRED')
  assert.equal((calling.dialed as SessionError).isUnauthenticated, true)
  const called = await attempt(alice, stale)
  assert.equal(codeOf(called.dialed), 'SESSION_PEER_RECORD_EXPIRED')
  assert.equal((called.dialed as SessionError).isUnauthenticated, false)
  await unharmed()
})

test('a peer record from the future is not valid yet', async () => {
  const { alice, clock, unharmed } = await scene()
  const tomorrow = new VirtualClock(clock.wallMs() + 86_400_000)
  const early = party({ clock: tomorrow })
  const environment = { ...early.environment, clock }
  assert.equal(
    codeOf((await attempt(alice, { ...early, environment })).dialed),
    'SESSION_PEER_RECORD_EXPIRED',
  )
  await unharmed()
})

test('a peer record that another key signed is none', async () => {
  verifies('R068')
  const { alice, bob, clock, unharmed } = await scene()
  const mallory = party({ clock })
  const genuine = mallory.record.encoded
  // Bob's id and mallory's static key, signed by mallory.
  const forged = genuine.slice()
  forged.set(bob.record.encoded.subarray(1, 33), 1)
  const domain = new TextEncoder().encode('myelin peer record 1')
  const body = forged.subarray(0, forged.length - 64)
  forged.set(mallory.keys.sign(Uint8Array.from([...domain, ...body])), body.length)
  const liar = party({
    clock,
    keys: mallory.keys,
    record: () => ({ ...mallory.record, encoded: forged }),
  })
  const answering = await attempt(alice, { ...liar, keys: bob.keys })
  assert.equal(codeOf(answering.dialed), 'SESSION_PEER_RECORD')
  const calling = await attempt(liar, bob)
  assert.equal(codeOf(calling.accepted), 'SESSION_PEER_RECORD')
  await unharmed()
})

test('a peer record that is no record is refused', async () => {
  const { alice, bob, clock, unharmed } = await scene()
  const { record } = bob
  for (const encoded of [new Uint8Array(0), record.encoded.subarray(1), new Uint8Array(19_000)]) {
    const odd = party({ clock, record: () => ({ ...record, encoded }) })
    assert.equal(codeOf((await attempt(odd, bob)).accepted), 'SESSION_PEER_RECORD')
    assert.equal(codeOf((await attempt(alice, odd)).dialed), 'SESSION_PEER_RECORD')
  }
  await unharmed()
})
