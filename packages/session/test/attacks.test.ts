// Somebody in between who is not an agent of the session: every trick has its own refusal, and no other session
// of the same agents notices.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  acceptSession,
  dialSession,
  handshakePatterns,
  NonceCache,
  type SessionError,
} from '@myelin/session'
import { verifies } from '@myelin/testkit'
import { encodePacket } from '@myelin/wire'
import { Interceptor, tamper } from './interceptor.ts'
import { type Party, party, wire } from './pair.ts'
import { attempt, bytes, codeOf, type Outcome, outcomeOf, scene } from './scene.ts'

/** Alice calls bob, mallory answers. */
async function answeredBy(
  mallory: Party,
  alice: Party,
  bob: Party,
  staticKey?: Uint8Array,
): Promise<Outcome[]> {
  const [near, far] = await wire()
  const accepting = outcomeOf(
    acceptSession(far, mallory.environment, { handlers: mallory.handlers }),
  )
  const expected = bob.keys.agent
  const dialing = outcomeOf(
    dialSession(near, alice.environment, { handlers: alice.handlers, expected, staticKey }),
  )
  return await Promise.all([dialing, accepting])
}

test('a man in the middle with keys of his own is not the agent that was called', async () => {
  verifies('R002', 'R068')
  const { alice, bob, clock, unharmed } = await scene()
  const mallory = party({ clock })
  const [dialed] = await answeredBy(mallory, alice, bob)
  assert.equal(codeOf(dialed as Outcome), 'SESSION_WRONG_AGENT')
  assert.equal((dialed as SessionError).isUnauthenticated, false)
  await unharmed()
})

test('a stolen peer record does not help without its static key', async () => {
  verifies('R002', 'R068')
  const { alice, bob, clock, unharmed } = await scene()
  const mallory = party({ clock, record: () => bob.record })
  const [dialed, accepted] = await answeredBy(mallory, alice, bob)
  assert.equal(codeOf(dialed as Outcome), 'SESSION_STATIC_KEY')
  assert.equal((accepted as SessionError).isUnauthenticated, true)
  await unharmed()
})

test('an initiator with a stolen record is refused the same way', async () => {
  verifies('R002', 'R068')
  const { alice, bob, clock, unharmed } = await scene()
  const mallory = party({ clock, record: () => alice.record })
  for (const staticKey of [undefined, bob.keys.staticKey.publicKey]) {
    const { dialed, accepted } = await attempt(mallory, bob, { staticKey })
    assert.equal(codeOf(accepted), 'SESSION_STATIC_KEY')
    assert.equal(codeOf(dialed), 'SESSION_STATIC_KEY')
    assert.equal((dialed as SessionError).isUnauthenticated, true)
  }
  await unharmed()
})

test('who calls by the static key reaches nobody else', async () => {
  const { alice, bob, clock, unharmed } = await scene()
  const mallory = party({ clock })
  const [dialed, accepted] = await answeredBy(mallory, alice, bob, bob.keys.staticKey.publicKey)
  assert.equal(codeOf(accepted as Outcome), 'SESSION_HANDSHAKE_DECRYPT')
  assert.equal(codeOf(dialed as Outcome), 'SESSION_HANDSHAKE_DECRYPT')
  // Nor does answering without having understood the question.
  const forgery = tamper('toInitiator', 0, (answer) =>
    alice.environment.random.fill(new Uint8Array(answer.length)),
  )
  const second = await attempt(alice, bob, {
    staticKey: bob.keys.staticKey.publicKey,
    rule: forgery,
  })
  assert.equal(codeOf(second.dialed), 'SESSION_HANDSHAKE_DECRYPT')
  assert.equal((second.dialed as SessionError).isUnauthenticated, false)
  await unharmed()
})

