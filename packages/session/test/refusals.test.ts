// Attempts that come to nothing: what is malformed inside a well sealed message, who is turned away at the door,
// who gives up, and that a connection which was given up costs no more than its bound.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatBytes } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import {
  type Admission,
  acceptSession,
  awaitHandshake,
  dialSession,
  SessionError,
} from '@myelin/session'
import { VirtualClock, verifies } from '@myelin/testkit'
import { encodeHello } from '../src/handshake-payload.ts'
import { closeTimeoutMs, droppedBytesMax, handshakeTokenBytesMax } from '../src/limits.ts'
import { party, until, wire } from './pair.ts'
import {
  helloOf,
  PacketReader,
  rogueHello,
  rogueInitiator,
  rogueResponder,
  rogueSettings,
} from './rogue.ts'
import { codeOf, outcomeOf, scene } from './scene.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a hello that Noise lets pass must be whole, end where it ends and offer what can be', async () => {
  verifies('R121')
  const { alice, bob, unharmed } = await scene()
  const well = encodeHello(helloOf(alice))
  const { accepting, packets } = await rogueHello(alice, bob, well)
  // An alert has three bytes.
  const answer = (await packets.next())?.payload ?? new Uint8Array(0)
  assert.ok(answer.length > 1_000, 'the control: it is answered')
  accepting.catch(() => {})
  const hellos = {
    'cut short': well.subarray(0, -1),
    'with a byte more': concatBytes(well, Uint8Array.of(0)),
    empty: new Uint8Array(0),
    'a version range upside down': encodeHello(helloOf(alice, { versionMin: 2, versionMax: 1 })),
    'more suites than there can be': encodeHello(
      helloOf(alice, { suites: Array.from({ length: 17 }, () => 1) }),
    ),
    'more compressions than there can be': encodeHello(
      helloOf(alice, { compressions: Array.from({ length: 255 }, () => 1) }),
    ),
  }
  for (const [what, hello] of Object.entries(hellos)) {
    const rogue = await rogueHello(alice, bob, hello)
    const outcome = await outcomeOf(rogue.accepting)
    assert.equal(codeOf(outcome), 'SESSION_HANDSHAKE_MALFORMED', what)
    assert.deepEqual((await rogue.packets.next())?.payload, Uint8Array.of(0xff, 0, 16), what)
  }
  await unharmed()
})

test('an answer and a finish have bounds for each of their fields', async () => {
  verifies('R121')
  const { alice, bob, clock, unharmed } = await scene()
  const long = new Uint8Array(32_001)
  for (const finish of [
    { token: new Uint8Array(handshakeTokenBytesMax + 1) },
    { record: new Uint8Array(20_001) },
    { certificates: long },
  ]) {
    const rogue = await rogueInitiator(alice, bob, { finish })
    assert.equal(codeOf(await outcomeOf(rogue.accepting)), 'SESSION_HANDSHAKE_MALFORMED')
  }
  const mallory = party({ clock })
  for (const accept of [{ certificates: long }, { record: new Uint8Array(20_001) }]) {
    const [near, far] = await wire()
    const answering = rogueResponder(mallory, far, accept)
    const dialing = dialSession(near, alice.environment, { handlers: alice.handlers })
    await answering
    assert.equal(codeOf(await outcomeOf(dialing)), 'SESSION_HANDSHAKE_MALFORMED')
  }
  await unharmed()
})

test('a handshake message longer than Noise has is refused by the state itself', () => {
  const bob = party()
  const { environment, record } = bob
  const state = awaitHandshake({ ...environment, record })
  const message = new Uint8Array(1 + 65_536)
  message[0] = 2
  const step = state.receive(message, environment.clock.wallMs())
  assert.equal(step.kind, 'failed')
  assert.equal(step.kind === 'failed' && step.error.code, 'SESSION_HANDSHAKE_MALFORMED')
})

test('who is turned away at the door hears why, and nobody is asked about it', async () => {
  const clock = new VirtualClock()
  let asked = 0
  const authorize = (): Admission => {
    asked += 1
    return { isAdmitted: true, roles: [] }
  }
  const [alice, bob] = [party({ clock }), party({ clock, authorize })]
  const [near, far] = await wire()
  let admitted = 0
  const accepting = outcomeOf(
    acceptSession(far, bob.environment, {
      handlers: bob.handlers,
      greeted: () => 'SESSION_BUSY',
      admitted: () => {
        admitted += 1
      },
    }),
  )
  const dialed = await outcomeOf(dialSession(near, alice.environment, { handlers: alice.handlers }))
  assert.equal(codeOf(await accepting), 'SESSION_BUSY')
  assert.equal(codeOf(dialed), 'SESSION_BUSY')
  assert.ok(dialed instanceof SessionError && dialed.isUnauthenticated)
  assert.deepEqual([asked, admitted], [0, 0])
})

