import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encode } from '@msgpack/msgpack'
import { concatBytes, utf8Encode } from '@myelin/base'
import { verifies } from '@myelin/testkit'
import {
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  envelopePayloadBytesMax,
  envelopeSigningBytes,
} from '@myelin/wire'

const sample: Envelope = {
  version: 1,
  id: new Uint8Array(16).fill(1),
  from: new Uint8Array(32).fill(2),
  to: new Uint8Array(32).fill(3),
  type: 'task-assignment',
  timestampMs: 1_763_640_000_000,
  payload: utf8Encode('work'),
  signature: new Uint8Array(64).fill(4),
}

/** The envelope as R032 names its fields, for an encoder that knows nothing of envelopes. */
function wireMap(envelope: Envelope): Record<string, unknown> {
  return {
    version: envelope.version,
    message_id: envelope.id,
    from: envelope.from,
    to: envelope.to,
    message_type: envelope.type,
    timestamp: envelope.timestampMs,
    payload: envelope.payload,
    signature: envelope.signature,
  }
}

function faultOf(bytes: Uint8Array): string | undefined {
  const decoded = decodeEnvelope(bytes)
  return decoded.ok ? undefined : decoded.fault
}

test('an envelope is the MessagePack map that any encoder writes', () => {
  const variants: readonly Partial<Envelope>[] = [
    {},
    { payload: new Uint8Array(0) },
    { payload: new Uint8Array(255) },
    { payload: new Uint8Array(256) },
    { payload: new Uint8Array(65_535) },
    { payload: new Uint8Array(65_536) },
    { timestampMs: 0 },
    { timestampMs: 127 },
    { timestampMs: 128 },
    { timestampMs: 256 },
    { timestampMs: 65_536 },
    { timestampMs: 2 ** 32 },
    { timestampMs: Number.MAX_SAFE_INTEGER },
    { type: 'a' },
    { type: 'a'.repeat(31) },
    { type: 'a'.repeat(32) },
    { type: 'a'.repeat(64) },
  ]
  for (const variant of variants) {
    const envelope = { ...sample, ...variant }
    const bytes = encodeEnvelope(envelope)
    assert.ok(Buffer.compare(bytes, encode(wireMap(envelope))) === 0, JSON.stringify(variant))
    assert.deepEqual(decodeEnvelope(bytes), { ok: true, value: envelope })
  }
})

test('what is signed is a prefix of its own and all fields but the signature', () => {
  const { signature: _, ...unsigned } = wireMap(sample)
  const expected = concatBytes(utf8Encode('myelin envelope v1\0'), encode(unsigned))
  assert.deepEqual(envelopeSigningBytes(sample), new Uint8Array(expected))
  const changes: readonly Partial<Envelope>[] = [
    { id: new Uint8Array(16) },
    { from: new Uint8Array(32) },
    { to: new Uint8Array(32) },
    { type: 'task-assignments' },
    { timestampMs: sample.timestampMs + 1 },
    { payload: utf8Encode('wore') },
  ]
  for (const change of changes) {
    assert.notDeepEqual(envelopeSigningBytes({ ...sample, ...change }), new Uint8Array(expected))
  }
})

test('everything decoded is a view on the input', () => {
  verifies('R008')
  const bytes = concatBytes(new Uint8Array(5), encodeEnvelope(sample)).subarray(5)
  const decoded = decodeEnvelope(bytes)
  assert.ok(decoded.ok)
  for (const field of ['id', 'from', 'to', 'payload', 'signature'] as const) {
    assert.equal(decoded.value[field].buffer, bytes.buffer, field)
  }
})

