// Forward secrecy (R003): what a recorder can do later, when all long-lived secrets of both agents have leaked.
// It may replay what it recorded into fresh handshakes that hold the leaked keys. What it cannot have are the
// ephemerals, which both ends forgot; without them neither the last handshake message nor a record opens.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatBytes, equalBytes, type Random } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import { HandshakeState, X25519KeyPair } from '@myelin/crypto'
import { handshakePatterns, SessionError } from '@myelin/session'
import { VirtualClock, verifies } from '@myelin/testkit'
import { decodeHello, encodeHello } from '../src/handshake-payload.ts'
import { RecordOpener } from '../src/record-cipher.ts'
import { trafficSecrets } from '../src/traffic-secrets.ts'
import type { Packet } from './interceptor.ts'
import { type Party, party, until } from './pair.ts'
import { helloOf } from './rogue.ts'
import { attempt, bytes, scene } from './scene.ts'

const secret = bytes('the launch code is 0000')

/** A session that was recorded from its first byte to its last. */
async function recorded(staticKey: boolean, hybrid = true) {
  const { alice, bob } = await scene({ requireHybrid: false })
  const { dialed, middle } = await attempt(alice, bob, {
    hybrid,
    ...(staticKey ? { staticKey: bob.keys.staticKey.publicKey } : {}),
  })
  assert.ok(!(dialed instanceof SessionError))
  dialed.post('data', secret)
  await until(() => bob.messages.some(({ payload }) => equalBytes(payload, secret)))
  await dialed.close()
  return { alice, bob, session: dialed, ...middle.seen }
}

/** The whole of what leaks: seeds and static secrets, in keys made anew from them. */
function leakedStatic(party: Party): X25519KeyPair {
  const { seed, staticSecret } = party.keys.exportSecrets()
  assert.equal(seed.length, 32)
  return X25519KeyPair.fromSecret(staticSecret)
}

function prologueOf(pattern: keyof typeof handshakePatterns): Uint8Array {
  return concatBytes(bytes('myelin session'), Uint8Array.of(handshakePatterns[pattern].number))
}

for (const pattern of ['XKhfs', 'XXhfs', 'XK', 'XX'] as const) {
  test(`${pattern}: keys that leak later open nothing that was recorded`, async () => {
    verifies('R003')
    const { alice, bob, session, toResponder } = await recorded(
      pattern.startsWith('XK'),
      pattern.endsWith('hfs'),
    )
    assert.equal(session.pattern, pattern)
    const [first, third, ...records] = toResponder as [Packet, Packet, ...Packet[]]
    const responder = new HandshakeState({
      protocolName: handshakePatterns[pattern].protocol,
      initiator: false,
      prologue: prologueOf(pattern),
      s: leakedStatic(bob),
      random: systemRandom,
    })
    // The first message was to a static key: with XK the leak opens the hello, and with XX it was in the clear.
    const hello = responder.readMessage(first.payload.subarray(1))
    assert.ok(hello.ok && decodeHello(hello.value).ok)
    // To go on one needs the responder's ephemeral. A new one does not fit what the initiator answered.
    responder.writeMessage(new Uint8Array(0))
    assert.deepEqual(responder.readMessage(third.payload), { ok: false, fault: 'noise_decrypt' })

    // Nor do records open under keys of a handshake between the leaked keys themselves.
    const [ours, theirs] = handshakeOf(pattern, leakedStatic(alice), leakedStatic(bob))
    for (const secrets of [
      trafficSecrets(ours.split(), session.agreement),
      trafficSecrets(theirs.split(), session.agreement),
    ]) {
      for (const key of [secrets.send, secrets.receive]) {
        const opener = new RecordOpener(session.agreement.suite, key)
        for (const record of records)
          assert.equal(opener.open(record.bytes.subarray(0, 10), record.payload), undefined)
      }
    }
  })
}

