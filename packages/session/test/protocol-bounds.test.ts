// What an admitted peer is held to beyond the single rules: credit of messages in parts and of all streams
// together, sizes below a record, what a compressed record may hold, and the memory that short messages keep.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { zstdCompressSync } from 'node:zlib'
import { concatBytes } from '@myelin/base'
import { encodeFrame, frameKinds, messageFlags, streamFlags } from '@myelin/wire'
import { dataWindowBytes, retainedWindowsMax } from '../src/limits.ts'
import { party, until } from './pair.ts'
import { rogueSession } from './rogue.ts'
import { endOf, message, part, refused, small, stream } from './rogue-frames.ts'
import { scene } from './scene.ts'

const { more } = messageFlags
const chunk = new Uint8Array(60_000)

/** Three messages that nobody releases leave little of such a window. */
const narrow = { dataWindowBytes: 200_000 }

for (const [what, frames] of [
  ['the first part', [message(more, 1, 9, chunk)]],
  ['a later part', [message(more, 1, 9, small), part(more, 9, chunk)]],
] as const) {
  test(`${what} of a message counts against the credit of the session`, async () => {
    const [eve, bob] = [party(), party(narrow)]
    bob.holds = true
    const rogue = await rogueSession(eve, bob)
    for (let id = 0; id < 3; id += 1) rogue.send(message(0, 1, id, chunk))
    await until(() => bob.messages.length === 3)
    for (const frame of frames) rogue.send(frame)
    assert.equal(await endOf(bob, rogue), 'SESSION_FLOW_CONTROL')
    assert.equal(bob.messages.length, 3)
  })
}

test('a message in one frame is refused above the maximum, and taken at it', async () => {
  const [eve, bob] = [party(), party({ messageBytesMax: 1_000 })]
  const rogue = await rogueSession(eve, bob)
  rogue.send(message(0, 1, 1, new Uint8Array(1_000)))
  await until(() => bob.messages.length === 1)
  rogue.send(message(0, 1, 2, new Uint8Array(1_001)))
  assert.equal(await endOf(bob, rogue), 'SESSION_MESSAGE_TOO_LARGE')
  assert.equal(bob.messages.length, 1)
})

refused(
  'streams within their own credit are refused beyond that of the session',
  'SESSION_FLOW_CONTROL',
  ({ send }) => {
    const framesOfEach = 8
    const streams = Math.ceil(dataWindowBytes / (framesOfEach * chunk.length))
    for (let id = 0; id < streams; id += 1) {
      send(stream(streamFlags.open, 2 * id, chunk))
      for (let sent = 1; sent < framesOfEach; sent += 1) send(stream(0, 2 * id, chunk))
    }
  },
)
refused('a stream frame says something', 'SESSION_PROTOCOL', ({ send }) =>
  send(stream(streamFlags.open, 0, small), stream(0, 0, new Uint8Array(0))),
)
refused('reserved flags of a part are not set', 'SESSION_PROTOCOL', ({ send }) =>
  send(message(more, 1, 1, small), part(0x80, 1, small)),
)
refused('nor those of a stream', 'SESSION_PROTOCOL', ({ send }) =>
  send(stream(streamFlags.open | 0x80, 0, small)),
)
refused('a type has a name that is text', 'SESSION_PROTOCOL', ({ send }) => {
  const define = encodeFrame.defineType(64, 'x')
  define[define.length - 1] = 0xff
  send(define)
})
refused('a built-in type gets no second number', 'SESSION_PROTOCOL', ({ send }) =>
  send(encodeFrame.defineType(64, 'data')),
)

for (const [what, record] of [
  ['two messages', concatBytes(message(0, 1, 1, small), message(0, 1, 2, small))],
  ['a message and padding', concatBytes(message(0, 1, 1, small), new Uint8Array(1))],
  ['half a header', message(0, 1, 1, small).subarray(0, 10)],
  ['a stream', stream(streamFlags.open, 0, small)],
  ['a ping', encodeFrame.ping(new Uint8Array(8))],
  ['nothing', new Uint8Array(0)],
] as const) {
  test(`a compressed record that holds ${what} is refused, and nothing of it is delivered`, async () => {
    const { alice, bob, unharmed } = await scene()
    const rogue = await rogueSession(alice, bob)
    rogue.stream.write(rogue.sealer.seal(zstdCompressSync(record), true))
    assert.equal(await endOf(bob, rogue), 'SESSION_PROTOCOL')
    assert.deepEqual([bob.messages.length, bob.streams.length], [0, 0])
    await unharmed()
  })
}

test('a part of a message may be compressed', async () => {
  const { alice, bob } = await scene()
  const { send, stream: wire, sealer } = await rogueSession(alice, bob)
  send(message(more, 1, 5, small))
  wire.write(sealer.seal(zstdCompressSync(part(0, 5, chunk)), true))
  await until(() => bob.messages.length === 1)
  assert.equal(bob.messages[0]?.payload.length, small.length + chunk.length)
})

/** Bytes of the memory that the payloads lie in, each counted once. */
function keptBytes(payloads: readonly Uint8Array[]): number {
  const memories = new Set(payloads.map(({ buffer }) => buffer))
  return [...memories].reduce((sum, { byteLength }) => sum + byteLength, 0)
}

/** The bound, and the record that reaches it with the few bytes of the copies. */
const keptBytesMax = retainedWindowsMax * narrow.dataWindowBytes + 2 * chunk.length

test('short messages in padded records do not keep the records alive without end', async () => {
  const [eve, bob] = [party(), party(narrow)]
  bob.holds = true
  const { send } = await rogueSession(eve, bob)
  const padding = new Uint8Array(chunk.length).fill(frameKinds.padding)
  const records = 50
  for (let id = 0; id < records; id += 1) send(message(0, 1, id, small), padding)
  await until(() => bob.messages.length === records)
  const kept = keptBytes(bob.messages.map(({ payload }) => payload))
  assert.ok(kept <= keptBytesMax, `${kept} bytes are kept alive`)
  for (const { payload } of bob.messages) assert.deepEqual(payload, small)
  // What fills its record is no waste, so it is not copied.
  send(message(0, 1, records, chunk))
  await until(() => bob.messages.length === records + 1)
  assert.ok((bob.messages.at(-1)?.payload.buffer.byteLength ?? 0) > chunk.length)
  // And when room is there again, nothing is.
  for (const one of bob.messages) one.release()
  send(message(0, 1, records + 1, small), padding)
  await until(() => bob.messages.length === records + 2)
  assert.ok((bob.messages.at(-1)?.payload.buffer.byteLength ?? 0) > chunk.length)
})

test('a message that is released twice does not hide that another keeps their record', async () => {
  const [eve, bob] = [party(), party(narrow)]
  bob.holds = true
  bob.onMessage = (one) => {
    if (one.id % 2 !== 0) return
    one.release()
    one.release()
  }
  const { send } = await rogueSession(eve, bob)
  const padding = new Uint8Array(chunk.length).fill(frameKinds.padding)
  for (let id = 0; id < 100; id += 2)
    send(message(0, 1, id, small), message(0, 1, id + 1, small), padding)
  await until(() => bob.messages.length === 100)
  const held = bob.messages.filter(({ id }) => id % 2 !== 0).map(({ payload }) => payload)
  assert.ok(keptBytes(held) <= keptBytesMax, `${keptBytes(held)} bytes are kept alive`)
})
