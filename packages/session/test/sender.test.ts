// The way out by itself: what a message does that finds others waiting for the transport, with credit to spare.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '@myelin/base/system'
import { MemoryStream } from '@myelin/transport'
import { RecordBuffers } from '../src/record-buffers.ts'
import { RecordSealer } from '../src/record-cipher.ts'
import { RecordWriter, recordRoom } from '../src/record-writer.ts'
import { Sender } from '../src/sender.ts'

test('a message behind those that wait for the transport waits too, however short and whatever the credit', () => {
  const { client } = MemoryStream.pair('/memory/a', '/memory/b', (callback) => callback())
  const writer = new RecordWriter({
    stream: client,
    sealer: new RecordSealer('chacha20-poly1305', new Uint8Array(32).fill(1)),
    buffers: new RecordBuffers(),
    clock: systemClock,
    compression: 'none',
    compressionThresholdBytes: 0,
    rekey: { messages: 1_000_000, bytes: 2 ** 30, ms: 1e9 },
  })
  const sender = new Sender(writer, { sendOne: () => false }, () => {})
  sender.credit.raise(2 ** 30)
  writer.isBlocked = true
  sender.send(0, 1, 0, 0, new Uint8Array(1_000))
  const queuedBytes = sender.queuedBytes
  assert.ok(queuedBytes >= 1_000)
  const long = new Uint8Array(2 * recordRoom)
  sender.send(0, 1, 1, 0, long)
  sender.send(0, 1, 2, 0, new Uint8Array(10))
  sender.sendMany(0, 1, 3, 0, [new Uint8Array(10), new Uint8Array(10)])
  assert.ok(sender.queuedBytes >= queuedBytes + long.length + 30)
  assert.equal(writer.roomBytes, recordRoom, 'nothing was written')
  writer.isBlocked = false
  sender.pump()
  assert.equal(sender.queuedBytes, 0)
  assert.equal(sender.messagesSent, 5)
})
