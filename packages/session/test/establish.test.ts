// Strangers that do not keep to the order of things: silence, noise, haste, lies with genuine keys.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemRandom } from '@myelin/base/system'
import { type Admission, acceptSession, dialSession, SessionError } from '@myelin/session'
import { VirtualClock, verifies } from '@myelin/testkit'
import { encodeFrame, encodePacket } from '@myelin/wire'
import { Interceptor } from './interceptor.ts'
import { type Party, party, until, wire } from './pair.ts'
import {
  PacketReader,
  rogueInitiator,
  rogueResponder,
  rogueSession,
  rogueSettings,
} from './rogue.ts'
import { attempt, bytes, codeOf, outcomeOf, scene } from './scene.ts'

/** What a responder makes of raw bytes. */
async function outcomeOfBytes(bob: Party, ...chunks: readonly Uint8Array[]) {
  const [near, far] = await wire()
  const accepting = outcomeOf(acceptSession(far, bob.environment, { handlers: bob.handlers }))
  const packets = new PacketReader(near)
  for (const chunk of chunks) near.write(chunk)
  return { accepted: await accepting, alert: (await packets.next())?.payload }
}

test('a wrong answer to the challenge is refused', async () => {
  verifies('R134')
  const { alice, bob, unharmed } = await scene()
  const right = await rogueInitiator(alice, bob)
  right.send(rogueSettings)
  assert.equal(codeOf(await outcomeOf(right.accepting)), 'open')
  const answers = [new Uint8Array(32), systemRandom.fill(new Uint8Array(32))]
  for (const answer of answers) {
    const { accepting, send } = await rogueInitiator(alice, bob, { finish: { answer } })
    send(rogueSettings)
    assert.equal(codeOf(await outcomeOf(accepting)), 'SESSION_CHALLENGE')
  }
  await unharmed()
})

test('an answer that chooses what was not offered is refused', async () => {
  verifies('R035')
  const { alice, clock, unharmed } = await scene()
  const bob = party({ clock })
  const abilities = {
    versionMin: 1,
    versionMax: 1,
    suites: ['aes-256-gcm'],
    compressions: ['zstd'],
  } as const
  const narrow = { ...alice, environment: { ...alice.environment, abilities } }
  const choices = [
    { suite: 1 },
    { suite: 9 },
    { version: 0 },
    { version: 2 },
    { compression: 1 },
    { compression: 7 },
  ]
  for (const choice of choices) {
    const [near, far] = await wire()
    const answering = rogueResponder(bob, far, choice)
    const dialing = dialSession(near, narrow.environment, {
      handlers: alice.handlers,
      expected: bob.keys.agent,
    })
    await answering
    assert.equal(codeOf(await outcomeOf(dialing)), 'SESSION_SUITE', JSON.stringify(choice))
  }
  await unharmed()
})

test('garbage is no handshake', async () => {
  verifies('R121')
  const { bob, unharmed } = await scene()
  const inputs = [
    bytes('GET / HTTP/1.1\r\nHost: example.org\r\n\r\n'),
    new Uint8Array(64),
    Uint8Array.of(0xde, 0xad, 0xbe, 0xee),
    Uint8Array.of(0xde, 0xad, 0xbe, 0xef, 2),
    Uint8Array.of(0xde, 0xad, 0xbe, 0xef, 1, 4),
    encodePacket(0, new Uint8Array(0)),
    encodePacket(0, Uint8Array.of(99)),
    encodePacket(0, Uint8Array.of(2)),
    encodePacket(0, systemRandom.fill(new Uint8Array(1266)).fill(7, 0, 1)),
  ]
  for (const input of inputs) {
    const { accepted, alert } = await outcomeOfBytes(bob, input)
    assert.equal(codeOf(accepted), 'SESSION_HANDSHAKE_MALFORMED')
    assert.deepEqual(alert, Uint8Array.of(0xff, 0, 16))
  }
  await unharmed()
})

test('a length that no handshake has is refused at its header, before its bytes are there', async () => {
  verifies('R121')
  const { bob, unharmed } = await scene()
  for (const length of [65_536, 16 * 2 ** 20, 2 ** 32 - 1]) {
    const header = Uint8Array.of(0xde, 0xad, 0xbe, 0xef, 1, 0, 0, 0, 0, 0)
    new DataView(header.buffer).setUint32(6, length)
    const { accepted } = await outcomeOfBytes(bob, header)
    assert.equal(codeOf(accepted), 'SESSION_HANDSHAKE_MALFORMED')
    assert.match((accepted as SessionError).message, /packet_length/)
  }
  await unharmed()
})

test('who talks before it was answered is refused', async () => {
  const { alice, bob, unharmed } = await scene()
  // Right behind the hello.
  const early = await attempt(alice, bob, {
    rule: (packet, direction, index) =>
      direction === 'toResponder' && index === 0
        ? [packet.bytes, encodePacket(2, bytes('my first message'))]
        : [packet.bytes],
  })
  assert.equal(codeOf(early.accepted), 'SESSION_HANDSHAKE_MALFORMED')
  await unharmed()
})

test('while the decision on a peer is pending, it is silent or refused', async () => {
  const { alice, clock, unharmed } = await scene()
  const decision = Promise.withResolvers<Admission>()
  const slow = party({ clock, authorize: () => decision.promise })
  const { accepting, send, packets } = await rogueInitiator(alice, slow)
  send(encodeFrame.ping(new Uint8Array(8)))
  assert.equal(codeOf(await outcomeOf(accepting)), 'SESSION_HANDSHAKE_MALFORMED')
  assert.deepEqual((await packets.next())?.payload, Uint8Array.of(0xff, 0, 16))
  decision.resolve({ isAdmitted: true, roles: [] })
  assert.equal(await packets.next(), undefined, 'a decision that comes too late opens nothing')
  await unharmed()
})

