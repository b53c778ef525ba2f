import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hexDecode } from '@myelin/base'
import { verifies } from '@myelin/testkit'
import fc from 'fast-check'
import {
  decodeDelivery,
  decodeDeliveryAck,
  deliveryHeadBytes,
  encodeDelivery,
  encodeDeliveryAck,
  encodeSync,
  encodeVoid,
  numberDelivery,
} from '../src/delivery-codec.ts'
import { deliveryWindowMax } from '../src/limits.ts'

verifies('R090')

const incarnation = fc.uint8Array({ minLength: 8, maxLength: 8 })
const sequences = fc.nat({ max: 2 ** 31 }).map((n) => n * 2 ** 20 + (n % 1000))
const names = fc.constantFrom('data', 'a', 'status-update', 'x'.repeat(64))

test('a message, a void and a sync survive the wire', () => {
  fc.assert(
    fc.property(
      incarnation,
      names,
      fc.uint8Array({ maxLength: 300 }),
      sequences,
      fc.nat({ max: deliveryWindowMax - 1 }),
      (id, type, payload, base, lag) => {
        const sequence = base + lag
        const frame = encodeDelivery(id, type, payload)
        numberDelivery(frame, sequence, base)
        const decoded = decodeDelivery(frame)
        assert.ok(decoded.ok)
        const { value } = decoded
        assert.deepEqual(hexDecode(value.incarnation), id)
        assert.deepEqual(
          [value.kind, value.sequence, value.floor, value.type],
          ['message', sequence, base, type],
        )
        assert.deepEqual(value.payload, payload)
        const given = decodeDelivery(encodeVoid(id, sequence, base))
        assert.ok(given.ok && given.value.kind === 'void' && given.value.sequence === sequence)
        const sync = decodeDelivery(encodeSync(id, base))
        assert.ok(sync.ok && sync.value.kind === 'sync' && sync.value.floor === base)
      },
    ),
  )
})

test('an acknowledgement survives the wire', () => {
  const ranges = fc.array(fc.tuple(fc.nat({ max: 1000 }), fc.integer({ min: 1, max: 4096 })), {
    minLength: 1,
    maxLength: 20,
  })
  const failures = fc.array(
    fc.record({
      sequence: fc.nat({ max: 1000 }),
      code: fc.integer({ min: 0, max: 65_535 }),
      text: fc.string({ maxLength: 100 }),
    }),
    { maxLength: 5 },
  )
  fc.assert(
    fc.property(incarnation, sequences, ranges, failures, (id, base, some, others) => {
      const ack = {
        incarnation: Buffer.from(id).toString('hex'),
        ranges: some.map(([from, count]) => [base + from, base + from + count] as const),
        failures: others.map((failure) => ({ ...failure, sequence: base + failure.sequence })),
      }
      const decoded = decodeDeliveryAck(encodeDeliveryAck(ack))
      assert.ok(decoded.ok, decoded.ok ? '' : decoded.fault)
      assert.deepEqual(decoded.value, ack)
    }),
  )
})

test('any bytes are decoded or refused, and what is decoded stays within its bounds', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const delivery = decodeDelivery(bytes)
      if (delivery.ok) {
        const { sequence, floor } = delivery.value
        assert.ok(floor >= 0 && sequence - floor < deliveryWindowMax && sequence >= floor)
      } else assert.match(delivery.fault, /^delivery_[a-z_]+$/)
      const ack = decodeDeliveryAck(bytes)
      if (ack.ok) for (const [from, to] of ack.value.ranges) assert.ok(from < to)
      else assert.match(ack.fault, /^delivery_ack_[a-z_]+$/)
    }),
    { numRuns: 5000 },
  )
})

test('a message cut short anywhere in its head is refused, as is a lag beyond its number', () => {
  const frame = encodeDelivery(new Uint8Array(8), 'data', new Uint8Array(3))
  numberDelivery(frame, 7, 5)
  for (let length = 0; length < deliveryHeadBytes + 1 + 4; length += 1)
    assert.equal(decodeDelivery(frame.subarray(0, length)).ok, false, `${length} bytes`)
  numberDelivery(frame, 2, 0)
  new DataView(frame.buffer).setUint32(17, 3)
  assert.deepEqual(decodeDelivery(frame), { ok: false, fault: 'delivery_number_invalid' })
  new DataView(frame.buffer).setBigUint64(9, 2n ** 53n)
  assert.deepEqual(decodeDelivery(frame), { ok: false, fault: 'delivery_number_invalid' })
  frame[0] = 3
  assert.deepEqual(decodeDelivery(frame), { ok: false, fault: 'delivery_kind_unknown' })
})

test('an acknowledgement may be as long as its count, and no longer', () => {
  const ack = encodeDeliveryAck({ incarnation: '00'.repeat(8), ranges: [[1, 2]], failures: [] })
  for (let length = 0; length < ack.length; length += 1)
    assert.equal(decodeDeliveryAck(ack.subarray(0, length)).ok, false, `${length} bytes`)
  assert.deepEqual(decodeDeliveryAck(new Uint8Array([...ack, 0])), {
    ok: false,
    fault: 'delivery_ack_trailing_bytes',
  })
  const many = ack.slice()
  new DataView(many.buffer).setUint16(16, 1025)
  assert.deepEqual(decodeDeliveryAck(many), { ok: false, fault: 'delivery_ack_too_many' })
})
