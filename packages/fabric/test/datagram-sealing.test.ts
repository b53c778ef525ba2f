// When keys of datagrams are replaced, how messages share datagrams, and how the missing ones are counted.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { silentLogger } from '@myelin/base'
import { DatagramOpener, DatagramSealer } from '@myelin/session'
import { VirtualClock, verifies } from '@myelin/testkit'
import { Arrivals } from '../src/datagrams/arrivals.ts'
import { Inbox } from '../src/datagrams/inbox.ts'
import { datagramsWaitingMax } from '../src/datagrams/limits.ts'
import { MeteredSealer, TurnBatch } from '../src/datagrams/sealing.ts'

verifies('R016')

test('a key seals so many bytes and no more, and the receiver follows', () => {
  const secret = Uint8Array.from(randomBytes(32))
  const sealer = new MeteredSealer(new DatagramSealer('aes-256-gcm', secret.slice()), 1_000)
  const opener = new DatagramOpener('aes-256-gcm', secret)
  const epochs: number[] = []
  for (let i = 0; i < 10; i += 1) {
    const opened = opener.open(sealer.seal(new Uint8Array(300)))
    assert.ok(opened.ok)
    epochs.push(opened.value.epoch)
  }
  // Three of 300 bytes fit 1,000; the fourth begins the next key.
  assert.deepEqual(epochs, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3])
})

test('a key that the count of datagrams has replaced begins with no bytes', () => {
  const secret = Uint8Array.from(randomBytes(32))
  const counted = new DatagramSealer('aes-256-gcm', secret, { datagramsPerKey: 2 })
  const sealer = new MeteredSealer(counted, 700)
  for (let i = 0; i < 6; i += 1) sealer.seal(new Uint8Array(300))
  assert.equal(counted.epoch, 2)
})

test('what is missing is what the counters say was sent, less what came; a late one is no more missing', () => {
  const arrivals = new Arrivals()
  assert.equal(arrivals.lost, 0)
  assert.equal(arrivals.add(0, 0), true)
  assert.equal(arrivals.add(0, 4), true)
  assert.equal(arrivals.lost, 3)
  assert.equal(arrivals.add(0, 2), false, 'not the newest')
  assert.equal(arrivals.lost, 2)
  // The next key begins at 0 again.
  assert.equal(arrivals.add(1, 1), true)
  assert.equal(arrivals.lost, 3)
  assert.equal(arrivals.add(0, 3), false)
  assert.equal(arrivals.lost, 2)
})

test('a batch leaves when the turn ends or nothing more fits; what the system refuses is told', async () => {
  const clock = new VirtualClock()
  const flushed: number[] = []
  let hasRoom = true
  const batch = new TurnBatch({
    clock,
    bytesMax: 100,
    flush: (messages) => {
      flushed.push(messages.length)
      return hasRoom
    },
  })
  assert.equal(batch.payloadBytesMax, 98)
  for (let i = 0; i < 5; i += 1) assert.equal(batch.add(new Uint8Array(30)), true)
  assert.deepEqual(flushed, [93])
  await clock.advance(0)
  assert.deepEqual(flushed, [93, 62])
  hasRoom = false
  for (let i = 0; i < 3; i += 1) assert.equal(batch.add(new Uint8Array(30)), true)
  assert.equal(batch.add(new Uint8Array(30)), false)
  batch.close()
  await clock.advance(0)
  assert.deepEqual(flushed, [93, 62, 93])
})

test('who does not read loses the latest, not memory; a handler that throws loses nothing else', async () => {
  const inbox = new Inbox<number>(silentLogger, 1_200)
  for (let i = 0; i < datagramsWaitingMax; i += 1) assert.equal(inbox.push(i), true)
  assert.equal(inbox.push(-1), false)
  const seen: number[] = []
  inbox.handle((item) => {
    seen.push(item)
    if (item === 3) throw new Error('no')
  })
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(inbox.push(4_000), true)
  assert.equal(seen.length, datagramsWaitingMax + 1)
  assert.equal(seen.at(-1), 4_000)
  assert.throws(() => inbox.read())
  // 4 MiB of datagrams of 64 KiB.
  const large = new Inbox<number>(silentLogger, 65_507)
  for (let i = 0; i < 64; i += 1) assert.equal(large.push(i), true)
  assert.equal(large.push(64), false)
})