test('the first message of a handshake is good once, in whatever connection', async () => {
  verifies('R136')
  const { alice, bob, unharmed } = await scene()
  for (const staticKey of [undefined, bob.keys.staticKey.publicKey]) {
    const { dialed, middle } = await attempt(alice, bob, { staticKey })
    assert.equal(codeOf(dialed), 'open')
    const [near, far] = await wire()
    const accepting = outcomeOf(acceptSession(far, bob.environment, { handlers: bob.handlers }))
    near.write(middle.seen.toResponder[0]?.bytes as Uint8Array)
    near.end()
    assert.equal(codeOf(await accepting), 'SESSION_NONCE_REPEATED')
  }
  await unharmed()
})

test('a first message repeated in its own connection ends that handshake', async () => {
  const { alice, bob, unharmed } = await scene()
  const twice = await attempt(alice, bob, {
    rule: (packet, direction, index) =>
      direction === 'toResponder' && index === 0 ? [packet.bytes, packet.bytes] : [packet.bytes],
  })
  assert.equal(codeOf(twice.accepted), 'SESSION_HANDSHAKE_DECRYPT')
  await unharmed()
})

test('a whole recorded handshake does not open again, even for a responder that forgot the nonces', async () => {
  verifies('R134')
  const { alice, bob, unharmed } = await scene()
  const { middle } = await attempt(alice, bob, { staticKey: bob.keys.staticKey.publicKey })
  const forgetful = { ...bob.environment, nonces: new NonceCache(10) }
  const [near, far] = await wire()
  const accepting = outcomeOf(acceptSession(far, forgetful, { handlers: bob.handlers }))
  for (const packet of middle.seen.toResponder) near.write(packet.bytes)
  assert.equal(codeOf(await accepting), 'SESSION_HANDSHAKE_DECRYPT')
  await unharmed()
})

test('our own first message, led back to our own door, is a repetition', async () => {
  const { alice, bob, unharmed } = await scene()
  const [near, far] = await wire()
  const accepting = outcomeOf(acceptSession(far, alice.environment, { handlers: alice.handlers }))
  const dialing = outcomeOf(
    dialSession(near, alice.environment, { handlers: alice.handlers, expected: bob.keys.agent }),
  )
  assert.equal(codeOf(await accepting), 'SESSION_NONCE_REPEATED')
  assert.equal(codeOf(await dialing), 'SESSION_NONCE_REPEATED')
  await unharmed()
})

test('two processes of one agent that share no memory recognise themselves by their record', async () => {
  const { alice, bob, unharmed } = await scene()
  const elsewhere = { ...alice, environment: { ...alice.environment, nonces: new NonceCache(10) } }
  for (const expected of [bob.keys.agent, undefined]) {
    const { dialed } = await attempt(alice, elsewhere, { expected })
    assert.equal(codeOf(dialed), 'SESSION_REFLECTED')
  }
  await unharmed()
})

test('the initiator does not take its own first message for an answer', async () => {
  const { alice, bob, unharmed } = await scene()
  for (const staticKey of [undefined, bob.keys.staticKey.publicKey]) {
    const middle = await Interceptor.between((packet, direction) => {
      if (direction === 'toResponder') middle.inject('toInitiator', encodePacket(0, packet.payload))
      return []
    })
    const dialing = dialSession(middle.near, alice.environment, {
      handlers: alice.handlers,
      expected: bob.keys.agent,
      staticKey,
    })
    assert.equal(codeOf(await outcomeOf(dialing)), 'SESSION_HANDSHAKE_DECRYPT')
  }
  await unharmed()
})

/** Pattern XX, the ephemeral, and the hello without the ML-KEM key before it. */
function withoutKem(hello: Uint8Array): Uint8Array {
  return Uint8Array.from([
    handshakePatterns.XX.number,
    ...hello.subarray(1, 33),
    ...hello.subarray(1 + 32 + 1184),
  ])
}

