import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { zstdCompressSync } from 'node:zlib'
import { concatBytes, hexDecode, utf8Encode } from '@myelin/base'
import { verifies } from '@myelin/testkit'
import {
  type CompressionName,
  compress,
  decompress,
  lz4Compress,
  lz4Decompress,
  lz4TargetFull,
} from '@myelin/wire'

const both: readonly CompressionName[] = ['lz4', 'zstd']

function hex(text: string): Uint8Array {
  const bytes = hexDecode(text)
  assert.ok(bytes)
  return bytes
}

/** Bytes that nothing compresses, the same every time. */
function noise(length: number): Uint8Array {
  const blocks: Uint8Array[] = []
  for (let i = 0; i * 64 < length; i += 1) {
    blocks.push(createHash('sha512').update(`noise ${i}`).digest())
  }
  return concatBytes(...blocks).slice(0, length)
}

function text(length: number): Uint8Array {
  let words = ''
  for (let i = 0; words.length < length; i += 1) words += `{"round":${i},"loss":${1 / (i + 1)}},`
  return utf8Encode(words.slice(0, length))
}

test('both codecs give back what they took, at every size from the threshold to 16 MiB', () => {
  verifies('R021', 'R148')
  for (const name of both) {
    for (const length of [512, 513, 1000, 4096, 65_536, 1_000_003, 16_777_216]) {
      const input = length > 100_000 ? new Uint8Array(length).fill(7) : text(length)
      const output = compress(name, input)
      assert.ok(output && output.length < input.length, `${name} ${length}`)
      const back = decompress(name, output)
      assert.ok(back.ok && Buffer.compare(back.value, input) === 0, `${name} ${length}`)
    }
  }
})

test('what is shorter than the threshold is left alone', () => {
  verifies('R148')
  for (const name of both) {
    assert.equal(compress(name, text(511)), undefined)
    assert.ok(compress(name, text(512)))
    assert.ok(compress(name, new Uint8Array(100), { thresholdBytes: 100 }))
    assert.equal(compress(name, text(2000), { thresholdBytes: 2001 }), undefined)
  }
})

test('what does not shrink is left alone', () => {
  for (const name of both) {
    assert.equal(compress(name, noise(512)), undefined)
    assert.equal(compress(name, noise(65_536)), undefined)
    // Too short for the probe: the codec itself finds out.
    assert.equal(compress(name, noise(100), { thresholdBytes: 1 }), undefined)
    assert.equal(compress(name, noise(3), { thresholdBytes: 0 }), undefined)
  }
})

test('a sample decides: noise that only repeats far apart is not worth a try', () => {
  const repeated = concatBytes(noise(5000), noise(5000), noise(5000))
  assert.ok(lz4Compress(repeated, new Uint8Array(repeated.length)) > 0)
  for (const name of both) assert.equal(compress(name, repeated), undefined)
})

test('a repetition farther back than an offset can say is not used', () => {
  for (const distance of [65_535, 65_536, 70_000]) {
    const part = noise(100)
    const input = concatBytes(
      part,
      new Uint8Array(distance - part.length),
      part,
      new Uint8Array(20),
    )
    const block = new Uint8Array(input.length)
    const length = lz4Compress(input, block)
    const output = new Uint8Array(input.length)
    assert.equal(lz4Decompress(block.subarray(0, length), output), input.length)
    assert.deepEqual(output, input)
    // The second part costs its bytes again where it is out of reach.
    assert.equal(length > 420, distance > 65_535, `${distance}: ${length}`)
  }
})

test('no compression is a codec too', () => {
  assert.equal(compress('none', text(2000)), undefined)
  assert.deepEqual(decompress('none', hex('0102')), { ok: true, value: hex('0102') })
  const refusal = { ok: false, fault: 'compression_output_bound' }
  assert.deepEqual(decompress('none', hex('0102'), { outputBytesMax: 1 }), refusal)
})

test('a bomb that claims 3 GB is refused before anything is allocated', (t) => {
  verifies('R148', 'R121')
  const bombs: readonly (readonly [CompressionName, Uint8Array])[] = [
    ['lz4', hex('2b60bbbb')],
    ['lz4', hex('2b60bbbb1f610100ffffffd2506161616161')],
    // Single segment, eight bytes of size: 2^40.
    ['zstd', hex('28b52ffde00000000000010000010000')],
  ]
  const honest = hex('0d00000013610100506161616161')
  const OriginalArray = Uint8Array
  const sizes: number[] = []
  const counting = new Proxy(OriginalArray, {
    construct: (target, values: [number]) => {
      sizes.push(Number(values[0]))
      return new target(...values)
    },
  })
  globalThis.Uint8Array = counting as typeof Uint8Array
  t.after(() => {
    globalThis.Uint8Array = OriginalArray
  })
  for (const [name, bomb] of bombs) {
    sizes.length = 0
    assert.deepEqual(decompress(name, bomb), { ok: false, fault: 'compression_output_bound' })
    assert.deepEqual(sizes, [])
  }
  // The counter counts: honest input allocates its output.
  assert.equal(decompress('lz4', honest).ok, true)
  assert.deepEqual(sizes, [13])
})

