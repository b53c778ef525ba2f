import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatBytes, equalBytes } from '@myelin/base'
import { verifies } from '@myelin/testkit'
import { compress, decompress, lz4Compress, lz4Decompress } from '@myelin/wire'
import fc from 'fast-check'

verifies('R021', 'R148')

/** Bytes with repetitions of all distances and lengths: few letters, runs and copies of earlier parts. */
const repetitive = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ max: 2, maxLength: 200 }),
      fc.tuple(fc.nat(255), fc.nat(600)).map(([byte, length]) => new Uint8Array(length).fill(byte)),
      fc.tuple(fc.nat(3000), fc.nat(700)),
    ),
    { maxLength: 12 },
  )
  .map((parts) => {
    let out = new Uint8Array(0) as Uint8Array
    for (const part of parts) {
      const [back, length] = part instanceof Uint8Array ? [0, 0] : part
      const start = Math.max(0, out.length - back)
      out = concatBytes(out, part instanceof Uint8Array ? part : out.slice(start, start + length))
    }
    return out
  })

test('LZ4 gives back whatever it took', () => {
  fc.assert(
    fc.property(repetitive, (input) => {
      const block = new Uint8Array(input.length + Math.ceil(input.length / 255) + 16)
      const length = lz4Compress(input, block)
      assert.ok(length > 0)
      const output = new Uint8Array(input.length)
      assert.equal(lz4Decompress(block.subarray(0, length), output), input.length)
      assert.ok(equalBytes(output, input))
    }),
    { numRuns: 500 },
  )
})

test('both codecs give back whatever they compressed', () => {
  fc.assert(
    fc.property(repetitive, fc.constantFrom('lz4', 'zstd'), (input, name) => {
      const output = compress(name, input, { thresholdBytes: 0 })
      if (output === undefined) return
      assert.ok(output.length < input.length)
      const back = decompress(name, output)
      assert.ok(back.ok && equalBytes(back.value, input))
    }),
  )
})

test('any bytes leave the LZ4 decompressor within its bound and without a throw', () => {
  const memory = new Uint8Array(1200)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(1000), (bytes, room) => {
      memory.fill(0xaa)
      const written = lz4Decompress(bytes, memory.subarray(100, 100 + room))
      assert.ok(written >= -2 && written <= room)
      const outside = concatBytes(memory.subarray(0, 100), memory.subarray(100 + room))
      assert.ok(outside.every((byte) => byte === 0xaa))
    }),
    { numRuns: 2000 },
  )
})

test('any bytes, and damaged ones, decompress to a bounded result or a fault', () => {
  const damaged = fc
    .tuple(repetitive, fc.nat(), fc.nat(255), fc.constantFrom('lz4' as const, 'zstd' as const))
    .map(([input, at, byte, name]) => {
      const output = (compress(name, input, { thresholdBytes: 0 }) ?? input).slice()
      if (output.length > 0) output[at % output.length] = byte
      return [name, output] as const
    })
  const arbitrary = fc.tuple(fc.constantFrom('lz4', 'zstd'), fc.uint8Array({ maxLength: 100 }))
  fc.assert(
    fc.property(fc.oneof(damaged, arbitrary), ([name, bytes]) => {
      const output = decompress(name, bytes, { outputBytesMax: 5000 })
      assert.ok(!output.ok || output.value.length <= 5000)
    }),
    { numRuns: 1000 },
  )
})
