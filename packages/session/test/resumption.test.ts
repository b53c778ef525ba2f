// Resumed sessions: as good as full ones, and never a way around the decision on a peer. What an attacker can do with
// a ticket is to force the full handshake, whose own tests are in attacks.test.ts.

import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { systemRandom } from '@myelin/base/system'
import { HandshakeState } from '@myelin/crypto'
import { createPeerRecord, type PeerRecord } from '@myelin/identity'
import {
  type Admission,
  acceptSession,
  decodeHello,
  dialSession,
  encodeAccept,
  Resumptions,
  resumeHandshake,
  type Session,
  type SessionEnvironment,
  type SessionError,
  type Ticket,
} from '@myelin/session'
import { VirtualClock, verifies } from '@myelin/testkit'
import { encodePacket } from '@myelin/wire'
import { honest, Interceptor, type Rule } from './interceptor.ts'
import { type Party, party, until } from './pair.ts'
import { type Attempt, type AttemptOptions, attempt, bytes, codeOf, outcomeOf } from './scene.ts'

const resumeNumber = 5
const idBytes = 16
const declined = Uint8Array.of(0)

interface Two {
  readonly clock: VirtualClock
  readonly alice: Party
  readonly bob: Party
}

/** A party with tickets whose decisions on peers can be changed. */
function resuming(clock: VirtualClock, options: Partial<SessionEnvironment> = {}): Party {
  return party({ clock, resumptions: new Resumptions({ clock }), ...options })
}

function two(options: Partial<SessionEnvironment> = {}): Two {
  const clock = new VirtualClock()
  return { clock, alice: resuming(clock, options), bob: resuming(clock) }
}

function opened({ dialed, accepted }: Attempt): { near: Session; far: Session } {
  assert.ok(
    'isResumed' in dialed && 'isResumed' in accepted,
    `${codeOf(dialed)} ${codeOf(accepted)}`,
  )
  assert.equal(dialed.isResumed, accepted.isResumed)
  return { near: dialed, far: accepted }
}

async function session(alice: Party, bob: Party, options?: AttemptOptions) {
  const tried = await attempt(alice, bob, options)
  return { ...opened(tried), middle: tried.middle }
}

function ticketsOf({ environment }: Party): Resumptions {
  return environment.resumptions as Resumptions
}

/** The ticket for calling `bob`, taken and put back. */
function peek(alice: Party, bob: Party): Ticket {
  const ticket = ticketsOf(alice).take(bob.keys.agent, alice.record.encoded)
  assert.ok(ticket !== undefined)
  const kept = { ...ticket, secret: ticket.secret.slice() }
  ticketsOf(alice).keep(bob.record, kept, true)
  return kept
}

const isZero = (secret: Uint8Array) => secret.every((byte) => byte === 0)

test('the second session of two agents begins with a ticket of the first, and works', async () => {
  const { alice, bob } = two()
  const first = await session(alice, bob)
  assert.equal(first.near.isResumed, false)
  bob.onMessage = (message) => message.kind === 'request' && message.reply(message.payload)
  for (let i = 0; i < 3; i += 1) {
    const { near, far, middle } = await session(alice, bob)
    assert.equal(near.isResumed, true)
    assert.equal(near.pattern, 'NNpsk0')
    assert.equal(near.peer.agent, bob.keys.agent)
    assert.equal(far.peer.agent, alice.keys.agent)
    assert.deepEqual(near.transcript, far.transcript)
    assert.notDeepEqual(near.transcript, first.near.transcript)
    assert.deepEqual(near.agreement, first.near.agreement)
    assert.deepEqual((await near.request('echo', bytes('again'))).payload, bytes('again'))
    // A hello of 76 bytes, an ephemeral, a tag, and the ticket's id: no KEM and no record.
    assert.equal(middle.seen.toResponder[0]?.payload[0], resumeNumber)
    const sizes = (['toResponder', 'toInitiator'] as const).map(
      (direction) => middle.seen[direction][0]?.payload.length ?? 0,
    )
    assert.ok(
      sizes.every((size) => size < 200),
      `${sizes}`,
    )
  }
})

