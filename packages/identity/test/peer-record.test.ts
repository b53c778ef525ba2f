// Peer records: one encoding, one signer, bounds on every field.

import assert from 'node:assert/strict'
import { createPrivateKey, sign } from 'node:crypto'
import { test } from 'node:test'
import { ByteWriter, concatBytes, utf8Encode } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import {
  AgentKeys,
  checkPeerRecordTime,
  createPeerRecord,
  decodePeerRecord,
  type PeerRecordFields,
  publicKeyOf,
  recordKeyAlgorithms,
} from '@myelin/identity'
import { verifies } from '@myelin/testkit'
import fc from 'fast-check'

const keys = AgentKeys.generate(systemRandom)
const plain: PeerRecordFields = {
  sequence: 3,
  nowMs: 1_700_000_000_000,
  staticKey: keys.staticKey.publicKey,
}

const full: PeerRecordFields = {
  ...plain,
  lifetimeMs: 60_000,
  name: 'Zoë',
  addresses: ['/ip4/127.0.0.1/tcp/4001', '/unix/%2Frun%2Fa'],
  keys: [
    { algorithm: 'ml-dsa-87', publicKey: new Uint8Array(2592).fill(1) },
    { algorithm: 'ml-kem-768', publicKey: new Uint8Array(1184).fill(2) },
  ],
}

test('a record survives the wire', () => {
  const record = createPeerRecord(keys, full)
  const decoded = decodePeerRecord(record.encoded)
  assert.ok(decoded.ok)
  assert.deepEqual(decoded.value, record)
  assert.deepEqual(
    [record.agent, record.sequence, record.expiresMs - record.issuedMs],
    [keys.agent, 3, 60_000],
  )
})

const text = (bytesMax: number) =>
  fc
    .string({ unit: 'grapheme', maxLength: bytesMax })
    .filter((one) => utf8Encode(one).length <= bytesMax)

const algorithms = Object.keys(recordKeyAlgorithms) as (keyof typeof recordKeyAlgorithms)[]

const fields: fc.Arbitrary<PeerRecordFields> = fc.record({
  sequence: fc.maxSafeNat(),
  nowMs: fc.integer({ min: 0, max: 2 ** 50 }),
  lifetimeMs: fc.integer({ min: 1, max: 2 ** 40 }),
  staticKey: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  name: text(64),
  addresses: fc.array(text(256), { maxLength: 16 }),
  keys: fc.array(
    fc
      .tuple(fc.constantFrom(...algorithms), fc.uint8Array({ maxLength: 100 }))
      .map(([algorithm, publicKey]) => ({ algorithm, publicKey })),
    { maxLength: 4 },
  ),
})

test('any record survives the wire and has one encoding', () => {
  fc.assert(
    fc.property(fields, (one) => {
      const record = createPeerRecord(keys, one)
      const decoded = decodePeerRecord(record.encoded)
      assert.ok(decoded.ok)
      assert.deepEqual(decoded.value, record)
      const { sequence, issuedMs, expiresMs, staticKey, name, addresses } = decoded.value
      const again = {
        sequence,
        nowMs: issuedMs,
        lifetimeMs: expiresMs - issuedMs,
        staticKey,
        name,
        addresses,
        keys: decoded.value.keys,
      }
      assert.deepEqual(createPeerRecord(keys, again).encoded, record.encoded)
    }),
  )
})

test('the layout is that of the specification', () => {
  const { encoded } = createPeerRecord(keys, {
    ...plain,
    lifetimeMs: 1_000,
    name: 'ab',
    addresses: ['/x'],
  })
  const writer = new ByteWriter()
    .u8(1)
    .put(publicKeyOf(keys.agent))
    .u64(3n)
    .u64(1_700_000_000_000n)
    .u64(1_700_000_001_000n)
  writer
    .put(keys.staticKey.publicKey)
    .u8(2)
    .put(utf8Encode('ab'))
    .u8(1)
    .u16(2)
    .put(utf8Encode('/x'))
    .u8(0)
  const body = writer.finish()
  // RFC 8410 §7: the seed behind the fixed head of a PKCS #8 Ed25519 key.
  const der = concatBytes(
    Buffer.from('302e020100300506032b657004220420', 'hex'),
    keys.exportSecrets().seed,
  )
  const secret = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' })
  const signature = sign(null, concatBytes(utf8Encode('myelin peer record 1'), body), secret)
  assert.deepEqual(Buffer.from(encoded), Buffer.concat([body, signature]))
})

test('a record with any byte changed, cut or added is refused', () => {
  verifies('R068')
  const { encoded } = createPeerRecord(keys, { ...full, keys: [] })
  for (let at = 0; at < encoded.length; at += 1) {
    for (const mask of [1, 0x80]) {
      const changed = encoded.slice()
      changed[at] = (changed[at] as number) ^ mask
      assert.equal(decodePeerRecord(changed).ok, false, `byte ${at}`)
    }
  }
  for (let length = 0; length < encoded.length; length += 1) {
    assert.equal(decodePeerRecord(encoded.subarray(0, length)).ok, false)
  }
  assert.equal(decodePeerRecord(Uint8Array.from([...encoded, 0])).ok, false)
})

