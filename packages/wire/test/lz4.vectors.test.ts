// LZ4 blocks and zstd frames that the reference implementations made: liblz4 1.9.4 through python-lz4 4.4.5
// (`lz4.block.compress(…, store_size=True)`, fast and high-compression mode) and the zstd 1.5.4 command.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatBytes, hexDecode, utf8Encode } from '@myelin/base'
import { verifies } from '@myelin/testkit'
import { decompress, lz4Compress } from '@myelin/wire'

verifies('R021', 'R148')

function hex(text: string): Uint8Array {
  const bytes = hexDecode(text)
  assert.ok(bytes)
  return bytes
}

/** Bits 16 to 23 of each state of ANSI C's example generator: noise that any language can repeat. */
function noise(length: number): Uint8Array {
  let state = 1n
  return Uint8Array.from({ length }, () => {
    state = (state * 1103515245n + 12345n) & 0x7fffffffn
    return Number((state >> 16n) & 255n)
  })
}

const status = utf8Encode('{"state":"busy","progress":0.5}'.repeat(20))
const run = utf8Encode('a'.repeat(1000))
const everyByteTwice = Uint8Array.from({ length: 512 }, (_, i) => i % 256)
/** The second half matches the first at a distance just over 65,300. */
const far = concatBytes(noise(300), new Uint8Array(65_000), noise(300))

const noise300 =
  'c67e816b4bfbe2fb54f6bddf7c1ce18701bf31de56720f4767668759aa883c59ea56137bd285a1d83c54552f37ae655b' +
  'da027998cce31a768e5fd9998f1f3f36ee43784d0dfabea6dae4868edc296d4eff56e17020fb8fb1580590c509dc53cd' +
  'aa3b489952d3529d069feab5c206139849b2011eac3288319c52469571368f57f6391d16fa8874f5987c175c41bb6d71' +
  '8e0f7059c7011b2f333d91c01da50d0dab338d7e5e8f3ee66874a63ab1c39311a864c7dbcae060e1f3bf090067a2e325' +
  'a0213187d562c5a84f7e2e096b949fb06da99e5a0b467080b6cf470ca6a52ad8acfba0ebb779247223924880c5a6a785' +
  'b7d78c90e4ab63445266e39c3325f95eaaba73605d4b717ebea98c571971c3ca5ee52a33ac885166a17b7567649a69ef' +
  '6f5642a01d51c502f7bb9245'
const everyByte = Buffer.from(everyByteTwice.subarray(0, 256)).toString('hex')

const lz4Vectors: readonly (readonly [string, Uint8Array, string])[] = [
  ['nothing', new Uint8Array(0), '0000000000'],
  ['one byte', utf8Encode('a'), '010000001061'],
  ['12 bytes, too few to match', utf8Encode('a'.repeat(12)), '0c000000c0616161616161616161616161'],
  ['13 bytes, the least that match', utf8Encode('a'.repeat(13)), '0d00000013610100506161616161'],
  ['a run', run, 'e80300001f610100ffffffd2506161616161'],
  [
    'a repeated status',
    status,
    '6c020000ff107b227374617465223a2262757379222c2270726f6772657373223a302e357d1f00ffff37503a302e357d',
  ],
  ['every byte twice', everyByteTwice, `00020000fff1${everyByte}0001e850fbfcfdfeff`],
  [
    'a far match, fast',
    far,
    `40000100ffff21${noise300}0000000300${'ff'.repeat(254)}d00f14ffff155002f7bb9245`,
  ],
  [
    'a far match, high compression',
    far,
    `40000100ffff1f${noise300}000100${'ff'.repeat(254)}d20f14ffff155002f7bb9245`,
  ],
]

test('blocks made by liblz4 decompress to their input', () => {
  for (const [name, input, text] of lz4Vectors) {
    assert.deepEqual(decompress('lz4', hex(text)), { ok: true, value: input }, name)
  }
})

test('input without alternatives compresses to the very bytes of liblz4', () => {
  for (const [name, input, text] of lz4Vectors.slice(2, 7)) {
    const block = new Uint8Array(1000)
    assert.deepEqual(block.subarray(0, lz4Compress(input, block)), hex(text).subarray(4), name)
  }
})

const zstdVectors: readonly (readonly [string, Uint8Array, string])[] = [
  ['nothing', new Uint8Array(0), '28b52ffd2000010000'],
  ['nothing, with checksum', new Uint8Array(0), '28b52ffd240001000099e9d851'],
  ['a run, with checksum', run, '28b52ffd64e8024d00001061610100e32b80052342da2e'],
  ['a run, level 19', run, '28b52ffd60e80245000008610100e42b2004'],
  [
    'a repeated status',
    status,
    '28b52ffd646c013d0100f87b227374617465223a2262757379222c2270726f6772657373223a302e357d01002b11957202c5211646',
  ],
]

test('frames made by the zstd command decompress to their input', () => {
  for (const [name, input, text] of zstdVectors) {
    assert.deepEqual(decompress('zstd', hex(text)), { ok: true, value: input }, name)
  }
})

test('a frame that does not declare its size is refused, however small', () => {
  const text = '28b52ffd04004d00001061610100e32b80052342da2e'
  const refusal = { ok: false, fault: 'compression_size_unknown' }
  assert.deepEqual(decompress('zstd', hex(text)), refusal)
})