test('the output bound holds to the byte', () => {
  verifies('R148')
  for (const name of both) {
    const output = compress(name, text(1000))
    assert.ok(output)
    assert.equal(decompress(name, output, { outputBytesMax: 1000 }).ok, true)
    const refusal = { ok: false, fault: 'compression_output_bound' }
    assert.deepEqual(decompress(name, output, { outputBytesMax: 999 }), refusal)
  }
})

test('a size that the block does not have is malformed', () => {
  const thirteen = '13610100506161616161'
  for (const size of ['0c000000', '0e000000', '00000000']) {
    const refusal = { ok: false, fault: 'compression_malformed' }
    assert.deepEqual(decompress('lz4', hex(size + thirteen)), refusal, size)
  }
  // 10 bytes of block stand for 2,550 at most, so 2,551 is refused without trying.
  assert.equal(decompress('lz4', hex(`f7090000${thirteen}`)).ok, false)
})

test('each way to break an LZ4 block is refused', () => {
  const broken: Readonly<Record<string, string>> = {
    'no size': '0d0000',
    'no block': '0d000000',
    'no literals': '0d000000f0',
    'literal length cut short': '0d000000f0ff',
    'fewer literals than said': '0d000000406162',
    'offset 0': '0d00000013610000506161616161',
    'offset before the output': '0d00000013610200506161616161',
    'offset cut short': '0d000000136101',
    'match length cut short': '0d0000001f610100',
    'ends with a match': '0500000010610100',
  }
  for (const [what, bytes] of Object.entries(broken)) {
    const refusal = { ok: false, fault: 'compression_malformed' }
    assert.deepEqual(decompress('lz4', hex(bytes)), refusal, what)
  }
})

test('each way to break a zstd frame is refused', () => {
  const run = '28b52ffd60e80245000008610100e42b2004'
  const broken: Readonly<Record<string, readonly [bytes: string, fault: string]>> = {
    nothing: ['', 'compression_malformed'],
    'another magic': [`29${run.slice(2)}`, 'compression_malformed'],
    'a skippable frame': ['502a4d1800000000', 'compression_malformed'],
    'header cut short': [run.slice(0, 12), 'compression_malformed'],
    'no block': [run.slice(0, 14), 'compression_malformed'],
    'a block cut short': [run.slice(0, -2), 'compression_malformed'],
    'a byte too many': [`${run}00`, 'compression_malformed'],
    'a second frame': [run + run, 'compression_malformed'],
    'a dictionary': [run.replace('fd60', 'fd61'), 'compression_unsupported'],
    'the reserved bit': [run.replace('fd60', 'fd68'), 'compression_malformed'],
    'a wrong checksum': ['28b52ffd240001000099e9d852', 'compression_malformed'],
    'a size it does not have': [run.replace('60e802', '60e902'), 'compression_malformed'],
  }
  for (const [what, [bytes, fault]] of Object.entries(broken)) {
    assert.deepEqual(decompress('zstd', hex(bytes)), { ok: false, fault }, what)
  }
  assert.equal(decompress('zstd', hex(run)).ok, true)
})

test('the output for one input does not depend on the inputs before it', () => {
  verifies('R021')
  const target = new Uint8Array(70_000)
  const zeros = new Uint8Array(16_777_216)
  const compressed = (input: Uint8Array) =>
    Buffer.from(target.subarray(0, lz4Compress(input, target)))
  const input = text(3000)
  const alone = compressed(input)
  // 80 MiB at the end: more than passes between two clearings of the compressor's table.
  const others = [text(65_536), noise(60_000), text(3000), ...new Array(5).fill(zeros)]
  for (const other of others) {
    compressed(other)
    assert.deepEqual(compressed(input), alone)
  }
})

test('a block that does not fit its target is not written past it', () => {
  const input = text(5000)
  const memory = new Uint8Array(6000).fill(0xaa)
  const length = lz4Compress(input, memory.subarray(0, 5900))
  assert.ok(length > 0)
  const block = memory.slice(0, length)
  for (const room of [0, 1, 2, 100, length - 1]) {
    memory.fill(0xaa)
    assert.equal(lz4Compress(input, memory.subarray(0, room)), lz4TargetFull, `${room}`)
    assert.ok(memory.subarray(room).every((byte) => byte === 0xaa))
  }
  assert.equal(lz4Decompress(block, new Uint8Array(4999)), lz4TargetFull)
})

test('zstd output of node itself is read, and more input than a peer takes is misuse', () => {
  const input = text(100_000)
  assert.deepEqual(decompress('zstd', zstdCompressSync(input)), { ok: true, value: input })
  const tooLong = new Uint8Array(16_777_217)
  assert.throws(() => compress('lz4', tooLong), { code: 'WIRE_COMPRESSION_INPUT' })
})