test('a record that another agent signed is refused', () => {
  verifies('R068')
  const mallory = AgentKeys.generate(systemRandom)
  const lie = createPeerRecord(
    { agent: keys.agent, publicKey: keys.publicKey, sign: (message) => mallory.sign(message) },
    plain,
  )
  assert.deepEqual(decodePeerRecord(lie.encoded), { ok: false, fault: 'record_signature' })
})

test('a key of low order signs nothing, though the plain equation would hold', () => {
  // The neutral element as key and as R, zero as s: 0·B = R + h·A for every message.
  const neutral = Uint8Array.of(1, ...new Uint8Array(31))
  const { encoded } = createPeerRecord(keys, plain)
  const forged = encoded.slice()
  forged.set(neutral, 1)
  forged.set(concatBytes(neutral, new Uint8Array(32)), forged.length - 64)
  assert.deepEqual(decodePeerRecord(forged), { ok: false, fault: 'record_signature' })
})

/** A record body that is signed as it stands, right or wrong. */
function signedBody(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter()
    .u8(1)
    .put(keys.publicKey)
    .u53(1)
    .u53(0)
    .u53(1)
    .put(new Uint8Array(32))
  write(writer)
  const body = writer.finish()
  return concatBytes(body, keys.sign(concatBytes(utf8Encode('myelin peer record 1'), body)))
}

test('bounds hold even where the signature is right', () => {
  const address = utf8Encode('/x')
  const faults: [string, (writer: ByteWriter) => void][] = [
    ['record_bounds', (w) => w.u8(65).put(new Uint8Array(65).fill(65)).u8(0).u8(0)],
    ['record_bounds', (w) => w.u8(1).put(Uint8Array.of(0xff)).u8(0).u8(0)],
    [
      'record_bounds',
      (w) => {
        w.u8(0).u8(17)
        for (let i = 0; i < 17; i += 1) w.bytes16(address)
        w.u8(0)
      },
    ],
    ['record_truncated', (w) => w.u8(0).u8(1).bytes16(new Uint8Array(257).fill(65)).u8(0)],
    ['record_bounds', (w) => w.u8(0).u8(1).bytes16(Uint8Array.of(0xff)).u8(0)],
    ['record_bounds', (w) => w.u8(0).u8(0).u8(5)],
    ['record_bounds', (w) => w.u8(0).u8(0).u8(1).u8(99).bytes16(address)],
    ['record_truncated', (w) => w.u8(0).u8(0).u8(0).u8(0)],
    ['record_truncated', (w) => w.u8(0).u8(0)],
  ]
  assert.ok(decodePeerRecord(signedBody((w) => w.u8(0).u8(0).u8(0))).ok, 'the control')
  for (const [fault, write] of faults)
    assert.deepEqual(decodePeerRecord(signedBody(write)), { ok: false, fault })
  assert.deepEqual(decodePeerRecord(new Uint8Array(20_001)), { ok: false, fault: 'record_bounds' })
})

test('fields beyond their bounds are not signed', () => {
  const wrong: Partial<PeerRecordFields>[] = [
    { name: 'ä'.repeat(33) },
    { addresses: Array.from({ length: 17 }, () => '/x') },
    { addresses: ['/'.repeat(257)] },
    {
      keys: Array.from(
        { length: 5 },
        () => ({ algorithm: 'ml-kem-768', publicKey: new Uint8Array(1) }) as const,
      ),
    },
    { keys: [{ algorithm: 'ml-dsa-87', publicKey: new Uint8Array(2593) }] },
    { staticKey: new Uint8Array(31) },
    { sequence: -1 },
    { sequence: 1.5 },
    { lifetimeMs: 0.5 },
    { nowMs: Number.NaN },
  ]
  for (const one of wrong)
    assert.throws(() => createPeerRecord(keys, { ...plain, ...one }), { code: 'IDENTITY_RECORD' })
})

test('a record is valid from its making, give or take the skew, until it expires', () => {
  const record = createPeerRecord(keys, { ...plain, lifetimeMs: 1_000 })
  const at = (ms: number, skewMs = 50) => checkPeerRecordTime(record, plain.nowMs + ms, skewMs)
  assert.equal(at(0), undefined)
  assert.equal(at(999), undefined)
  assert.equal(at(1_000), 'record_expired')
  assert.equal(at(-50), undefined)
  assert.equal(at(-51), 'record_not_yet_valid')
  assert.equal(at(-1, 0), 'record_not_yet_valid')
})

test('bytes of any kind are refused or are a record, and never throw', () => {
  const { encoded } = createPeerRecord(keys, full)
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => !decodePeerRecord(bytes).ok))
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(encoded.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
      (edits) => {
        const changed = encoded.slice()
        for (const [at, value] of edits) changed[at] = value
        assert.equal(decodePeerRecord(changed).ok, Buffer.from(changed).equals(encoded))
      },
    ),
  )
})
