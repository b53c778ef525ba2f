import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hexDecode, hexEncode } from '@myelin/base'
import { verifies } from '@myelin/testkit'
import {
  decodeMsgpack,
  encodeMsgpack,
  MsgpackExtension,
  type MsgpackLimits,
  MsgpackTimestamp,
} from '@myelin/wire'

function hex(text: string): Uint8Array {
  const bytes = hexDecode(text)
  assert.ok(bytes)
  return bytes
}

function faultOf(text: string, limits: Partial<MsgpackLimits> = {}): string | undefined {
  const decoded = decodeMsgpack(hex(text), limits)
  return decoded.ok ? undefined : decoded.fault
}

test('integers are written as short as they go and read as numbers where those are exact', () => {
  // Boundaries of the formats in the MessagePack specification.
  const samples: readonly (readonly [number | bigint, string])[] = [
    [127, '7f'],
    [128, 'cc80'],
    [256, 'cd0100'],
    [65_536, 'ce00010000'],
    [4_294_967_295, 'ceffffffff'],
    [4_294_967_296, 'cf0000000100000000'],
    [Number.MAX_SAFE_INTEGER, 'cf001fffffffffffff'],
    [9_007_199_254_740_992n, 'cf0020000000000000'],
    [18_446_744_073_709_551_615n, 'cfffffffffffffffff'],
    [-32, 'e0'],
    [-33, 'd0df'],
    [-129, 'd1ff7f'],
    [-32_769, 'd2ffff7fff'],
    [-2_147_483_649, 'd3ffffffff7fffffff'],
    [-9_223_372_036_854_775_808n, 'd38000000000000000'],
  ]
  for (const [value, text] of samples) {
    assert.equal(hexEncode(encodeMsgpack(value)), text)
    assert.equal(hexEncode(encodeMsgpack(BigInt(value))), text)
    assert.deepEqual(decodeMsgpack(hex(text)), { ok: true, value })
  }
  assert.equal(hexEncode(encodeMsgpack(0.5)), 'cb3fe0000000000000')
})

test('64-bit integers deep inside are numbers too, and large ones bigints', () => {
  const text = '82a161cf0000000000000005a16292cfffffffffffffffff81a163d3ffffffffffffffff'
  const value = { a: 5, b: [18_446_744_073_709_551_615n, { c: -1 }] }
  assert.deepEqual(decodeMsgpack(hex(text)), { ok: true, value })
})

test('byte strings decode to views on the input', () => {
  verifies('R008')
  const bytes = encodeMsgpack({ body: new Uint8Array([1, 2, 3]) })
  const decoded = decodeMsgpack(bytes)
  assert.ok(decoded.ok)
  const { body } = decoded.value as { body: Uint8Array }
  assert.deepEqual(body, new Uint8Array([1, 2, 3]))
  assert.equal(body.buffer, bytes.buffer)
  const fromBuffer = decodeMsgpack(Buffer.from(bytes))
  assert.ok(fromBuffer.ok)
  assert.equal((fromBuffer.value as { body: object }).body.constructor, Uint8Array)
})

test('each malformed input has its own fault', () => {
  const faults: Readonly<Record<string, string>> = {
    '': 'msgpack_truncated',
    '9201': 'msgpack_truncated',
    cd01: 'msgpack_truncated',
    a261: 'msgpack_truncated',
    c5: 'msgpack_truncated',
    c403aabb: 'msgpack_truncated',
    d8: 'msgpack_truncated',
    d401: 'msgpack_truncated',
    '8101': 'msgpack_truncated',
    ddffff: 'msgpack_truncated',
    '0102': 'msgpack_trailing',
    c1: 'msgpack_reserved_byte',
    '91c1': 'msgpack_reserved_byte',
    a1ff: 'msgpack_utf8',
    // A sequence that the next bytes of the input would complete, but not those of the string.
    '92a1c3a1a9': 'msgpack_utf8',
    // A surrogate half and an overlong slash.
    a3eda080: 'msgpack_utf8',
    a2c0af: 'msgpack_utf8',
    '810101': 'msgpack_key',
    '81c40101': 'msgpack_key',
    '81a95f5f70726f746f5f5f01': 'msgpack_key',
    '81d9095f5f70726f746f5f5f01': 'msgpack_key',
    '82a16101a16102': 'msgpack_duplicate_key',
    '9182a16101a16101': 'msgpack_duplicate_key',
    c703ff000000: 'msgpack_timestamp',
    d7ffee6b280000000000: 'msgpack_timestamp',
    c70cff3b9aca000000000000000000: 'msgpack_timestamp',
    c70cff000000007fffffffffffffff: 'msgpack_timestamp',
  }
  for (const [text, fault] of Object.entries(faults)) assert.equal(faultOf(text), fault, text)
})