test('a silent peer is given up after the handshake timeout, not before', async () => {
  const { clock, alice, bob, unharmed } = await scene()
  const [, far] = await wire()
  const [near] = await wire()
  const settled: string[] = []
  const accepting = outcomeOf(acceptSession(far, bob.environment, { handlers: bob.handlers }))
  const dialing = outcomeOf(dialSession(near, alice.environment, { handlers: alice.handlers }))
  for (const outcome of [accepting, dialing]) void outcome.then((one) => settled.push(codeOf(one)))
  await clock.advance(9_999)
  assert.deepEqual(settled, [])
  await clock.advance(1)
  assert.deepEqual(settled, ['SESSION_HANDSHAKE_TIMEOUT', 'SESSION_HANDSHAKE_TIMEOUT'])
  await unharmed()
})

test('a peer that dribbles its bytes gains no time', async () => {
  const { clock, bob, unharmed } = await scene()
  const [near, far] = await wire()
  const accepting = outcomeOf(acceptSession(far, bob.environment, { handlers: bob.handlers }))
  const packet = encodePacket(0, new Uint8Array(1266).fill(2))
  let seconds = 0
  let isDone = false
  const dribble = async () => {
    for (; !isDone; seconds += 1) {
      near.write(packet.subarray(seconds, seconds + 1))
      await clock.advance(1_000)
    }
  }
  void accepting.then(() => {
    isDone = true
  })
  await dribble()
  assert.equal(codeOf(await accepting), 'SESSION_HANDSHAKE_TIMEOUT')
  assert.equal(seconds, 10)
  await unharmed()
})

test('a responder that accepts and never says so, or a peer that never confirms, is given up in time', async () => {
  const { clock, alice, bob, unharmed } = await scene()
  const middle = await Interceptor.between((packet, direction, index) =>
    direction === 'toInitiator' && index > 0 ? [] : [packet.bytes],
  )
  const accepting = outcomeOf(
    acceptSession(middle.far, bob.environment, { handlers: bob.handlers }),
  )
  const dialing = outcomeOf(
    dialSession(middle.near, alice.environment, { handlers: alice.handlers }),
  )
  await until(() => middle.seen.toInitiator.length === 2)
  await clock.advance(10_000)
  assert.equal(codeOf(await dialing), 'SESSION_HANDSHAKE_TIMEOUT')
  assert.equal(codeOf(await accepting), 'SESSION_HANDSHAKE_TIMEOUT')
  assert.equal(alice.ended.length + bob.ended.length, 0, 'a session that never opened does not end')
  // Hello, last message, and the goodbye inside the session: nothing of it in the clear.
  assert.deepEqual(
    middle.seen.toResponder.map(({ flags }) => flags),
    [0, 0, 2],
  )
  await unharmed()
})

test('an aborted attempt ends at once', async () => {
  const { alice, bob, unharmed } = await scene()
  for (const isEarly of [true, false]) {
    const abort = new AbortController()
    const [near, far] = await wire()
    if (isEarly) abort.abort(new Error('enough'))
    const dialing = outcomeOf(
      dialSession(near, alice.environment, { handlers: alice.handlers, signal: abort.signal }),
    )
    abort.abort(new Error('enough'))
    const dialed = await dialing
    assert.equal(codeOf(dialed), 'SESSION_LOST')
    assert.match(((dialed as SessionError).cause as Error).message, /enough/)
    const accepted = await outcomeOf(
      acceptSession(far, bob.environment, { handlers: bob.handlers }),
    )
    assert.equal(codeOf(accepted), 'SESSION_LOST')
  }
  await unharmed()
})

test('a forged alert cannot end a session that is open', async () => {
  const { alice, bob, unharmed } = await scene()
  const { dialed, accepted, middle } = await attempt(alice, bob)
  assert.ok(!(dialed instanceof SessionError) && !(accepted instanceof SessionError))
  for (const code of [1, 4, 30, 65_535]) {
    const alert = encodePacket(0, Uint8Array.of(0xff, code >> 8, code & 0xff))
    middle.inject('toInitiator', alert)
    middle.inject('toResponder', alert)
  }
  assert.deepEqual((await dialed.request('echo', bytes('on'))).payload, bytes('on'))
  assert.ok(dialed.isOpen && accepted.isOpen)
  assert.equal(alice.ended.length + bob.ended.length, 0)
  await unharmed()
})

test('a session takes nothing in the clear', async () => {
  verifies('R119')
  const { alice, bob, unharmed } = await scene()
  for (const flags of [0, 1]) {
    const { stream, far } = await rogueSession(alice, bob)
    const before = bob.messages.length
    stream.write(encodePacket(flags, Uint8Array.of(8, 0, 0, 1, ...new Uint8Array(12))))
    await until(() => !far.isOpen)
    assert.equal(bob.ended.at(-1)?.code, 'SESSION_PROTOCOL')
    assert.equal(bob.messages.length, before)
  }
  await unharmed()
})

test('clocks of the two ends need not run at the same pace once a session is open', async () => {
  const [aliceClock, bobClock] = [new VirtualClock(), new VirtualClock()]
  const [alice, bob] = [party({ clock: aliceClock }), party({ clock: bobClock })]
  bob.onMessage = (message) => message.reply(message.payload)
  const { dialed } = await attempt(alice, bob)
  assert.ok(!(dialed instanceof SessionError))
  bobClock.skew(3_600_000)
  assert.deepEqual((await dialed.request('echo', bytes('x'))).payload, bytes('x'))
})