test('neither who the agents are nor what they say is on the wire of a resumed session', async () => {
  verifies('R001')
  const { alice, bob } = two()
  await session(alice, bob)
  const { near, middle } = await session(alice, bob)
  const word = 'MARKER-of-the-application'
  bob.onMessage = (message) => message.kind === 'request' && message.reply(message.payload)
  assert.deepEqual((await near.request(word, bytes(word))).payload, bytes(word))
  const wire = Buffer.concat(
    [...middle.seen.toResponder, ...middle.seen.toInitiator].map((packet) => packet.bytes),
  )
  for (const { keys, record } of [alice, bob])
    for (const known of [bytes(word), keys.staticKey.publicKey, record.encoded.subarray(1, 33)])
      assert.equal(wire.includes(known), false)
})

test('a peer that lost its trust is refused although it has a ticket', async () => {
  verifies('R003')
  let isTrusted = true
  const clock = new VirtualClock()
  const alice = resuming(clock)
  const authorize = (): Admission =>
    isTrusted ? { isAdmitted: true, roles: [] } : { isAdmitted: false, code: 'SESSION_NOT_TRUSTED' }
  const bob = resuming(clock, { authorize })
  await session(alice, bob)
  isTrusted = false
  const { dialed, accepted, middle } = await attempt(alice, bob)
  assert.equal(middle.seen.toResponder[0]?.payload[0], resumeNumber)
  assert.equal(codeOf(dialed), 'SESSION_NOT_TRUSTED')
  assert.equal((dialed as SessionError).isUnauthenticated, false)
  assert.equal(codeOf(accepted), 'SESSION_NOT_TRUSTED')
  // The refused session leaves no ticket.
  assert.deepEqual([ticketsOf(alice).size, ticketsOf(bob).size], [0, 0])
})

test('a responder that lost its trust hears nothing from the initiator but that', async () => {
  let isTrusted = true
  const clock = new VirtualClock()
  const bob = resuming(clock)
  const authorize = async (): Promise<Admission> =>
    isTrusted ? { isAdmitted: true, roles: [] } : { isAdmitted: false, code: 'SESSION_NOT_TRUSTED' }
  const alice = resuming(clock, { authorize })
  await session(alice, bob)
  const again = await session(alice, bob)
  assert.equal(again.near.isResumed, true)
  isTrusted = false
  const { dialed, accepted, middle } = await attempt(alice, bob)
  assert.equal(codeOf(dialed), 'SESSION_NOT_TRUSTED')
  assert.equal(codeOf(accepted), 'SESSION_NOT_TRUSTED')
  const [hello, alert, ...rest] = middle.seen.toResponder.map(({ payload }) => payload[0])
  assert.deepEqual([hello, alert, rest], [resumeNumber, 0xff, []])
})

test('the roles of a resumed session are those of now', async () => {
  let roles = ['worker']
  const clock = new VirtualClock()
  const alice = resuming(clock)
  const bob = resuming(clock, { authorize: () => ({ isAdmitted: true, roles }) })
  assert.deepEqual((await session(alice, bob)).far.roles, ['worker'])
  roles = ['observer']
  const { far } = await session(alice, bob)
  assert.equal(far.isResumed, true)
  assert.deepEqual(far.roles, ['observer'])
})

test('a recorded resumption is worth nothing: its ticket is spent', async () => {
  verifies('R136')
  const { alice, bob } = two()
  await session(alice, bob)
  const { middle } = await session(alice, bob)
  const [hello, confirmation] = middle.seen.toResponder
  const replay = await Interceptor.between()
  const accepting = outcomeOf(
    acceptSession(replay.far, bob.environment, { handlers: bob.handlers }),
  )
  replay.inject('toResponder', hello?.bytes as Uint8Array)
  await until(() => replay.seen.toInitiator.length > 0)
  assert.deepEqual(replay.seen.toInitiator[0]?.payload, declined)
  // Asking once more is a breach, and so is a confirmation without an accept: taken for a hello, it names no
  // pattern, or by chance one that is not hybrid.
  replay.inject('toResponder', confirmation?.bytes as Uint8Array)
  const codes = ['SESSION_HANDSHAKE_MALFORMED', 'SESSION_HYBRID_REQUIRED']
  assert.ok(codes.includes(codeOf(await accepting)))
})

