import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatBytes, hexDecode, hexEncode } from '@myelin/base'
import { verifies } from '@myelin/testkit'
import {
  decodePacketHeader,
  encodeLegacyNpro,
  encodePacket,
  legacyNproFormat,
  PacketDecoder,
  type PacketSink,
  packetFlags,
  packetHeaderBytes,
  writePacketHeader,
} from '@myelin/wire'

const mib16 = 16_777_216

function hex(text: string): Uint8Array {
  const bytes = hexDecode(text)
  assert.ok(bytes)
  return bytes
}

interface Seen {
  readonly flags: number
  readonly header: Uint8Array
  readonly payload: Uint8Array
}

function recorder(): PacketSink & { readonly seen: Seen[] } {
  const seen: Seen[] = []
  return { seen, packet: (flags, header, payload) => seen.push({ flags, header, payload }) }
}

const hello = hex('deadbeef01000000000568656c6c6f')

test('a packet has the bytes that document 001 draws', () => {
  verifies('R131')
  assert.equal(packetHeaderBytes, 10)
  assert.deepEqual(encodePacket(packetFlags.none, hex('68656c6c6f')), hello)
  assert.equal(hexEncode(encodePacket(0b11, new Uint8Array(0))), 'deadbeef010300000000')
  const longest = encodePacket(packetFlags.encrypted, new Uint8Array(mib16))
  assert.equal(hexEncode(longest.subarray(0, 10)), 'deadbeef010201000000')
  assert.deepEqual(decodePacketHeader(hello), { ok: true, value: { flags: 0, length: 5 } })
})

test('each violation of the header has its own fault', () => {
  verifies('R132')
  const faults: Readonly<Record<string, string>> = {
    dfadbeef010000000000: 'packet_magic',
    deadbeee010000000000: 'packet_magic',
    deadbeef000000000000: 'packet_version',
    deadbeef020000000000: 'packet_version',
    deadbeef010400000000: 'packet_flags',
    deadbeef018000000000: 'packet_flags',
    deadbeef010001000001: 'packet_length',
    deadbeef0100ffffffff: 'packet_length',
    deadbeef0100000000: 'packet_truncated',
    '': 'packet_truncated',
  }
  for (const [text, fault] of Object.entries(faults)) {
    assert.deepEqual(decodePacketHeader(hex(text)), { ok: false, fault }, text)
  }
})

test('a wrong byte is refused as soon as it is there', () => {
  verifies('R121')
  const firstWrongBytes: readonly (readonly [string, string])[] = [
    ['47', 'packet_magic'],
    ['deadbf', 'packet_magic'],
    ['deadbeef02', 'packet_version'],
    ['deadbeef0108', 'packet_flags'],
    // One byte of the length already announces 32 MiB; then three that pass 16 MiB.
    ['deadbeef010002', 'packet_length'],
    ['deadbeef0100010001', 'packet_length'],
  ]
  for (const [text, fault] of firstWrongBytes) {
    const bytes = hex(text)
    const whole = new PacketDecoder()
    assert.equal(whole.push(bytes, recorder()), fault, text)
    const drip = new PacketDecoder()
    const faults = [...bytes].map((byte) => drip.push(new Uint8Array([byte]), recorder()))
    assert.deepEqual(faults.slice(0, -1), new Array(bytes.length - 1).fill(undefined), text)
    assert.equal(faults.at(-1), fault, text)
  }
})

test('nothing is allocated for a packet that is refused', () => {
  verifies('R121')
  const allocations: number[] = []
  const allocate = (byteLength: number) => {
    allocations.push(byteLength)
    return new Uint8Array(byteLength)
  }
  for (const text of [
    '00',
    'deadbeef0100ffffffff',
    'deadbeef01ff00000000',
    'deadbeef0100010000ff',
  ]) {
    const decoder = new PacketDecoder({ allocate })
    assert.notEqual(decoder.push(hex(text), recorder()), undefined)
    assert.equal(decoder.bufferedBytes, 0)
  }
  assert.deepEqual(allocations, [])
})

test('memory grows with the bytes that came, not with the length that was announced', () => {
  verifies('R121')
  const allocations: number[] = []
  const allocate = (byteLength: number) => {
    allocations.push(byteLength)
    return new Uint8Array(byteLength)
  }
  const decoder = new PacketDecoder({ allocate })
  const sink = recorder()
  decoder.push(hex('deadbeef010001000000'), sink)
  assert.equal(decoder.bufferedBytes, 10)
  assert.ok(Math.max(...allocations) <= 64, `16 MiB announced, ${allocations} allocated`)
  let arrived = 10
  for (let i = 0; i < 1000; i += 1) {
    decoder.push(new Uint8Array(100), sink)
    arrived += 100
    assert.ok((allocations.at(-1) as number) <= 2 * arrived + 64)
  }
  assert.equal(decoder.bufferedBytes, arrived)
  assert.ok(allocations.length < 20, `doubling, not ${allocations.length} allocations`)
})