test('the post-quantum part cannot be stripped from the first packet', async () => {
  verifies('R035')
  const { alice, bob, unharmed } = await scene()
  const toClassical = tamper('toResponder', 0, (payload) => withoutKem(payload))
  const { accepted, dialed } = await attempt(alice, bob, { rule: toClassical })
  assert.equal(codeOf(accepted), 'SESSION_HYBRID_REQUIRED')
  assert.equal(codeOf(dialed), 'SESSION_HYBRID_REQUIRED')
  assert.equal((dialed as SessionError).isUnauthenticated, true)
  await unharmed()
})

test('a responder that allows classical handshakes still notices a stripped one', async () => {
  verifies('R035')
  const { alice, clock, unharmed } = await scene()
  const lenient = party({ clock, requireHybrid: false })
  const toClassical = tamper('toResponder', 0, (payload) => withoutKem(payload))
  const short = await attempt(alice, lenient, { rule: toClassical })
  assert.equal(codeOf(short.dialed), 'SESSION_HANDSHAKE_MALFORMED')
  assert.equal((short.accepted as SessionError).isUnauthenticated, true)
  // Nor does it help to fill the answer up to the length that the initiator waits for.
  const filled = tamper('toInitiator', 0, (answer) =>
    Uint8Array.from([...answer, ...new Uint8Array(1200)]),
  )
  const rule: typeof filled = (packet, direction, index) =>
    (direction === 'toResponder' ? toClassical : filled)(packet, direction, index)
  assert.equal(
    codeOf((await attempt(alice, lenient, { rule })).dialed),
    'SESSION_HANDSHAKE_DECRYPT',
  )
  await unharmed()
})

test('an initiator that offers no post-quantum part is refused by default and served where allowed', async () => {
  verifies('R119')
  const { alice, bob, clock, unharmed } = await scene()
  for (const staticKey of [undefined, bob.keys.staticKey.publicKey]) {
    const { dialed, accepted } = await attempt(alice, bob, { hybrid: false, staticKey })
    assert.equal(codeOf(accepted), 'SESSION_HYBRID_REQUIRED')
    assert.equal(codeOf(dialed), 'SESSION_HYBRID_REQUIRED')
  }
  const lenient = party({ clock, requireHybrid: false })
  assert.equal(codeOf((await attempt(alice, lenient, { hybrid: false })).dialed), 'open')
  await unharmed()
})

test('two ends of different outer channels do not meet', async () => {
  const { alice, bob, unharmed } = await scene()
  const [one, other] = [bytes('exporter 1'), bytes('exporter 2')]
  for (const staticKey of [undefined, bob.keys.staticKey.publicKey]) {
    for (const binding of [{ near: one, far: other }, { near: one }, { far: one }]) {
      const { dialed, accepted } = await attempt(alice, bob, { staticKey, binding })
      assert.equal(codeOf(dialed), 'SESSION_HANDSHAKE_DECRYPT')
      assert.equal(codeOf(accepted), 'SESSION_HANDSHAKE_DECRYPT')
    }
    const same = await attempt(alice, bob, { staticKey, binding: { near: one, far: one } })
    assert.equal(codeOf(same.dialed), 'open')
  }
  await unharmed()
})

test('a static key that gives no secret is refused before a byte is sent', async () => {
  const { alice, bob, unharmed } = await scene()
  const [near, far] = await wire()
  const closed = Promise.withResolvers<void>()
  let received = 0
  far.attach({
    data: (chunk) => (received += chunk.length),
    drain: () => {},
    end: () => {},
    closed: () => closed.resolve(),
  })
  const staticKey = new Uint8Array(32)
  const dialing = dialSession(near, alice.environment, {
    handlers: alice.handlers,
    expected: bob.keys.agent,
    staticKey,
  })
  assert.equal(codeOf(await outcomeOf(dialing)), 'SESSION_OPTION')
  near.attach({ data: () => {}, drain: () => {}, end: () => {}, closed: () => {} })
  await closed.promise
  assert.equal(received, 0)
  await unharmed()
})
