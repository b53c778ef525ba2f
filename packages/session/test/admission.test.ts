// Who gets in: the trust store and join tokens behind `authorize`, and what both sides can speak.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryStore, systemRandom } from '@myelin/base/system'
import { decodeJoinToken, JoinTokenBook, TrustStore } from '@myelin/identity'
import {
  type Abilities,
  type Admission,
  type Candidate,
  type Session,
  SessionError,
} from '@myelin/session'
import { type VirtualClock, verifies } from '@myelin/testkit'
import { type Party, party } from './pair.ts'
import { attempt, bytes, codeOf, type Outcome, scene } from './scene.ts'

interface Door {
  readonly guard: Party
  readonly trust: TrustStore
  readonly tokens: JoinTokenBook
  issue(lifetimeMs?: number): Promise<Uint8Array>
}

/** An agent that lets in whom its trust store names, and who brings an open join token. */
async function door(clock: VirtualClock): Promise<Door> {
  const store = memoryStore()
  const [trust, tokens] = [await TrustStore.open(store), await JoinTokenBook.open(store)]
  const authorize = ({ peer, token }: Candidate): Admission | Promise<Admission> => {
    const entry = trust.get(peer.agent)
    if (entry !== undefined) return { isAdmitted: true, roles: entry.roles }
    if (token === undefined) return { isAdmitted: false, code: 'SESSION_NOT_TRUSTED' }
    const redeemed = tokens.redeem(token, clock.wallMs())
    if (!redeemed.ok) {
      const isExpired = redeemed.fault === 'token_expired'
      return {
        isAdmitted: false,
        code: isExpired ? 'SESSION_TOKEN_EXPIRED' : 'SESSION_TOKEN_UNKNOWN',
      }
    }
    const { roles, durable } = redeemed.value
    const added = trust.add({ agent: peer.agent, roles, source: 'token', addedMs: clock.wallMs() })
    return Promise.all([durable, added]).then(() => ({ isAdmitted: true, roles }))
  }
  const guard = party({ clock, authorize })
  const issue = async (lifetimeMs = 60_000) => {
    const { agent, staticKey } = guard.keys
    const options = {
      issuer: agent,
      staticKey: staticKey.publicKey,
      addresses: [],
      roles: ['worker'],
    }
    const text = await tokens.issue({
      ...options,
      nowMs: clock.wallMs(),
      lifetimeMs,
      random: systemRandom,
    })
    const decoded = decodeJoinToken(text)
    assert.ok(decoded.ok)
    return decoded.value.secret
  }
  return { guard, trust, tokens, issue }
}

function rolesOf(outcome: Outcome): readonly string[] {
  assert.ok(!(outcome instanceof SessionError))
  return outcome.roles
}

test('who is in no trust store gets no session, and learns that from the peer itself', async () => {
  verifies('R002', 'R068')
  const { alice, clock, unharmed } = await scene()
  const { guard, trust } = await door(clock)
  for (const staticKey of [undefined, guard.keys.staticKey.publicKey]) {
    const { dialed, accepted } = await attempt(alice, guard, { staticKey })
    assert.deepEqual(
      [codeOf(dialed), codeOf(accepted)],
      ['SESSION_NOT_TRUSTED', 'SESSION_NOT_TRUSTED'],
    )
    assert.equal((dialed as SessionError).isUnauthenticated, false)
  }
  assert.equal(guard.messages.length + guard.ended.length + alice.ended.length, 0)
  await trust.add({ agent: alice.keys.agent, roles: ['pilot'], source: 'manual', addedMs: 0 })
  assert.deepEqual(rolesOf((await attempt(alice, guard)).accepted), ['pilot'])
  await unharmed()
})

test('a join token opens the door once, for whoever holds it first', async () => {
  const { alice, bob, clock, unharmed } = await scene()
  const { guard, trust, tokens, issue } = await door(clock)
  const token = await issue()
  const first = await attempt(alice, guard, { token })
  assert.deepEqual(rolesOf(first.accepted), ['worker'])
  assert.equal(tokens.openCount, 0)
  const second = await attempt(bob, guard, { token })
  assert.deepEqual(
    [codeOf(second.dialed), codeOf(second.accepted)],
    ['SESSION_TOKEN_UNKNOWN', 'SESSION_TOKEN_UNKNOWN'],
  )
  assert.equal((second.dialed as SessionError).isUnauthenticated, false)
  // Alice is known now and needs none.
  assert.equal(trust.get(alice.keys.agent)?.source, 'token')
  assert.deepEqual(rolesOf((await attempt(alice, guard)).accepted), ['worker'])
  await unharmed()
})

test('a token that was never issued and one that is too old are refused, each with its reason', async () => {
  const { alice, clock, unharmed } = await scene()
  const { guard, issue } = await door(clock)
  const invented = await attempt(alice, guard, { token: systemRandom.fill(new Uint8Array(32)) })
  assert.equal(codeOf(invented.dialed), 'SESSION_TOKEN_UNKNOWN')
  const token = await issue(1_000)
  await clock.advance(1_000)
  assert.equal(codeOf((await attempt(alice, guard, { token })).dialed), 'SESSION_TOKEN_EXPIRED')
  await unharmed()
})