test('who was declined must not ask to resume again on the same connection', async () => {
  const { alice, bob } = two()
  await session(alice, bob)
  const rule: Rule = ({ bytes: packet }, direction) =>
    direction === 'toResponder' ? [packet, packet] : [packet]
  ticketsOf(bob).clear()
  const { accepted } = await attempt(alice, bob, { rule })
  assert.equal(codeOf(accepted), 'SESSION_HANDSHAKE_MALFORMED')
})

test('a ticket without its secret gives the full handshake, and stays good for its owner', async () => {
  const { clock, alice, bob } = two()
  const mallory = resuming(clock)
  await session(alice, bob)
  const { id } = peek(alice, bob)
  const stolen = {
    id,
    secret: Uint8Array.from(randomBytes(32)),
    isHybrid: true,
    ownRecord: mallory.record.encoded,
    expiresMs: undefined,
  }
  ticketsOf(mallory).keep(bob.record, stolen, true)
  const { far, middle } = await session(mallory, bob)
  assert.equal(middle.seen.toResponder[0]?.payload[0], resumeNumber)
  assert.deepEqual(middle.seen.toResponder[0]?.payload.slice(1, 1 + idBytes), id)
  assert.deepEqual(middle.seen.toInitiator[0]?.payload, declined)
  assert.equal(far.isResumed, false)
  assert.equal(far.peer.agent, mallory.keys.agent)
  assert.equal((await session(alice, bob)).far.isResumed, true)
})

test('a ticket serves in its own direction and for its own peer alone', async () => {
  const { clock, alice, bob } = two()
  const carol = resuming(clock)
  await session(alice, bob)
  assert.equal((await session(bob, alice)).near.isResumed, false)
  // Alice's ticket of bob, shown to carol.
  const ticket = peek(alice, bob)
  ticketsOf(alice).keep(carol.record, { ...ticket, secret: ticket.secret.slice() }, true)
  assert.equal((await session(alice, carol)).near.isResumed, false)
})

test('our own hello that comes back is no ticket of ours', async () => {
  const { alice, bob } = two()
  await session(alice, bob)
  const { dialed, middle } = await attempt(alice, alice, { expected: bob.keys.agent })
  assert.deepEqual(middle.seen.toInitiator[0]?.payload, declined)
  assert.equal(codeOf(dialed), 'SESSION_NONCE_REPEATED')
})

test('tickets end an hour after the full handshake, however often they were renewed', async () => {
  const { clock, alice, bob } = two()
  await session(alice, bob)
  await clock.advance(3_000_000)
  assert.equal((await session(alice, bob)).near.isResumed, true)
  await clock.advance(599_000)
  assert.equal((await session(alice, bob)).near.isResumed, true)
  await clock.advance(1_001)
  const { near, middle } = await session(alice, bob)
  assert.equal(near.isResumed, false)
  // Nobody asks with a ticket that is over.
  assert.equal(middle.seen.toResponder[0]?.payload[0], 2)
  assert.equal((await session(alice, bob)).near.isResumed, true)
})

test('a ticket that is over, or of the other direction, is none, and its secret is wiped', async () => {
  const clock = new VirtualClock()
  const tickets = new Resumptions({ clock, lifetimeMs: 1_000 })
  const { record } = party({ clock })
  const own = bytes('own record')
  const keep = (isInitiator: boolean) => {
    const [id, secret] = [Uint8Array.from(randomBytes(idBytes)), Uint8Array.from(randomBytes(32))]
    const rest = { isHybrid: true, ownRecord: own, expiresMs: undefined }
    tickets.keep(record, { id, secret, ...rest }, isInitiator)
    return { id, secret }
  }
  const [dialled, accepted] = [keep(true), keep(false)]
  assert.equal(tickets.find(dialled.id, own), undefined)
  assert.deepEqual(tickets.find(accepted.id, own)?.secret, accepted.secret)
  assert.equal(isZero(dialled.secret), false)
  await clock.advance(1_000)
  assert.equal(tickets.find(accepted.id, own), undefined)
  assert.equal(tickets.take(record.agent, own), undefined)
  assert.ok(isZero(dialled.secret) && isZero(accepted.secret))
  assert.equal(tickets.size, 0)
})

