import assert from 'node:assert/strict'
import { randomFillSync } from 'node:crypto'
import { test } from 'node:test'
import { release } from '../src/release.ts'
import { connect, party, until } from './pair.ts'

test('large memory is given back at once, and only by the one who holds all of it', () => {
  const whole = new Uint8Array(65_536)
  release(whole)
  assert.equal(whole.length, 0)

  const shared = new Uint8Array(65_536).fill(7)
  release(shared.subarray(1))
  assert.equal(shared.length, 65_536)

  const small = new Uint8Array(1024)
  release(small)
  assert.equal(small.length, 1024)

  const foreign = new Uint8Array(new SharedArrayBuffer(65_536))
  release(foreign)
  assert.equal(foreign.length, 65_536)
})

test('payloads stay whole when the memory that they arrived in is given back', async () => {
  const [alice, bob] = [party(), party()]
  bob.holds = true
  const { near } = await connect(alice, bob)
  const sizes = [64, 40_000, 1024, 65_000, 300_000, 17_000]
  const sent = Array.from({ length: 36 }, (_, i) =>
    randomFillSync(new Uint8Array(sizes[i % sizes.length] as number)),
  )
  // Their copies: what is posted belongs to the session.
  for (const payload of sent) near.post('data', payload.slice())
  await until(() => bob.messages.length === sent.length)
  bob.messages.sort((a, b) => a.id - b.id)
  for (const [i, message] of bob.messages.entries()) assert.deepEqual(message.payload, sent[i])
})
