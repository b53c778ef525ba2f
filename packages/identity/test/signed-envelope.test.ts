// The signed envelope (R032): whoever carries it cannot change it, and nobody else can make it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemRandom } from '@myelin/base/system'
import { AgentKeys, openEnvelope, sealEnvelope } from '@myelin/identity'
import { verifies } from '@myelin/testkit'
import { decodeEnvelope, decodeMsgpack, encodeEnvelope, type Message } from '@myelin/wire'

verifies('R032')

const [alice, bob] = [AgentKeys.generate(systemRandom), AgentKeys.generate(systemRandom)]
const message: Message = {
  version: 1,
  id: new Uint8Array(16).fill(3),
  from: alice.publicKey,
  to: bob.publicKey,
  type: 'status-update',
  timestampMs: 1_700_000_000_000,
  payload: new TextEncoder().encode('hello'),
}

test('an envelope opens for everybody and says what was sealed', () => {
  const opened = openEnvelope(sealEnvelope(message, alice))
  assert.ok(opened.ok)
  const { signature, ...rest } = opened.value
  assert.equal(signature.length, 64)
  for (const [field, value] of Object.entries(message)) {
    const got = rest[field as keyof Message] as unknown
    if (value instanceof Uint8Array)
      assert.deepEqual(Uint8Array.from(got as Uint8Array), value, field)
    else assert.equal(got, value)
  }
})

test('no byte of an envelope can be changed, cut or added', () => {
  const sealed = sealEnvelope(message, alice)
  for (let at = 0; at < sealed.length; at += 1) {
    for (const mask of [1, 0x40]) {
      const changed = sealed.slice()
      changed[at] = (changed[at] as number) ^ mask
      assert.equal(openEnvelope(changed).ok, false, `byte ${at}`)
    }
    assert.equal(openEnvelope(sealed.subarray(0, at)).ok, false)
  }
  assert.equal(openEnvelope(Uint8Array.from([...sealed, 0])).ok, false)
})

test('no field can be changed, one by one, with the signature kept', () => {
  const sealed = sealEnvelope(message, alice)
  const decoded = decodeEnvelope(sealed)
  assert.ok(decoded.ok)
  const changes: Partial<Message>[] = [
    { id: new Uint8Array(16).fill(4) },
    { from: bob.publicKey },
    { to: alice.publicKey },
    { type: 'status-updates' },
    { timestampMs: message.timestampMs + 1 },
    { payload: new TextEncoder().encode('hellp') },
    { payload: new Uint8Array(0) },
  ]
  for (const change of changes) {
    const forged = encodeEnvelope({ ...decoded.value, ...change })
    assert.deepEqual(
      openEnvelope(forged),
      { ok: false, fault: 'envelope_signature' },
      Object.keys(change).join(),
    )
  }
  const signature = decoded.value.signature.slice()
  signature[5] = (signature[5] as number) ^ 1
  assert.deepEqual(openEnvelope(encodeEnvelope({ ...decoded.value, signature })), {
    ok: false,
    fault: 'envelope_signature',
  })
})

test('it holds exactly the eight fields, for any MessagePack reader', () => {
  const decoded = decodeMsgpack(sealEnvelope(message, alice))
  assert.ok(decoded.ok)
  assert.deepEqual(Object.keys(decoded.value as object), [
    'version',
    'message_id',
    'from',
    'to',
    'message_type',
    'timestamp',
    'payload',
    'signature',
  ])
})

test('who signs is who sends', () => {
  assert.throws(() => sealEnvelope(message, bob), { code: 'IDENTITY_AGENT_ID' })
  const stolen = {
    publicKey: alice.publicKey,
    agent: alice.agent,
    sign: (bytes: Uint8Array) => bob.sign(bytes),
  }
  assert.deepEqual(openEnvelope(sealEnvelope(message, stolen)), {
    ok: false,
    fault: 'envelope_signature',
  })
})

test('a signature of one kind is none of another', () => {
  // The same bytes without the prefix that only envelopes have.
  const sealed = sealEnvelope(message, alice)
  const decoded = decodeEnvelope(sealed)
  assert.ok(decoded.ok)
  const signature = alice.sign(sealed.subarray(0, sealed.length - 64))
  assert.equal(openEnvelope(encodeEnvelope({ ...decoded.value, signature })).ok, false)
})