test('an accept that brings a record is none for a resumption', async () => {
  const { clock, alice, bob } = two()
  await session(alice, bob)
  const ticket = peek(alice, bob)
  const secret = ticket.secret.slice()
  for (const record of [new Uint8Array(0), bob.record.encoded]) {
    const context = { ...alice.environment, record: alice.record }
    const held = { ...ticket, secret: secret.slice() }
    const { send, next } = resumeHandshake(context, held, clock.wallMs())
    assert.ok(isZero(held.secret))
    const noise = new HandshakeState({
      protocolName: 'Noise_NNpsk0_25519_ChaChaPoly_SHA256',
      initiator: false,
      prologue: Buffer.concat([bytes('myelin session'), Uint8Array.of(5), ticket.id]),
      psks: [secret],
      random: systemRandom,
    })
    const hello = noise.readMessage(send.subarray(1 + idBytes))
    assert.ok(hello.ok && decodeHello(hello.value).ok)
    const accept = {
      timestampMs: clock.wallMs(),
      challenge: new Uint8Array(32),
      version: 1,
      suite: 2,
      compression: 0,
      record,
      certificates: new Uint8Array(0),
    }
    const step = next.receive(noise.writeMessage(encodeAccept(accept)), clock.wallMs())
    assert.equal(step.kind, record.length === 0 ? 'established' : 'failed')
    if (step.kind === 'failed') assert.equal(step.error.code, 'SESSION_HANDSHAKE_MALFORMED')
    if (step.kind !== 'established') continue
    // As docs/protocol.md has it: both split keys give the exporter, and that the word of the initiator.
    const transcript = noise.handshakeHash
    const { send: mine, receive: theirs } = noise.split()
    const expand = (key: Uint8Array, info: Uint8Array) =>
      createHmac('sha256', key).update(info).update(Uint8Array.of(1)).digest()
    const [one, other] = [mine, theirs].map((cipher) =>
      expand(cipher.exportKey(), bytes('myelin exporter')),
    ) as [Buffer, Buffer]
    const exporter = one.map((byte, i) => byte ^ (other[i] as number))
    const said = Buffer.concat([bytes('myelin confirm'), transcript, accept.challenge])
    assert.deepEqual(Buffer.from(step.send ?? []), expand(exporter, said))
    const left = expand(exporter, Buffer.concat([bytes('myelin resumption'), transcript]))
    assert.deepEqual(Buffer.from(step.established.resumption?.secret ?? []), left)
  }
})

test('a responder that has restarted goes on with the full handshake on the same connection', async () => {
  const { alice, bob } = two()
  await session(alice, bob)
  ticketsOf(bob).clear()
  const { near, middle } = await session(alice, bob)
  assert.equal(near.isResumed, false)
  assert.deepEqual(
    middle.seen.toResponder.slice(0, 2).map(({ payload }) => payload[0]),
    [resumeNumber, 2],
  )
  assert.equal((await session(alice, bob)).near.isResumed, true)
})

test('a responder that resumes nothing declines, and a caller without tickets never asks', async () => {
  const { clock, alice, bob } = two()
  await session(alice, bob)
  const plain = party({ clock, keys: bob.keys, record: () => bob.record })
  assert.equal((await session(alice, plain)).near.isResumed, false)
  const mute = party({ clock, keys: alice.keys, record: () => alice.record })
  for (let i = 0; i < 2; i += 1)
    assert.equal((await session(mute, bob)).middle.seen.toResponder[0]?.payload[0], 2)
})

