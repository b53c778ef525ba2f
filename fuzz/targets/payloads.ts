// What messages are made of: MessagePack, the built-in types, the signed envelope, compressed records.

import assert from 'node:assert/strict'
import { equalBytes, kib, mib, type Result, utf8Encode } from '@myelin/base'
import { AgentKeys, openEnvelope, sealEnvelope } from '@myelin/identity'
import { type FuzzTarget, SeededRandom } from '@myelin/testkit'
import {
  type BuiltInName,
  builtInTypes,
  type CompressionName,
  compress,
  decodeEnvelope,
  decodeMsgpack,
  decompress,
  encodeEnvelope,
  encodeMsgpack,
  type Message,
  type MessageType,
  MsgpackExtension,
  MsgpackTimestamp,
} from '@myelin/wire'
import { boundsWith, texts } from './bounds.ts'

const bytes = (text: string) => utf8Encode(text)

function unwrap<Value>(result: Result<Value>, what: string): Value {
  assert.ok(result.ok, `${what}: ${result.ok ? '' : result.fault}`)
  return result.value
}

const values: readonly unknown[] = [
  null,
  [1, -1, 2 ** 40, 2n ** 60n, -(2n ** 63n), 1.5, Number.NaN, true, false],
  { a: { b: { c: [[[['deep']]]] } }, 'a longer key, of more than 31 bytes in all': '' },
  [new MsgpackTimestamp(1_700_000_000, 5), new MsgpackExtension(7, Uint8Array.of(1, 2, 3))],
  {
    text: 'ä'.repeat(200),
    data: new Uint8Array(300),
    list: Array.from({ length: 20 }, (_, i) => i),
  },
]

/** The first bytes of all kinds of value but those of one byte. */
const heads = Array.from({ length: 0x20 }, (_, i) => Uint8Array.of(0xc0 + i))

const msgpack: FuzzTarget = {
  name: 'msgpack',
  // A byte of input is at most one value: an empty array of some ten words.
  bounds: boundsWith({ allocatedBytesMax: 2 * mib }),
  samples: () => values.map(encodeMsgpack),
  tokens: texts('__proto__', 'constructor', 'toString', '\u{10ffff}', '\ud7ff').concat(
    encodeMsgpack({ __proto: 1 }),
    encodeMsgpack('__proto__'),
    Uint8Array.of(0xc7, 12, 0xff),
    Uint8Array.of(0xd6, 0xff),
    Uint8Array.of(0xdf, 0, 0, 0, 1),
    ...heads,
  ),
  decode: (input) => {
    const decoded = decodeMsgpack(input)
    if (!decoded.ok) return undefined
    const once = encodeMsgpack(decoded.value)
    const twice = encodeMsgpack(unwrap(decodeMsgpack(once), 'what was decoded encodes'))
    assert.ok(equalBytes(once, twice), 'a value changes from turn to turn')
    return once.length
  },
}

const payloads: {
  readonly [Name in BuiltInName]: readonly Parameters<(typeof builtInTypes)[Name]['encode']>[0][]
} = {
  data: [bytes('data')],
  echo: [bytes('echo')],
  ping: [{ nonce: new Uint8Array(8) }],
  pong: [{ nonce: new Uint8Array(8).fill(255) }],
  heartbeat: [{ sequence: 1, sentMs: 1_700_000_000_000 }],
  'task-assignment': [
    {
      taskId: 't',
      kind: 'train',
      round: 0,
      deadlineMs: 5,
      parameters: { a: 1, b: 'x', c: true },
      body: bytes('b'),
    },
    { taskId: 't', kind: 'train', round: 0, parameters: {}, body: new Uint8Array(0) },
  ],
  'status-update': [
    { state: 'busy', taskId: 't', progress: 0.5, metrics: { loss: 0.25 }, detail: 'half' },
    { state: 'idle' },
  ],
  'neural-update': [
    {
      model: 'm',
      taskId: 't',
      round: 3,
      kind: 'delta',
      examples: 9,
      loss: 1,
      shapes: [[2, 2], []],
      data: new Uint8Array(20),
    },
  ],
  coordination: [{ action: 'elect', term: 2, body: bytes('b') }],
  discovery: [{ action: 'announce', records: [bytes('r'), bytes('s')] }],
}

