// The messages of a datagram, and whatever else a datagram may hold.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import {
  DatagramBatch,
  DatagramOpener,
  DatagramSealer,
  readDatagramMessages,
  SessionError,
} from '@myelin/session'
import fc from 'fast-check'

test('messages come out as they went in, until one does not fit', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 400 }),
      fc.array(fc.uint8Array({ maxLength: 150 }), { maxLength: 12 }),
      (bytesMax, messages) => {
        const batch = new DatagramBatch(bytesMax)
        // QUIC's lengths (RFC 9000 §16): one byte up to 63, two up to 16,383.
        let room = bytesMax
        const taken = messages.filter((message) => {
          const cost = message.length + (message.length < 64 ? 1 : 2)
          const fits = cost <= room
          assert.equal(batch.add(message), fits)
          if (fits) room -= cost
          return fits
        })
        assert.equal(batch.byteLength, bytesMax - room)
        const read = readDatagramMessages(batch.take())
        assert.deepEqual(read, { ok: true, value: taken })
        assert.equal(batch.byteLength, 0)
      },
    ),
  )
})

test('bytes of any kind are read or refused; what is read accounts for every byte', () => {
  const judged = { read: 0, refused: 0 }
  const varint = fc.constantFrom(
    [0],
    [1],
    [0x40, 1],
    [0x80, 0, 0, 2],
    [0xff],
    [0xc0, 0, 0, 0, 0, 0, 0, 0],
  )
  const pieces = fc.array(fc.oneof(varint, fc.array(fc.nat(255), { maxLength: 3 })))
  fc.assert(
    fc.property(pieces, (parts) => {
      const bytes = Uint8Array.from(parts.flat())
      const read = readDatagramMessages(bytes)
      judged[read.ok ? 'read' : 'refused'] += 1
      if (!read.ok) return assert.equal(read.fault, 'datagram_messages')
      let offset = 0
      for (const message of read.value) {
        const prefix = 1 << ((bytes[offset] ?? 0) >> 6)
        assert.equal(message.byteOffset, offset + prefix)
        offset += prefix + message.length
      }
      assert.equal(offset, bytes.length)
    }),
    { numRuns: 2_000 },
  )
  assert.ok(judged.read > 100 && judged.refused > 100, JSON.stringify(judged))
})

test('a length beyond the datagram, or cut off, is refused', () => {
  for (const bytes of [
    [2, 0],
    [0, 1],
    [0x40],
    [0x80, 0, 0],
    [0xc0, 0, 0, 0, 0, 0, 0],
    [0xff, ...Array(7).fill(255)],
  ])
    assert.deepEqual(readDatagramMessages(Uint8Array.from(bytes)), {
      ok: false,
      fault: 'datagram_messages',
    })
  assert.deepEqual(readDatagramMessages(new Uint8Array(0)), { ok: true, value: [] })
})

test('no bytes make an opener throw or move, and the honest datagram opens afterwards', () => {
  const secret = Uint8Array.from(randomBytes(32))
  const sealers = [
    new DatagramSealer('aes-256-gcm', secret.slice()),
    new DatagramSealer('aes-256-gcm', secret.slice(), { sender: 3 }),
  ]
  const openers = [false, true].map(
    (isGroup) => new DatagramOpener('aes-256-gcm', secret.slice(), { isGroup, sendersMax: 2 }),
  )
  const start = fc.constantFrom([0x11, 0], [0x12, 0], [0x12, 1, 0, 0, 0, 3], [0x11, 255], [])
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 80 }), (head, rest) => {
      const bytes = Uint8Array.from([...head, ...rest])
      for (const opener of openers) assert.equal(opener.open(bytes).ok, false)
    }),
    { numRuns: 2_000 },
  )
  openers.forEach((opener, i) => {
    assert.equal(opener.epoch, 0)
    assert.equal(opener.open(sealers[i]?.seal(Uint8Array.of(1)) ?? assert.fail()).ok, true)
  })
})

test('a batch larger than a datagram is refused', () => {
  for (const bytesMax of [0, 65_508, 1.5])
    assert.throws(() => new DatagramBatch(bytesMax), SessionError)
})