test('a peer that hangs up during the handshake is lost at once', async () => {
  const { bob, unharmed } = await scene()
  const [near, far] = await wire()
  const accepting = outcomeOf(acceptSession(far, bob.environment, { handlers: bob.handlers }))
  const packets = new PacketReader(near)
  near.end()
  const accepted = await accepting
  assert.equal(codeOf(accepted), 'SESSION_LOST')
  assert.match((accepted as SessionError).message, /hung up/)
  assert.equal(await packets.next(), undefined, 'there is nobody to tell')
  await unharmed()
})

test('an attempt that is called off for a reason tells the peer that reason, if it is one for peers', async () => {
  for (const [code, said] of [
    ['SESSION_BUSY', Uint8Array.of(0xff, 0, 33)],
    ['SESSION_GOING_AWAY', Uint8Array.of(0xff, 0, 2)],
    ['SESSION_OPTION', undefined],
  ] as const) {
    const clock = new VirtualClock()
    const bob = party({ clock, closeTimeoutMs })
    const [near, far] = await wire()
    const packets = new PacketReader(near)
    const abort = new AbortController()
    const { handlers } = bob
    const accepting = outcomeOf(
      acceptSession(far, bob.environment, { handlers, signal: abort.signal }),
    )
    const reason = new SessionError(code, 'no room', { kind: 'recoverable' })
    abort.abort(reason)
    assert.equal(await accepting, reason)
    await turn()
    await clock.advance(closeTimeoutMs)
    assert.deepEqual((await packets.next())?.payload, said)
    assert.equal(await packets.next(), undefined, 'and the connection goes')
  }
})

test('an attempt that is called off while it opens hands out no session', async () => {
  const [alice, bob] = [party(), party()]
  const [near, far] = await wire()
  const abort = new AbortController()
  const handlers = { ...alice.handlers, opened: () => abort.abort() }
  const accepting = outcomeOf(acceptSession(far, bob.environment, { handlers: bob.handlers }))
  const dialed = await outcomeOf(
    dialSession(near, alice.environment, { handlers, signal: abort.signal }),
  )
  assert.equal(codeOf(dialed), 'SESSION_LOST')
  assert.deepEqual(
    alice.ended.map(({ code }) => code),
    ['SESSION_LOST'],
  )
  const accepted = await accepting
  if (!(accepted instanceof SessionError)) await until(() => !accepted.isOpen)
})

test('a decision that fails when the attempt is over changes nothing', async () => {
  const { alice, clock, unharmed } = await scene()
  const decision = Promise.withResolvers<Admission>()
  const slow = party({ clock, authorize: () => decision.promise })
  const { accepting, send, packets } = await rogueInitiator(alice, slow)
  await turn()
  await clock.advance(10_000)
  assert.equal(codeOf(await outcomeOf(accepting)), 'SESSION_HANDSHAKE_TIMEOUT')
  decision.reject(new Error('the database is gone'))
  await turn()
  send(rogueSettings)
  assert.deepEqual((await packets.next())?.payload, Uint8Array.of(0xff, 0, 18))
  assert.equal(await packets.next(), undefined)
  assert.deepEqual([slow.messages.length, slow.ended.length], [0, 0])
  await unharmed()
})

test('a connection that was given up is cut when its peer keeps sending', async () => {
  const { bob, unharmed } = await scene()
  const [near, far] = await wire()
  let isCut = false
  near.attach({
    data: () => {},
    drain: () => {},
    end: () => {},
    closed: () => {
      isCut = true
    },
  })
  const accepting = outcomeOf(acceptSession(far, bob.environment, { handlers: bob.handlers }))
  near.write(systemRandom.fill(new Uint8Array(64)).fill(0, 0, 1))
  assert.equal(codeOf(await accepting), 'SESSION_HANDSHAKE_MALFORMED')
  near.write(new Uint8Array(droppedBytesMax))
  for (let i = 0; i < 20; i += 1) await turn()
  assert.equal(isCut, false)
  near.write(new Uint8Array(1))
  await until(() => isCut)
  await unharmed()
})
