import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode } from '@msgpack/msgpack'
import { equalBytes } from '@myelin/base'
import { decodeEnvelope, type Envelope, encodeEnvelope } from '@myelin/wire'
import fc from 'fast-check'

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

const envelopes: fc.Arbitrary<Envelope> = fc.record(
  {
    version: fc.constant(1),
    id: bytesOf(16),
    from: bytesOf(32),
    to: bytesOf(32),
    type: fc.stringMatching(/^[a-z][a-z0-9]{0,20}(-[a-z0-9]{1,20}){0,2}$/),
    timestampMs: fc.maxSafeNat(),
    payload: fc.uint8Array({ maxLength: 400 }),
    signature: bytesOf(64),
  },
  { noNullPrototype: true },
)

test('every envelope survives the wire', () => {
  fc.assert(
    fc.property(envelopes, (envelope) => {
      assert.deepEqual(decodeEnvelope(encodeEnvelope(envelope)), { ok: true, value: envelope })
    }),
  )
})

test('what decodes, encodes to the same bytes, so nothing in an envelope is left to choose', () => {
  const damaged = fc.tuple(envelopes, fc.nat(), fc.nat(255)).map(([envelope, at, byte]) => {
    const bytes = encodeEnvelope(envelope)
    bytes[at % bytes.length] = byte
    return bytes
  })
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 300 })), (bytes) => {
      const decoded = decodeEnvelope(bytes)
      if (!decoded.ok) return
      assert.ok(equalBytes(encodeEnvelope(decoded.value), bytes))
      // And a decoder that knows nothing of envelopes reads the same.
      const map = decode(bytes) as Record<string, unknown>
      assert.equal(map.message_type, decoded.value.type)
      assert.equal(map.timestamp, decoded.value.timestampMs)
    }),
    { numRuns: 1000 },
  )
})