test('another set, order, type or size of fields is refused by name', () => {
  const { version, signature, ...rest } = wireMap(sample)
  const faults: readonly (readonly [unknown, string])[] = [
    [{ version, ...rest }, 'envelope_fields'],
    [{ version, ...rest, signature, extra: 1 }, 'envelope_fields'],
    [{ ...rest, version, signature }, 'envelope_fields'],
    [{ version, ...rest, signatures: signature }, 'envelope_fields'],
    [[version, rest, signature], 'envelope_fields'],
    [{ ...wireMap(sample), version: 2 }, 'envelope_version'],
    [{ ...wireMap(sample), version: '1' }, 'envelope_version'],
    [{ ...wireMap(sample), message_id: new Uint8Array(15) }, 'envelope_message_id'],
    [{ ...wireMap(sample), message_id: '0123456789abcdef' }, 'envelope_message_id'],
    [{ ...wireMap(sample), from: new Uint8Array(33) }, 'envelope_from'],
    [{ ...wireMap(sample), to: null }, 'envelope_to'],
    [{ ...wireMap(sample), message_type: '' }, 'envelope_message_type'],
    [{ ...wireMap(sample), message_type: 'Task' }, 'envelope_message_type'],
    [{ ...wireMap(sample), message_type: 'a-' }, 'envelope_message_type'],
    [{ ...wireMap(sample), message_type: 'a'.repeat(65) }, 'envelope_message_type'],
    [{ ...wireMap(sample), message_type: 7 }, 'envelope_message_type'],
    [{ ...wireMap(sample), timestamp: -1 }, 'envelope_timestamp'],
    [{ ...wireMap(sample), timestamp: 1.5 }, 'envelope_timestamp'],
    [{ ...wireMap(sample), timestamp: null }, 'envelope_timestamp'],
    [{ ...wireMap(sample), payload: 'work' }, 'envelope_payload'],
    [{ ...wireMap(sample), signature: new Uint8Array(63) }, 'envelope_signature'],
  ]
  for (const [value, fault] of faults) {
    assert.equal(faultOf(encode(value)), fault, JSON.stringify(value))
  }
  assert.equal(
    faultOf(encode({ ...wireMap(sample), timestamp: 2n ** 53n }, { useBigInt64: true })),
    'envelope_timestamp',
  )
  assert.equal(faultOf(concatBytes(encodeEnvelope(sample), new Uint8Array(1))), 'envelope_trailing')
  assert.equal(faultOf(new Uint8Array(16_777_217)), 'envelope_oversize')
})

/** Replaces the first occurrence of some bytes. */
function replaced(bytes: Uint8Array, from: readonly number[], to: readonly number[]): Uint8Array {
  const at = Buffer.from(bytes).indexOf(Buffer.from(from))
  assert.ok(at >= 0)
  const tail = bytes.subarray(at + from.length)
  return concatBytes(bytes.subarray(0, at), Uint8Array.from(to), tail)
}

test('a longer form of the same value is refused: a message has one encoding', () => {
  const bytes = encodeEnvelope({ ...sample, timestampMs: 5 })
  const timestampKey = [...utf8Encode('timestamp')]
  const typeKey = [...utf8Encode('message_type')]
  const payloadKey = [...utf8Encode('payload')]
  const longer: readonly (readonly [number[], number[], string])[] = [
    [[...timestampKey, 5], [...timestampKey, 0xcc, 5], 'envelope_timestamp'],
    [[...timestampKey, 5], [...timestampKey, 0xcd, 0, 5], 'envelope_timestamp'],
    [[...timestampKey, 5], [...timestampKey, 0xce, 0, 0, 0, 5], 'envelope_timestamp'],
    [[...timestampKey, 5], [...timestampKey, 0xcf, 0, 0, 0, 0, 0, 0, 0, 5], 'envelope_timestamp'],
    [[...typeKey, 0xa0 | 15], [...typeKey, 0xd9, 15], 'envelope_message_type'],
    [[...payloadKey, 0xc4, 4], [...payloadKey, 0xc5, 0, 4], 'envelope_payload'],
    [[...payloadKey, 0xc4, 4], [...payloadKey, 0xc6, 0, 0, 0, 4], 'envelope_payload'],
    [[0x88], [0xde, 0, 8], 'envelope_fields'],
  ]
  for (const [from, to, fault] of longer) assert.equal(faultOf(replaced(bytes, from, to)), fault)
})

test('an envelope cut anywhere is truncated, whatever stood there', () => {
  const bytes = encodeEnvelope(sample)
  for (let length = 0; length < bytes.length; length += 1) {
    assert.equal(faultOf(bytes.subarray(0, length)), 'envelope_truncated', `${length}`)
  }
})

test('the largest payload fits the largest packet', () => {
  const envelope = {
    ...sample,
    type: 'a'.repeat(64),
    payload: new Uint8Array(envelopePayloadBytesMax),
  }
  const bytes = encodeEnvelope(envelope)
  assert.ok(bytes.length <= 16_777_216)
  assert.equal(decodeEnvelope(bytes).ok, true)
})

test('misuse names the field', () => {
  const misused: readonly Partial<Envelope>[] = [
    { version: 2 },
    { id: new Uint8Array(8) },
    { from: new Uint8Array(31) },
    { to: new Uint8Array(0) },
    { type: 'Not Kebab' },
    { timestampMs: -1 },
    { timestampMs: 0.5 },
    { payload: new Uint8Array(envelopePayloadBytesMax + 1) },
    { signature: new Uint8Array(65) },
  ]
  for (const change of misused) {
    const message = new RegExp(`^${Object.keys(change)[0]} of an envelope`)
    const error = { code: 'WIRE_ENVELOPE_FIELD', message }
    assert.throws(() => encodeEnvelope({ ...sample, ...change }), error)
  }
})
