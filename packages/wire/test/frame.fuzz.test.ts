import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatBytes } from '@myelin/base'
import {
  encodeFrame,
  type FrameSink,
  messageHeaderBytes,
  readFrames,
  streamHeaderBytes,
  writeMessageHeader,
  writeMessagePartHeader,
  writeStreamHeader,
} from '@myelin/wire'
import fc from 'fast-check'

type Call = readonly [name: string, ...values: unknown[]]

/** A sink that writes down what it is told. */
function recorder(): { sink: FrameSink; calls: Call[] } {
  const calls: Call[] = []
  const names = [
    ...['ping', 'pong', 'settings', 'close', 'keyUpdate', 'defineType', 'message', 'messagePart'],
    ...['stream', 'streamReset', 'streamStop', 'maxData', 'maxStreamData', 'maxStreams'],
  ]
  const note = (name: string) => [
    `${name}Received`,
    (...values: unknown[]) => calls.push([name, ...values]),
  ]
  return { sink: Object.fromEntries(names.map(note)) as FrameSink, calls }
}

function message(
  flags: number,
  typeId: number,
  id: number,
  timestamp: number,
  payload: Uint8Array,
): Uint8Array {
  const frame = new Uint8Array(messageHeaderBytes + payload.length)
  frame.set(payload, writeMessageHeader(frame, 0, flags, typeId, id, timestamp, payload.length))
  return frame
}

const u16 = fc.integer({ min: 0, max: 0xffff })
const u32 = fc.integer({ min: 0, max: 0xffffffff })
const u53 = fc.maxSafeNat()
const nonce = fc.uint8Array({ minLength: 8, maxLength: 8 })
const bytes = fc.uint8Array({ maxLength: 200 })
const text = fc.string({ unit: 'grapheme', maxLength: 40 })

const frames: fc.Arbitrary<{ bytes: Uint8Array; call: Call }> = fc.oneof(
  nonce.map((n) => ({ bytes: encodeFrame.ping(n), call: ['ping', n] as Call })),
  nonce.map((n) => ({ bytes: encodeFrame.pong(n), call: ['pong', n] as Call })),
  fc.tuple(u32, u32, u32, u32).map(([dataMax, streamDataMax, streamsMax, messageBytesMax]) => {
    const settings = { dataMax, streamDataMax, streamsMax, messageBytesMax }
    return { bytes: encodeFrame.settings(settings), call: ['settings', settings] as Call }
  }),
  fc
    .tuple(u16, text)
    .map(([c, t]) => ({ bytes: encodeFrame.close(c, t), call: ['close', c, t] as Call })),
  fc.constant({ bytes: encodeFrame.keyUpdate(), call: ['keyUpdate'] as Call }),
  fc
    .tuple(u16, text)
    .map(([c, t]) => ({ bytes: encodeFrame.defineType(c, t), call: ['defineType', c, t] as Call })),
  fc.tuple(fc.integer({ min: 0, max: 0x3f }), u16, u32, u32, bytes).map(([f, t, i, s, p]) => ({
    bytes: message(f, t, i, s, p),
    call: ['message', f, t, i, s, p] as Call,
  })),
  fc.tuple(fc.constantFrom(0, 2, 8, 10), u32, bytes).map(([f, i, p]) => {
    const frame = new Uint8Array(12 + p.length)
    frame.set(p, writeMessagePartHeader(frame, 0, f, i, p.length))
    return { bytes: frame, call: ['messagePart', f, i, p] as Call }
  }),
  fc.tuple(fc.integer({ min: 0, max: 3 }), u16, u32, bytes).map(([flags, typeId, streamId, p]) => {
    const frame = new Uint8Array(streamHeaderBytes + p.length)
    frame.set(p, writeStreamHeader(frame, 0, { flags, typeId, streamId }, p.length))
    return { bytes: frame, call: ['stream', flags, typeId, streamId, p] as Call }
  }),
  fc.tuple(u32, u16).map(([i, c]) => ({
    bytes: encodeFrame.streamReset(i, c),
    call: ['streamReset', i, c] as Call,
  })),
  fc
    .tuple(u32, u16)
    .map(([i, c]) => ({ bytes: encodeFrame.streamStop(i, c), call: ['streamStop', i, c] as Call })),
  u53.map((l) => ({ bytes: encodeFrame.maxData(l), call: ['maxData', l] as Call })),
  fc.tuple(u32, u53).map(([i, l]) => ({
    bytes: encodeFrame.maxStreamData(i, l),
    call: ['maxStreamData', i, l] as Call,
  })),
  u32.map((l) => ({ bytes: encodeFrame.maxStreams(l), call: ['maxStreams', l] as Call })),
)

test('every sequence of frames is read as it was written', () => {
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 12 }), (list) => {
      const { sink, calls } = recorder()
      assert.equal(readFrames(concatBytes(...list.map((frame) => frame.bytes)), sink), undefined)
      assert.deepEqual(
        calls,
        list.map((frame) => frame.call),
      )
    }),
  )
})

test('a frame cut short anywhere is refused as truncated, never misread', () => {
  fc.assert(
    fc.property(frames, fc.double({ min: 0, max: 1, noNaN: true }), (frame, cut) => {
      const length = Math.floor(cut * frame.bytes.length)
      fc.pre(length > 0 && length < frame.bytes.length)
      const { sink, calls } = recorder()
      const fault = readFrames(frame.bytes.subarray(0, length), sink)
      assert.equal(fault, 'frame_truncated')
      assert.deepEqual(calls, [])
    }),
  )
})

test('arbitrary bytes give frames or a fault, never a throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (input) => {
      const fault = readFrames(input, recorder().sink)
      assert.ok(fault === undefined || fault.startsWith('frame_'))
    }),
    { numRuns: 2000 },
  )
})

test('unknown kinds and flags are refused', () => {
  assert.equal(readFrames(Uint8Array.of(0x7f), recorder().sink), 'frame_kind')
  assert.equal(
    readFrames(message(0x40, 1, 1, 1, new Uint8Array(0)), recorder().sink),
    'frame_flags',
  )
})

test('a payload is a view of the record, not a copy', () => {
  const record = message(0, 1, 2, 3, Uint8Array.of(9, 9))
  const { sink, calls } = recorder()
  readFrames(record, sink)
  const payload = calls[0]?.[5] as Uint8Array
  assert.equal(payload.buffer, record.buffer)
})

test('a text longer than its length byte allows is cut between characters', () => {
  const { sink, calls } = recorder()
  assert.equal(readFrames(encodeFrame.close(1, 'é'.repeat(200)), sink), undefined)
  assert.deepEqual(calls, [['close', 1, 'é'.repeat(127)]])
})

test('frame headers are exactly as documented', () => {
  assert.equal(
    Buffer.from(message(0x01, 0x0203, 4, 5, Uint8Array.of(0xaa))).toString('hex'),
    '0801020300000004000000050000000' + '1aa',
  )
  assert.equal(Buffer.from(encodeFrame.maxData(2 ** 40)).toString('hex'), '0d0000010000000000')
})
