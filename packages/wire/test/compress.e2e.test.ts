// Interop with the official command-line tools where the machine has them: what they write we read, what we
// write they read.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { concatBytes, hexDecode, utf8Encode } from '@myelin/base'
import { verifies } from '@myelin/testkit'
import { compress, decompress, lz4Compress, lz4Decompress } from '@myelin/wire'

verifies('R021')

const input = utf8Encode(
  Array.from({ length: 3000 }, (_, i) => `{"agent":"a${i % 37}","round":${i},"ok":true}`).join(
    '\n',
  ),
)

function pipe(command: string, words: readonly string[], bytes: Uint8Array): Uint8Array {
  const { status, stdout, stderr } = spawnSync(command, words, { input: bytes })
  assert.equal(status, 0, String(stderr))
  return new Uint8Array(stdout)
}

function skipWithoutTool(command: string): string | false {
  return spawnSync(command, ['--version']).status === 0 ? false : `no ${command} command here`
}

/** Magic, independent blocks of at most 4 MiB, no checksums, and the header's own checksum byte. */
const lz4FrameHeader = hexDecode('04224d18607073')

test('the lz4 command reads our blocks', { skip: skipWithoutTool('lz4') }, () => {
  const target = new Uint8Array(input.length)
  const length = lz4Compress(input, target.subarray(4))
  assert.ok(length > 0 && lz4FrameHeader)
  new DataView(target.buffer).setUint32(0, length, true)
  const frame = concatBytes(lz4FrameHeader, target.subarray(0, 4 + length), new Uint8Array(4))
  assert.deepEqual(pipe('lz4', ['-d', '-c'], frame), input)
})

test('we read the blocks of the lz4 command', { skip: skipWithoutTool('lz4') }, () => {
  for (const level of ['-1', '-9', '-12']) {
    const frame = pipe('lz4', ['-z', '-c', '-B7', '--no-frame-crc', level], input)
    const view = new DataView(frame.buffer)
    assert.equal(view.getUint32(0, true), 0x184d2204)
    const length = view.getUint32(7, true)
    const output = new Uint8Array(input.length)
    assert.equal(lz4Decompress(frame.subarray(11, 11 + length), output), input.length)
    assert.deepEqual(output, input)
  }
})

test('the zstd command reads our frames', { skip: skipWithoutTool('zstd') }, () => {
  const frame = compress('zstd', input)
  assert.ok(frame)
  assert.deepEqual(pipe('zstd', ['-d', '-c', '-q'], frame), input)
})

test('we read the frames of the zstd command', { skip: skipWithoutTool('zstd') }, () => {
  for (const level of ['-1', '-19']) {
    const words = ['-c', '-q', level, `--stream-size=${input.length}`]
    assert.deepEqual(decompress('zstd', pipe('zstd', words, input)), { ok: true, value: input })
  }
})