function typeTarget(name: BuiltInName): FuzzTarget {
  const type = builtInTypes[name] as MessageType
  return {
    name: `type-${name}`,
    bounds: boundsWith({ allocatedBytesMax: 2 * mib }),
    samples: () => payloads[name].map((payload) => type.encode(payload)),
    tokens: texts('__proto__', 'task_id', 'shapes').concat(
      encodeMsgpack(null),
      encodeMsgpack(2 ** 53 - 1),
      encodeMsgpack(2n ** 63n),
      encodeMsgpack(Number.NaN),
      encodeMsgpack(-1),
      encodeMsgpack([]),
      encodeMsgpack({}),
      ...heads,
    ),
    decode: (input) => {
      const decoded = type.decode(input)
      if (!decoded.ok) {
        assert.match(decoded.fault, /^[a-z][a-z0-9_]*$/, 'a fault is a snake_case word')
        return undefined
      }
      // What a type accepts from a peer it also sends.
      const once = type.encode(decoded.value)
      const twice = type.encode(unwrap(type.decode(once), 'its own encoding'))
      assert.ok(equalBytes(once, twice), 'a payload changes from turn to turn')
      return once.length
    },
  }
}

const keys = AgentKeys.generate(new SeededRandom('the sender of the envelopes'))

function message(type: string, payload: Uint8Array): Message {
  return {
    version: 1,
    id: new Uint8Array(16).fill(7),
    from: keys.publicKey,
    to: new Uint8Array(32).fill(9),
    type,
    timestampMs: 1_700_000_000_000,
    payload,
  }
}

const envelopeSamples = () => [
  sealEnvelope(message('data', bytes('payload')), keys),
  sealEnvelope(message('data', new Uint8Array(0)), keys),
  sealEnvelope(message('a-name-of-more-than-thirty-one-bytes-in-all', new Uint8Array(300)), keys),
]
const envelopeTokens = texts(
  'version',
  'message_id',
  'message_type',
  'timestamp',
  'payload',
  'signature',
)

const envelope: FuzzTarget = {
  name: 'envelope',
  bounds: boundsWith(),
  samples: envelopeSamples,
  tokens: envelopeTokens,
  decode: (input) => {
    const decoded = decodeEnvelope(input)
    if (!decoded.ok) return undefined
    assert.ok(equalBytes(encodeEnvelope(decoded.value), input), 'one envelope has two encodings')
    return input.length
  },
}

const openedEnvelope: FuzzTarget = {
  name: 'envelope-open',
  bounds: boundsWith(),
  samples: envelopeSamples,
  tokens: envelopeTokens,
  cost: 10,
  decode: (input) => {
    const opened = openEnvelope(input)
    if (opened.ok) {
      assert.ok(
        envelopeSamples().some((sample) => equalBytes(sample, input)),
        'forged',
      )
      return input.length
    }
    if (opened.fault !== 'envelope_signature') return undefined
    // Signed anew it opens: nothing but the signature was wrong.
    const decoded = decodeEnvelope(input)
    if (!decoded.ok) return undefined
    const resealed = sealEnvelope({ ...decoded.value, from: keys.publicKey }, keys)
    const again = unwrap(openEnvelope(resealed), 'signed anew')
    assert.ok(equalBytes(again.payload, decoded.value.payload))
    return undefined
  },
}

const recordBytes = 64 * kib

function compressionTarget(name: Exclude<CompressionName, 'none'>, cost: number): FuzzTarget {
  const text = bytes('the same words again, and then again the same words. '.repeat(30))
  const ramp = Uint8Array.from({ length: 2000 }, (_, i) => (i * i) >> 6)
  const zeros = new Uint8Array(recordBytes / 4)
  return {
    name,
    bounds: boundsWith({ outputBytesMax: recordBytes, allocatedBytesMax: 1 * mib }),
    samples: () => [text, ramp, zeros].flatMap((sample) => compress(name, sample) ?? []),
    tokens: [
      Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd),
      new Uint8Array(20).fill(255),
      Uint8Array.of(0, 0, 1),
    ],
    cost,
    decode: (input) => {
      const unpacked = decompress(name, input, { outputBytesMax: recordBytes })
      if (!unpacked.ok) return undefined
      const output = unpacked.value
      const packed = compress(name, output, { thresholdBytes: 0 })
      if (packed !== undefined) {
        assert.ok(packed.length < output.length, 'compressed to more')
        const again = decompress(name, packed, { outputBytesMax: output.length })
        assert.ok(equalBytes(unwrap(again, 'our own'), output), 'compression changes bytes')
      }
      return output.length
    },
  }
}

export const payloadTargets: readonly FuzzTarget[] = [
  msgpack,
  ...(Object.keys(payloads) as BuiltInName[]).map(typeTarget),
  envelope,
  openedEnvelope,
  compressionTarget('lz4', 4),
  compressionTarget('zstd', 4),
]