test('the control: who has the ephemerals as well reads everything', async () => {
  verifies('R003')
  const drawn: Uint8Array[] = []
  const random: Random = {
    fill: (target) => {
      systemRandom.fill(target)
      drawn.push(target.slice())
      return target
    },
  }
  const clock = new VirtualClock()
  const [alice, bob] = [party({ clock, random }), party({ clock })]
  const { dialed, middle } = await attempt(alice, bob, { staticKey: bob.keys.staticKey.publicKey })
  assert.ok(!(dialed instanceof SessionError))
  dialed.post('data', secret)
  await until(() => bob.messages.length === 1)
  const [first, , ...records] = middle.seen.toResponder as [Packet, Packet, ...Packet[]]
  // The nonce of the hello was drawn first, then the ephemerals.
  const [nonce, ...ephemerals] = drawn as [Uint8Array, ...Uint8Array[]]
  const again = new HandshakeState({
    protocolName: handshakePatterns.XKhfs.protocol,
    initiator: true,
    prologue: prologueOf('XKhfs'),
    s: leakedStatic(alice),
    rs: bob.keys.staticKey.publicKey,
    random: {
      fill: (target) => {
        target.set(ephemerals.shift() as Uint8Array)
        return target
      },
    },
  })
  const offered = { nonce, timestampMs: clock.wallMs(), suites: [3, 2, 1] }
  const hello = encodeHello(helloOf(alice, offered))
  assert.deepEqual(again.writeMessage(hello), first.payload.subarray(1))
  assert.ok(again.readMessage((middle.seen.toInitiator[0] as Packet).payload).ok)
  again.writeMessage(new Uint8Array(0))
  const opener = new RecordOpener(
    dialed.agreement.suite,
    trafficSecrets(again.split(), dialed.agreement).send,
  )
  const opened = records.map((record) => opener.open(record.bytes.subarray(0, 10), record.payload))
  assert.ok(opened.length > 0 && opened.every((record) => record !== undefined))
  assert.ok(Buffer.concat(opened as Uint8Array[]).includes(secret))
})

test('two handshakes of the same agents share no key', async () => {
  verifies('R030')
  const { alice, bob } = await scene()
  const keys = new Set<string>()
  for (let i = 0; i < 4; i += 1) {
    const [ours, theirs] = handshakeOf('XKhfs', alice.keys.staticKey, bob.keys.staticKey)
    const agreement = { version: 1, suite: 'aes-256-gcm', compression: 'none' } as const
    const [a, b] = [
      trafficSecrets(ours.split(), agreement),
      trafficSecrets(theirs.split(), agreement),
    ]
    assert.deepEqual(a.send, b.receive)
    assert.deepEqual(a.receive, b.send)
    for (const key of [a.send, a.receive]) keys.add(Buffer.from(key).toString('hex'))
  }
  assert.equal(keys.size, 8, 'nor do both directions of one session')
})

test('what was agreed is part of the keys', () => {
  verifies('R035')
  const seen = new Set<string>()
  const base = { version: 1, suite: 'aes-256-gcm', compression: 'none' } as const
  const agreements = [
    base,
    { ...base, version: 2 },
    { ...base, suite: 'chacha20-poly1305' },
    { ...base, compression: 'lz4' },
  ] as const
  const key = systemRandom.fill(new Uint8Array(32))
  for (const agreement of agreements) {
    const cipher = () => ({ exportKey: () => key.slice(), [Symbol.dispose]: () => {} })
    const split = { send: cipher(), receive: cipher() } as unknown as Parameters<
      typeof trafficSecrets
    >[0]
    seen.add(Buffer.from(trafficSecrets(split, agreement).send).toString('hex'))
  }
  assert.equal(seen.size, agreements.length)
})

function handshakeOf(
  pattern: keyof typeof handshakePatterns,
  alice: X25519KeyPair,
  bob: X25519KeyPair,
): [HandshakeState, HandshakeState] {
  const common = {
    protocolName: handshakePatterns[pattern].protocol,
    prologue: prologueOf(pattern),
    random: systemRandom,
  }
  const rs = pattern.startsWith('XK') ? bob.publicKey : undefined
  const ours = new HandshakeState({ ...common, initiator: true, s: alice, rs })
  const theirs = new HandshakeState({ ...common, initiator: false, s: bob })
  const none = new Uint8Array(0)
  assert.ok(theirs.readMessage(ours.writeMessage(none)).ok)
  assert.ok(ours.readMessage(theirs.writeMessage(none)).ok)
  assert.ok(theirs.readMessage(ours.writeMessage(none)).ok)
  return [ours, theirs]
}