test('whoever declines in the place of the responder forces a full handshake and no more', async () => {
  const { alice, bob } = two()
  await session(alice, bob)
  let middle: Interceptor | undefined
  const rule: Rule = (packet, direction, index) => {
    if (direction !== 'toResponder' || index > 0) return [packet.bytes]
    setImmediate(() => middle?.inject('toInitiator', encodePacket(0, declined)))
    return []
  }
  middle = await Interceptor.between(rule)
  const accepting = outcomeOf(
    acceptSession(middle.far, bob.environment, { handlers: bob.handlers }),
  )
  const dialing = outcomeOf(
    dialSession(middle.near, alice.environment, {
      handlers: alice.handlers,
      expected: bob.keys.agent,
      staticKey: bob.keys.staticKey.publicKey,
    }),
  )
  const { near } = opened({ dialed: await dialing, accepted: await accepting, middle })
  assert.equal(near.pattern, 'XKhfs')
})

test('a changed bit in any message of a resumption ends it or leads to the full handshake', async () => {
  verifies('R002')
  const places = [
    { direction: 'toResponder', index: 0, at: [0.5, 3, 20, 60, -1] },
    { direction: 'toInitiator', index: 0, at: [0.5, 3, 40, -1] },
    { direction: 'toResponder', index: 1, at: [0.5, 10, -1] },
  ] as const
  for (const { direction, index, at } of places) {
    for (const offset of at) {
      const { alice, bob } = two()
      await session(alice, bob)
      const rule: Rule = (packet, towards, number) => {
        if (towards !== direction || number !== index) return honest(packet, towards, number)
        const payload = packet.payload.slice()
        const place = offset === 0.5 ? 1 : offset < 0 ? payload.length - 1 : offset
        payload[place] = (payload[place] as number) ^ 1
        return [encodePacket(packet.flags, payload)]
      }
      const { dialed, accepted } = await attempt(alice, bob, { rule })
      const codes = [codeOf(dialed), codeOf(accepted)]
      const where = `${direction} ${index} at ${offset}: ${codes}`
      const isHello = direction === 'toResponder' && index === 0
      if (isHello) {
        // The id or the sealed hello: the responder declines, and the full handshake is made.
        assert.ok('isResumed' in dialed && !dialed.isResumed, where)
      } else {
        const expected =
          direction === 'toInitiator' ? 'SESSION_HANDSHAKE_DECRYPT' : 'SESSION_CHALLENGE'
        assert.ok(
          codes.every((code) => code === expected),
          where,
        )
      }
    }
  }
})

test('a hello that was held back is outside the window, and its ticket is spent', async () => {
  verifies('R135')
  const { clock, alice, bob } = two()
  await session(alice, bob)
  const rule: Rule = (packet, direction, index) => {
    if (direction === 'toResponder' && index === 0) clock.skew(5_001)
    return [packet.bytes]
  }
  const { dialed, accepted } = await attempt(alice, bob, { rule })
  assert.deepEqual([codeOf(dialed), codeOf(accepted)], ['SESSION_TIMESTAMP', 'SESSION_TIMESTAMP'])
  assert.deepEqual([ticketsOf(alice).size, ticketsOf(bob).size], [0, 0])
})

test('a resumption belongs to the outer channel that it runs in', async () => {
  const { alice, bob } = two()
  await session(alice, bob)
  const binding = { near: bytes('channel one'), far: bytes('channel two') }
  const { dialed, middle } = await attempt(alice, bob, { binding })
  assert.deepEqual(middle.seen.toInitiator[0]?.payload, declined)
  assert.equal(codeOf(dialed), 'SESSION_HANDSHAKE_DECRYPT')
})

