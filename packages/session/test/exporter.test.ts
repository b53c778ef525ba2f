// Secrets that a session gives to other protocols.

import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { utf8Encode } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import { HandshakeState } from '@myelin/crypto'
import { SessionError } from '@myelin/session'
import { verifies } from '@myelin/testkit'
import { exportFrom } from '../src/exporter.ts'
import { trafficSecrets } from '../src/traffic-secrets.ts'
import { connect, party } from './pair.ts'

verifies('R016')

const context = utf8Encode('context')
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const isOption = (error: unknown) =>
  error instanceof SessionError && error.code === 'SESSION_OPTION'

test('both sides export the same; another session, label, context or length gives another secret', async () => {
  const [alice, bob] = [party(), party()]
  const secrets: string[] = []
  for (let i = 0; i < 2; i += 1) {
    const { near: dialed, far: accepted } = await connect(alice, bob)
    for (const [label, of, bytes] of [
      ['one', context, 32],
      ['two', context, 32],
      ['one', utf8Encode('other'), 32],
      ['one', new Uint8Array(0), 32],
      ['on', utf8Encode('econtext'), 32],
      ['one', context, 33],
      ['one', context, 8_160],
    ] as const) {
      const secret = dialed.exportSecret(label, of, bytes)
      assert.equal(secret.length, bytes)
      assert.deepEqual(accepted.exportSecret(label, of, bytes), secret)
      secrets.push(hex(secret.subarray(0, 32)))
    }
    assert.equal(hex(dialed.exportSecret('one', context)), secrets.at(-7), '32 bytes by default')
    await dialed.close()
  }
  assert.equal(new Set(secrets).size, secrets.length)
})

test('the secret is what docs/protocol.md §4 says, computed step by step', () => {
  const [ours, theirs] = [true, false].map(
    (initiator) =>
      new HandshakeState({
        protocolName: 'Noise_NN_25519_ChaChaPoly_SHA256',
        initiator,
        random: systemRandom,
        prologue: new Uint8Array(0),
      }),
  ) as [HandshakeState, HandshakeState]
  theirs.readMessage(ours.writeMessage(new Uint8Array(0)))
  ours.readMessage(theirs.writeMessage(new Uint8Array(0)))
  const split = ours.split()
  const keys = [split.send.exportKey(), split.receive.exportKey()]
  // RFC 5869 §2.3 for one block: HMAC(key, info ‖ 01).
  const block = (key: Uint8Array, info: Uint8Array) =>
    createHmac('sha256', key).update(info).update(Uint8Array.of(1)).digest()
  const [first, second] = keys.map((key) => block(key, utf8Encode('myelin exporter'))) as [
    Buffer,
    Buffer,
  ]
  const exporter = first.map((byte, i) => byte ^ (second[i] ?? 0))
  const info = Buffer.concat([
    Buffer.from('myelin export'),
    Buffer.from([0, 32, 5]),
    Buffer.from('label'),
    createHash('sha256').update(context).digest(),
  ])
  const agreement = { version: 1, suite: 'aes-256-gcm', compression: 'none' } as const
  const near = trafficSecrets(split, agreement)
  const far = trafficSecrets(theirs.split(), agreement)
  assert.equal(hex(near.exporter), hex(exporter))
  assert.equal(hex(far.exporter), hex(exporter))
  assert.equal(hex(exportFrom(near.exporter, 'label', context)), hex(block(exporter, info)))
  for (const key of [near.send, near.receive, ...keys]) assert.notEqual(hex(key), hex(exporter))
})

test('nothing is exported with a label or length that is none, or after the end', async () => {
  const [alice, bob] = [party(), party()]
  const { near: dialed } = await connect(alice, bob)
  assert.throws(() => dialed.exportSecret('', context), isOption)
  assert.throws(() => dialed.exportSecret('x'.repeat(256), context), isOption)
  for (const bytes of [0, -1, 1.5, 8_161, Number.NaN])
    assert.throws(() => dialed.exportSecret('label', context, bytes), isOption)
  await dialed.close()
  assert.throws(() => dialed.exportSecret('label', context), SessionError)
})