test('a token never crosses the wire in clear', async () => {
  const { alice, clock } = await scene()
  const { guard, issue } = await door(clock)
  const token = await issue()
  const { middle } = await attempt(alice, guard, { token })
  for (const packet of middle.seen.toResponder)
    assert.equal(Buffer.from(packet.bytes).includes(token), false)
})

test('an initiator may refuse the responder before it says who it is itself', async () => {
  const { bob, clock, unharmed } = await scene()
  const picky = party({
    clock,
    authorize: () => ({ isAdmitted: false, code: 'SESSION_NOT_TRUSTED', detail: 'not you' }),
  })
  const { dialed, accepted, middle } = await attempt(picky, bob)
  assert.equal(codeOf(dialed), 'SESSION_NOT_TRUSTED')
  assert.match((dialed as SessionError).message, /not you/)
  assert.equal((accepted as SessionError).isUnauthenticated, true)
  // Its hello and the alert: no last message, so neither its static key nor its record.
  assert.deepEqual(
    middle.seen.toResponder.map((packet) => packet.payload[0]),
    [2, 0xff],
  )
  await unharmed()
})

test('a decision that fails admits nobody', async () => {
  const { alice, clock, unharmed } = await scene()
  const decisions = [
    () => {
      throw new Error('the database is gone')
    },
    () => Promise.reject(new Error('the database is gone')),
  ]
  for (const authorize of decisions) {
    const { dialed, accepted } = await attempt(alice, party({ clock, authorize }))
    assert.deepEqual([codeOf(dialed), codeOf(accepted)], ['SESSION_INTERNAL', 'SESSION_INTERNAL'])
    assert.doesNotMatch((dialed as SessionError).message, /database/)
  }
  await unharmed()
})

const both: Abilities = {
  versionMin: 1,
  versionMax: 2,
  suites: ['aes-256-gcm', 'chacha20-poly1305'],
  compressions: ['zstd', 'lz4', 'none'],
}

/** The session of two parties with these abilities, or the codes of both refusals. */
async function agree(
  ours: Partial<Abilities>,
  theirs: Partial<Abilities>,
): Promise<Session | string[]> {
  const { clock, unharmed } = await scene()
  const alice = party({ clock, abilities: { ...both, ...ours } })
  const bob = party({ clock, abilities: { ...both, ...theirs } })
  bob.onMessage = (message) => message.reply(message.payload)
  const { dialed, accepted } = await attempt(alice, bob)
  await unharmed()
  if (dialed instanceof SessionError || accepted instanceof SessionError)
    return [codeOf(dialed), codeOf(accepted)]
  assert.deepEqual(dialed.agreement, accepted.agreement)
  const payload = bytes('both understand this '.repeat(100))
  assert.deepEqual((await dialed.request('echo', payload)).payload, payload)
  return dialed
}

async function agreed(ours: Partial<Abilities>, theirs: Partial<Abilities>) {
  const outcome = await agree(ours, theirs)
  assert.ok(!Array.isArray(outcome), `${outcome}`)
  return outcome.agreement
}

test('the highest common version is spoken, and a peer that is one version behind is understood', async () => {
  verifies('R012', 'R035')
  const old = { versionMin: 1, versionMax: 1 }
  const recent = { versionMin: 2, versionMax: 2 }
  assert.equal((await agreed({}, {})).version, 2)
  assert.equal((await agreed({}, old)).version, 1)
  assert.equal((await agreed(old, {})).version, 1)
  assert.equal((await agreed(recent, {})).version, 2)
  assert.equal((await agreed({}, { versionMin: 2, versionMax: 9 })).version, 2)
})

test('peers without a common version part with a reason', async () => {
  verifies('R012')
  const old = { versionMin: 1, versionMax: 1 }
  const recent = { versionMin: 2, versionMax: 3 }
  for (const [ours, theirs] of [
    [old, recent],
    [recent, old],
  ] as const) {
    assert.deepEqual(await agree(ours, theirs), ['SESSION_VERSION', 'SESSION_VERSION'])
  }
})

test('the initiator’s first suite that both have is used; without one there is no session', async () => {
  verifies('R034')
  const [aes, chacha] = [{ suites: ['aes-256-gcm'] }, { suites: ['chacha20-poly1305'] }] as const
  assert.equal((await agreed({}, {})).suite, 'aes-256-gcm')
  assert.equal((await agreed({}, chacha)).suite, 'chacha20-poly1305')
  assert.equal(
    (await agreed({ suites: ['chacha20-poly1305', 'aes-256-gcm'] }, {})).suite,
    'chacha20-poly1305',
  )
  assert.deepEqual(await agree(aes, chacha), ['SESSION_SUITE', 'SESSION_SUITE'])
  assert.deepEqual(await agree({ suites: [] }, {}), ['SESSION_SUITE', 'SESSION_SUITE'])
})

test('compression is what both have, in the initiator’s order, else none', async () => {
  verifies('R036')
  assert.equal((await agreed({}, {})).compression, 'zstd')
  assert.equal((await agreed({ compressions: ['lz4', 'zstd'] }, {})).compression, 'lz4')
  assert.equal((await agreed({}, { compressions: ['lz4'] })).compression, 'lz4')
  assert.equal(
    (await agreed({ compressions: ['lz4'] }, { compressions: ['zstd'] })).compression,
    'none',
  )
  assert.equal((await agreed({ compressions: [] }, {})).compression, 'none')
})