test('a packet that lies in its chunk is handed over without a copy', () => {
  verifies('R008', 'R120', 'R133')
  const allocate = () => assert.fail('nothing needs to be allocated')
  const decoder = new PacketDecoder({ allocate })
  const sink = recorder()
  const chunk = concatBytes(hello, hello)
  assert.equal(decoder.push(chunk, sink), undefined)
  assert.equal(sink.seen.length, 2)
  for (const [index, { header, payload }] of sink.seen.entries()) {
    assert.equal(payload.buffer, chunk.buffer)
    assert.equal(payload.byteOffset, chunk.byteOffset + index * 15 + 10)
    assert.equal(header.buffer, chunk.buffer)
    assert.equal(header.byteOffset, chunk.byteOffset + index * 15)
  }
})

test('a packet in pieces is gathered in one buffer, and that buffer is handed over', () => {
  verifies('R133')
  const memory: Uint8Array[] = []
  const allocate = (byteLength: number) => {
    const bytes = new Uint8Array(byteLength)
    memory.push(bytes)
    return bytes
  }
  const decoder = new PacketDecoder({ allocate })
  const sink = recorder()
  const packet = encodePacket(packetFlags.encrypted, new Uint8Array(1000).fill(9))
  decoder.push(packet.subarray(0, 600), sink)
  decoder.push(packet.subarray(600), sink)
  assert.equal(memory.length, 2)
  assert.equal(sink.seen[0]?.payload.buffer, memory[1]?.buffer)
  assert.equal(sink.seen[0]?.header.buffer, memory[1]?.buffer)
})

test('memory that a sink received is not written again', () => {
  const decoder = new PacketDecoder()
  const sink = recorder()
  for (let i = 0; i < 20; i += 1) {
    const packet = encodePacket(packetFlags.none, new Uint8Array(100).fill(i))
    decoder.push(packet.subarray(0, 50), sink)
    decoder.push(packet.subarray(50), sink)
  }
  assert.deepEqual(
    sink.seen.map(({ payload }) => payload),
    Array.from({ length: 20 }, (_, i) => new Uint8Array(100).fill(i)),
  )
})

test('after a fault the decoder stays dead and repeats it', () => {
  const decoder = new PacketDecoder()
  const sink = recorder()
  assert.equal(decoder.push(concatBytes(hello, hex('00'), hello), sink), 'packet_magic')
  assert.equal(decoder.push(hello, sink), 'packet_magic')
  assert.equal(sink.seen.length, 1)
})

test('the payload bound can be lowered for a stranger and raised for a peer', () => {
  const decoder = new PacketDecoder({ payloadBytesMax: 4 })
  assert.equal(decoder.push(hello, recorder()), 'packet_length')
  const raised = new PacketDecoder({ payloadBytesMax: 4 })
  raised.payloadBytesMax = 5
  assert.equal(raised.payloadBytesMax, 5)
  const sink = recorder()
  assert.equal(raised.push(hello, sink), undefined)
  assert.equal(sink.seen.length, 1)
  assert.throws(() => {
    raised.payloadBytesMax = mib16 + 1
  }, /WIRE_PACKET_LENGTH|16777216/)
})

test('a sink that feeds its own decoder is told so', () => {
  const decoder = new PacketDecoder()
  const again: PacketSink = { packet: () => void decoder.push(hello, again) }
  assert.throws(() => decoder.push(hello, again), { code: 'WIRE_PACKET_REENTERED' })
})

test('misuse when writing names the fault', () => {
  const target = new Uint8Array(12)
  assert.throws(() => encodePacket(4, hello), { code: 'WIRE_PACKET_FLAGS' })
  assert.throws(() => writePacketHeader(target, 0, 0, mib16 + 1), { code: 'WIRE_PACKET_LENGTH' })
  assert.throws(() => writePacketHeader(target, 0, 0, -1), { code: 'WIRE_PACKET_LENGTH' })
  assert.throws(() => writePacketHeader(target, 3, 0, 0), { code: 'WIRE_TARGET_TOO_SMALL' })
  assert.equal(writePacketHeader(target, 2, packetFlags.compressed, 258), 12)
  assert.equal(hexEncode(target), '0000deadbeef010100000102')
})

test('the nine-byte packet of the published crate is read and written on request', () => {
  const legacy = hex('4e50524f010000000568656c6c6f')
  assert.deepEqual(encodeLegacyNpro(hex('68656c6c6f')), legacy)
  for (const size of [1, 4, 9, 10, 14]) {
    const decoder = new PacketDecoder({ format: legacyNproFormat })
    const sink = recorder()
    for (let i = 0; i < legacy.length; i += size) {
      assert.equal(decoder.push(legacy.subarray(i, i + size), sink), undefined)
    }
    assert.equal(sink.seen.length, 1)
    assert.equal(sink.seen[0]?.flags, 0)
    assert.equal(hexEncode(sink.seen[0]?.payload ?? legacy), '68656c6c6f')
  }
  assert.equal(new PacketDecoder().push(legacy, recorder()), 'packet_magic')
  const decoder = new PacketDecoder({ format: legacyNproFormat })
  assert.equal(decoder.push(hex('4e50524f01ffffffff'), recorder()), 'packet_length')
})
