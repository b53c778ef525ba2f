import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LineReader } from '../src/line-reader.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

function read(reader: LineReader, chunks: readonly Uint8Array[]): string[] {
  const lines: string[] = []
  for (const chunk of chunks) reader.push(chunk, (line) => lines.push(Buffer.from(line).toString()))
  return lines
}

test('lines are the same wherever the stream is cut into chunks', () => {
  const line = fc.string({ maxLength: 20 }).map((text) => text.replaceAll('\n', ' '))
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(50)), (lines, cuts) => {
      const stream = bytes(lines.map((text) => `${text}\n`).join(''))
      const chunks: Uint8Array[] = []
      let start = 0
      for (const cut of [...cuts, stream.length]) {
        chunks.push(stream.subarray(start, start + cut))
        start += cut
      }
      assert.deepEqual(read(new LineReader(100), [...chunks, stream.subarray(start)]), lines)
    }),
  )
})

test('an unfinished line is kept, not told', () => {
  const reader = new LineReader(10)
  assert.deepEqual(read(reader, [bytes('one\ntw')]), ['one'])
  assert.equal(reader.pendingBytes, 2)
  assert.deepEqual(read(reader, [bytes('o\n')]), ['two'])
})

test('a line at the bound passes and one byte more is noticed before its end comes', () => {
  const none = () => assert.fail('no line is told')
  assert.deepEqual(read(new LineReader(3), [bytes('abc\n')]), ['abc'])
  assert.equal(new LineReader(3).push(bytes('abcd'), none), false)
  assert.equal(new LineReader(3).push(bytes('abcd\n'), none), false)
  const drop = new LineReader(3)
  assert.equal(drop.push(bytes('ab'), none), true)
  assert.equal(drop.push(bytes('cd'), none), false)
})