test('keys that only resemble __proto__ are keys like others', () => {
  for (const key of ['x__proto__', '__proto__x', 'constructor', 'toString', '']) {
    const decoded = decodeMsgpack(encodeMsgpack({ [key]: 1 }))
    assert.ok(decoded.ok)
    assert.deepEqual(Object.entries(decoded.value as object), [[key, 1]])
  }
})

test('each bound holds exactly', () => {
  verifies('R121')
  const bounds: readonly (readonly [Partial<MsgpackLimits>, string, string, string])[] = [
    [{ depthMax: 2 }, '9190', '919190', 'msgpack_depth'],
    [{ depthMax: 0 }, '01', '90', 'msgpack_depth'],
    [{ itemsMax: 3 }, '920102', '93010203', 'msgpack_items'],
    [{ itemsMax: 3 }, '81a16101', '82a16101a16202', 'msgpack_items'],
    [{ arrayLengthMax: 1 }, '9101', '920101', 'msgpack_array_length'],
    [{ mapLengthMax: 1 }, '81a16101', '82a16101a16201', 'msgpack_map_length'],
    [{ stringBytesMax: 2 }, 'a26161', 'a3616161', 'msgpack_string_length'],
    [{ binaryBytesMax: 2 }, 'c4020102', 'c403010203', 'msgpack_binary_length'],
    [{ extensionBytesMax: 1 }, 'd40501', 'd5050102', 'msgpack_extension_length'],
  ]
  for (const [limits, inside, outside, fault] of bounds) {
    assert.equal(faultOf(inside, limits), undefined, inside)
    assert.equal(faultOf(outside, limits), fault, outside)
  }
})

test('announced lengths allocate nothing, and depth does not exhaust the stack', () => {
  verifies('R121')
  const unlimited = { arrayLengthMax: 2 ** 32, mapLengthMax: 2 ** 32, itemsMax: 2 ** 32 }
  assert.equal(faultOf('ddffffffff', unlimited), 'msgpack_truncated')
  assert.equal(faultOf('dfffffffff', unlimited), 'msgpack_truncated')
  assert.equal(faultOf('c6ffffffff', { binaryBytesMax: 2 ** 32 }), 'msgpack_truncated')
  const nested = new Uint8Array(1_000_000).fill(0x91)
  assert.deepEqual(decodeMsgpack(nested), { ok: false, fault: 'msgpack_depth' })
})

test('timestamps and extensions keep their kind', () => {
  const values = [
    new MsgpackTimestamp(1_514_862_245, 678_901_234),
    new MsgpackTimestamp(-1),
    new MsgpackExtension(7, new Uint8Array([1, 2, 3])),
    new MsgpackExtension(-128, new Uint8Array(300)),
  ]
  assert.deepEqual(decodeMsgpack(encodeMsgpack(values)), { ok: true, value: values })
  assert.throws(() => new MsgpackTimestamp(0, 1e9), { code: 'WIRE_MSGPACK_VALUE' })
  assert.throws(() => new MsgpackTimestamp(0.5), { code: 'WIRE_MSGPACK_VALUE' })
  assert.throws(() => new MsgpackExtension(-1, new Uint8Array(4)), { code: 'WIRE_MSGPACK_VALUE' })
  assert.throws(() => new MsgpackExtension(128, new Uint8Array(4)), { code: 'WIRE_MSGPACK_VALUE' })
})

test('what has no MessagePack form is misuse, not silence', () => {
  const circle: unknown[] = []
  circle.push(circle)
  const sparse: unknown[] = [1]
  sparse[2] = 3
  const refused: readonly unknown[] = [
    undefined,
    { field: undefined },
    sparse,
    () => 1,
    Symbol('s'),
    new Map(),
    new Date(0),
    new Float32Array(1),
    '\ud800',
    { '\udc00': 1 },
    JSON.parse('{"__proto__": 1}'),
    2n ** 64n,
    -(2n ** 63n) - 1n,
    circle,
  ]
  for (const value of refused) {
    assert.throws(() => encodeMsgpack(value), { code: 'WIRE_MSGPACK_VALUE' })
  }
})
