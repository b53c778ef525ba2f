// What is remembered of peer records is that these very bytes were signed by their agent, and nothing that ages.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemRandom } from '@myelin/base/system'
import {
  AgentKeys,
  checkPeerRecordTime,
  createPeerRecord,
  decodePeerRecord,
} from '@myelin/identity'
import { verifies } from '@myelin/testkit'
import { VerifiedRecords } from '../src/verified-records.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

test('bytes are verified once, and forged ones each time', () => {
  const records = new VerifiedRecords(8)
  const asked: string[] = []
  const check = (text: string, isGenuine: boolean) =>
    records.check(bytes(text), () => {
      asked.push(text)
      return isGenuine
    })
  assert.deepEqual([check('a', true), check('a', false), check('a', true)], [true, true, true])
  assert.deepEqual([check('b', false), check('b', false)], [false, false])
  assert.deepEqual(asked, ['a', 'b', 'b'])
  assert.equal(records.size, 1)
})

test('a bound holds, and what is in use stays', () => {
  const records = new VerifiedRecords(3)
  let asked = 0
  const check = (text: string) =>
    records.check(bytes(text), () => {
      asked += 1
      return true
    })
  for (const text of ['a', 'b', 'c']) check(text)
  check('a')
  check('d')
  assert.equal(records.size, 3)
  assert.equal(asked, 4)
  for (const text of ['a', 'c', 'd']) check(text)
  assert.equal(asked, 4)
  check('b')
  assert.equal(asked, 5)
})

test('a record that is known does not lend its signature to another one', () => {
  verifies('R002')
  const [keys, others] = [AgentKeys.generate(systemRandom), AgentKeys.generate(systemRandom)]
  const { publicKey: staticKey } = keys.staticKey
  const fields = { sequence: 1, nowMs: 1_000, lifetimeMs: 1_000, staticKey }
  const { encoded } = createPeerRecord(keys, fields)
  const first = decodePeerRecord(encoded)
  const again = decodePeerRecord(encoded)
  assert.ok(first.ok && again.ok)
  assert.deepEqual(again.value, first.value)
  // Its time is looked at by whoever uses it, each time.
  assert.equal(checkPeerRecordTime(again.value, 1_999, 0), undefined)
  assert.equal(checkPeerRecordTime(again.value, 2_000, 0), 'record_expired')
  for (let i = 0; i < encoded.length; i += 7) {
    const changed = encoded.slice()
    changed[i] = (changed[i] as number) ^ 1
    assert.equal(decodePeerRecord(changed).ok, false, `byte ${i}`)
  }
  const foreign = createPeerRecord(others, fields).encoded.slice()
  foreign.set(encoded.subarray(-64), foreign.length - 64)
  assert.deepEqual(decodePeerRecord(foreign), { ok: false, fault: 'record_signature' })
})