test('a peer record that was renewed reaches the peer: its owner begins with a full handshake', async () => {
  for (const isCaller of [true, false]) {
    const clock = new VirtualClock()
    const fixed = resuming(clock)
    let record: PeerRecord | undefined
    const moving: Party = resuming(clock, { record: () => record ?? moving.record })
    const [alice, bob] = isCaller ? [moving, fixed] : [fixed, moving]
    await session(alice, bob)
    record = createPeerRecord(moving.keys, {
      sequence: 2,
      nowMs: clock.wallMs(),
      staticKey: moving.keys.staticKey.publicKey,
    })
    const { near, far } = await session(alice, bob)
    assert.equal(near.isResumed, false)
    assert.equal((isCaller ? far : near).peer.sequence, 2)
    assert.equal((await session(alice, bob)).near.isResumed, true)
  }
})

test('a peer record that has expired is not resumed', async () => {
  for (const isCaller of [true, false]) {
    const clock = new VirtualClock()
    const resumptions = new Resumptions({ clock })
    const short = party({ clock, resumptions, lifetimeMs: 60_000 })
    const long = resuming(clock)
    const [alice, bob] = isCaller ? [short, long] : [long, short]
    await session(alice, bob)
    await clock.advance(60_000)
    const { dialed, middle } = await attempt(alice, bob)
    assert.equal(codeOf(dialed), 'SESSION_PEER_RECORD_EXPIRED')
    assert.notEqual(middle.seen.toResponder.at(-1)?.payload[0], resumeNumber)
  }
})

test('a session without the post-quantum part leaves no ticket to those who require it', async () => {
  const clock = new VirtualClock()
  const alice = resuming(clock, { requireHybrid: false })
  const lax = resuming(clock, { requireHybrid: false })
  await session(alice, lax, { hybrid: false })
  assert.equal((await session(alice, lax, { hybrid: false })).near.isResumed, true)
  const strict = party({
    clock,
    keys: lax.keys,
    record: () => lax.record,
    resumptions: ticketsOf(lax),
  })
  const { near, middle } = await session(alice, strict)
  assert.deepEqual(middle.seen.toInitiator[0]?.payload, declined)
  assert.equal(near.pattern, 'XXhfs')
})

test('a join token, or another static key than the ticket stems from, takes the full handshake', async () => {
  const { alice, bob } = two()
  await session(alice, bob)
  const withToken = await session(alice, bob, { token: Uint8Array.from(randomBytes(32)) })
  assert.equal(withToken.near.isResumed, false)
  const staticKey = alice.keys.staticKey.publicKey
  const { dialed } = await attempt(alice, bob, { staticKey })
  assert.equal(codeOf(dialed), 'SESSION_HANDSHAKE_DECRYPT')
})

test('tickets are bounded, the oldest goes first, and what goes is wiped', () => {
  const clock = new VirtualClock()
  const tickets = new Resumptions({ clock, ticketsMax: 2 })
  const made = [1, 2, 3].map((number) => {
    const { record } = party({ clock })
    const [id, secret] = [Uint8Array.from({ length: 16 }, () => number), new Uint8Array(32).fill(1)]
    const resumption = {
      id,
      secret,
      isHybrid: true,
      ownRecord: bytes('own'),
      expiresMs: undefined,
    }
    tickets.keep(record, resumption, false)
    return { id, secret, record }
  })
  const [first, second, third] = made as [
    (typeof made)[number],
    (typeof made)[number],
    (typeof made)[number],
  ]
  assert.equal(tickets.size, 2)
  assert.equal(tickets.find(first.id, bytes('own')), undefined)
  assert.ok(isZero(first.secret) && !isZero(second.secret))
  tickets.forget(second.record.agent)
  assert.equal(tickets.find(second.id, bytes('own')), undefined)
  assert.ok(isZero(second.secret))
  assert.deepEqual(tickets.find(third.id, bytes('own'))?.peer, third.record)
  assert.match(JSON.stringify(tickets.find(third.id, bytes('own'))), /"secret":"\[redacted\]"/)
  tickets.clear()
  assert.ok(isZero(third.secret))
  assert.equal(tickets.size, 0)
  assert.throws(() => new Resumptions({ clock, lifetimeMs: 3_600_001 }), { code: 'SESSION_OPTION' })
  assert.throws(() => new Resumptions({ clock, ticketsMax: 0 }), { code: 'SESSION_OPTION' })
})
