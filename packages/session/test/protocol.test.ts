// A peer that was admitted and then breaks the rules of the session: it gets the code of its fault, and we hold
// no more memory for it than we granted.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { zstdCompressSync } from 'node:zlib'
import { concatBytes } from '@myelin/base'
import type { SessionStream } from '@myelin/session'
import { verifies } from '@myelin/testkit'
import { encodeFrame, frameKinds, messageFlags, streamFlags } from '@myelin/wire'
import {
  dataWindowBytes,
  reassemblyPartsMax,
  streamsMax,
  streamWindowBytes,
} from '../src/limits.ts'
import { until } from './pair.ts'
import { rogueSession, rogueSettings } from './rogue.ts'
import { endOf, message, part, refused, small, stream } from './rogue-frames.ts'
import { bytes, scene } from './scene.ts'

const { more, request, response } = messageFlags

test('a peer that keeps the rules is served: the control', async () => {
  const { alice, bob } = await scene()
  const rogue = await rogueSession(alice, bob)
  rogue.send(
    encodeFrame.defineType(64, 'mine'),
    message(0, 64, 1, small),
    message(more, 1, 2, small),
    part(0, 2, small),
    stream(streamFlags.open, 0, small),
    stream(streamFlags.fin, 0, small),
  )
  await until(() => bob.messages.length === 2 && bob.streams.length === 1)
  assert.deepEqual(
    bob.messages.map(({ type, payload }) => [type, payload.length]),
    [
      ['mine', 1],
      ['data', 2],
    ],
  )
  assert.ok(rogue.far.isOpen)
})

refused('settings come once', 'SESSION_PROTOCOL', ({ send }) => send(rogueSettings))
refused('a type is defined before it is used', 'SESSION_PROTOCOL', ({ send }) =>
  send(message(0, 64, 1, small)),
)
refused('a type of a stream too', 'SESSION_PROTOCOL', ({ send }) =>
  send(stream(streamFlags.open, 0, small, 99)),
)
refused('a built-in type is not defined anew', 'SESSION_PROTOCOL', ({ send }) =>
  send(encodeFrame.defineType(1, 'x')),
)
refused('a type is not defined twice', 'SESSION_PROTOCOL', ({ send }) =>
  send(encodeFrame.defineType(64, 'x'), encodeFrame.defineType(64, 'y')),
)
refused('types are bounded in number', 'SESSION_PROTOCOL', ({ send }) => {
  for (let i = 0; i <= 1024; i += 1) send(encodeFrame.defineType(64 + i, `t${i}`))
})
refused('a part belongs to a message', 'SESSION_PROTOCOL', ({ send }) => send(part(0, 5, small)))
refused('a message begins once', 'SESSION_PROTOCOL', ({ send }) =>
  send(message(more, 1, 5, small), message(more, 1, 5, small)),
)
refused('a frame of no kind is none', 'SESSION_PROTOCOL', ({ send }) => send(Uint8Array.of(0x77)))
refused('a frame does not end before its end', 'SESSION_PROTOCOL', ({ send }) =>
  send(message(0, 1, 1, small).subarray(0, -1)),
)
refused('reserved flags are not set', 'SESSION_PROTOCOL', ({ send }) =>
  send(message(0x80, 1, 1, small)),
)
refused('a key update comes once in a record', 'SESSION_PROTOCOL', ({ send }) =>
  send(encodeFrame.keyUpdate(), encodeFrame.keyUpdate()),
)
refused('a stream of ours is not opened by the peer', 'SESSION_PROTOCOL', ({ send }) =>
  send(stream(streamFlags.open, 1, small)),
)
refused('data of a stream that was never opened is refused', 'SESSION_PROTOCOL', ({ send }) =>
  send(stream(0, 8, small)),
)
refused('so is a reset of it', 'SESSION_PROTOCOL', ({ send }) =>
  send(encodeFrame.streamReset(8, 0)),
)
refused('and a stop, and credit for it', 'SESSION_PROTOCOL', ({ send }) =>
  send(encodeFrame.maxStreamData(9, 1)),
)
refused('a finished stream carries no more', 'SESSION_PROTOCOL', ({ send }) =>
  send(stream(3, 0, small), stream(0, 0, small)),
)
refused('nor does one that its sender has reset', 'SESSION_PROTOCOL', ({ send }) =>
  send(stream(1, 0, small), encodeFrame.streamReset(0, 9), stream(0, 0, small)),
)
refused('it does not end twice either', 'SESSION_PROTOCOL', ({ send }) =>
  send(stream(3, 0, small), stream(2, 0, new Uint8Array(0))),
)

refused(
  'a peer that opens more streams than it may is refused',
  'SESSION_FLOW_CONTROL',
  ({ send }) => {
    for (let i = 0; i <= streamsMax; i += 1)
      send(stream(streamFlags.open, 2 * i, new Uint8Array(0)))
  },
)

refused(
  'a peer that overruns the credit of a stream is refused',
  'SESSION_FLOW_CONTROL',
  async ({ send }, bob) => {
    const chunk = new Uint8Array(60_000)
    send(stream(streamFlags.open, 0, chunk))
    for (let sent = chunk.length; sent <= streamWindowBytes; sent += chunk.length)
      send(stream(0, 0, chunk))
    await until(() => bob.streams.length === 1)
  },
)

refused(
  'a peer that overruns the credit of the session is refused',
  'SESSION_FLOW_CONTROL',
  ({ send }, bob) => {
    bob.holds = true
    const payload = new Uint8Array(60_000)
    for (let sent = 0; sent <= dataWindowBytes; sent += payload.length + 16)
      send(message(0, 1, 1, payload))
  },
)

refused('empty messages are not free', 'SESSION_FLOW_CONTROL', ({ send }, bob) => {
  bob.holds = true
  const record = concatBytes(
    ...Array.from({ length: 4_000 }, (_, i) => message(0, 1, i, new Uint8Array(0))),
  )
  for (let sent = 0; sent <= dataWindowBytes; sent += record.length) send(record)
})

refused(
  'a message without end is refused at its bound',
  'SESSION_MESSAGE_TOO_LARGE',
  ({ send }) => {
    const payload = new Uint8Array(65_000)
    send(message(more, 1, 1, payload))
    for (let sent = payload.length; sent <= 16 * 2 ** 20; sent += payload.length)
      send(part(more, 1, payload))
  },
)

refused('a message of endless empty parts is refused', 'SESSION_PROTOCOL', ({ send }) => {
  verifies('R023')
  send(message(more, 1, 1, small))
  const record = concatBytes(
    ...Array.from({ length: 5_000 }, () => part(more, 1, new Uint8Array(0))),
  )
  for (let sent = 0; sent <= reassemblyPartsMax; sent += 5_000) send(record)
})

refused('messages that are begun and never ended are bounded', 'SESSION_PROTOCOL', ({ send }) => {
  for (let i = 0; i < 300; i += 1) send(message(more, 1, i, small))
})

/** A zstd frame of one segment (RFC 8878 §3.1.1) that declares `size` bytes and holds a run of one byte. */
function zstdBomb(size: number): Uint8Array {
  const bomb = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0, 0x03, 0, 0, 0x41])
  bomb.writeUInt32LE(size, 5)
  return bomb
}

for (const [name, compressed] of [
  ['gigabytes', zstdBomb(3 * 2 ** 30)],
  ['one byte more than a record', zstdBomb(65_537)],
  ['a megabyte that is really there', zstdCompressSync(new Uint8Array(2 ** 20))],
  ['nothing that can be read', bytes('not zstd at all')],
] as const) {
  refused(
    `a compressed record that holds ${name} is refused`,
    'SESSION_PROTOCOL',
    ({ stream: wire, sealer }) => {
      verifies('R036')
      wire.write(sealer.seal(compressed, true))
    },
  )
}

test('an LZ4 record that claims gigabytes is refused before they are allocated', async () => {
  verifies('R036')
  const { alice, bob, unharmed } = await scene()
  // The size in front, little-endian, then any block; and one byte more than a record.
  const claims = [3 * 2 ** 30, 2 ** 32 - 1, 65_537]
  for (const claim of claims) {
    const rogue = await rogueSession(alice, bob, { compressions: [1] })
    assert.equal(rogue.far.agreement.compression, 'lz4')
    const bomb = new Uint8Array(60_000)
    new DataView(bomb.buffer).setUint32(0, claim, true)
    rogue.stream.write(rogue.sealer.seal(bomb, true))
    assert.equal(await endOf(bob, rogue), 'SESSION_PROTOCOL')
    assert.match(bob.ended.at(-1)?.message ?? '', /compression_output_bound/)
  }
  await unharmed()
})

test('where no compression was agreed, none is undone', async () => {
  verifies('R036')
  const { alice, bob } = await scene()
  const rogue = await rogueSession(alice, bob, { compressions: [] })
  rogue.stream.write(rogue.sealer.seal(zstdCompressSync(message(0, 1, 1, small)), true))
  assert.equal(await endOf(bob, rogue), 'SESSION_PROTOCOL')
  assert.equal(bob.messages.length, 0)
})

test('a compressed record of a correct size is read', async () => {
  verifies('R036')
  const { alice, bob } = await scene()
  const { stream: wire, sealer } = await rogueSession(alice, bob)
  wire.write(sealer.seal(zstdCompressSync(message(0, 1, 1, new Uint8Array(60_000))), true))
  await until(() => bob.messages.length === 1)
  assert.equal(bob.messages[0]?.payload.length, 60_000)
})

test('what comes after a close is ignored, in its record and behind it', async () => {
  const { alice, bob, unharmed } = await scene()
  const { send, far } = await rogueSession(alice, bob)
  send(
    message(0, 1, 1, small),
    encodeFrame.close(1, 'bye'),
    message(0, 1, 2, small),
    message(more, 1, 3, small),
    part(0, 3, small),
    stream(streamFlags.open, 0, small),
    encodeFrame.close(4, 'no, wait'),
    rogueSettings,
    encodeFrame.keyUpdate(),
  )
  send(message(0, 1, 4, small))
  await until(() => !far.isOpen)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(
    bob.messages.map(({ id }) => id),
    [1],
  )
  assert.equal(bob.streams.length, 0)
  assert.deepEqual(
    bob.ended.map(({ code, message: text }) => [code, /bye/.test(text)]),
    [['SESSION_CLOSED', true]],
  )
  await unharmed()
})

test('frames behind a fault in the same record are ignored', async () => {
  const { alice, bob } = await scene()
  const { send, far } = await rogueSession(alice, bob)
  send(message(0, 1, 1, small), message(0, 99, 2, small), message(0, 1, 3, small))
  await until(() => !far.isOpen)
  assert.deepEqual(
    bob.messages.map(({ id }) => id),
    [1],
  )
})

test('answers that nobody waits for are dropped and cost nothing', async () => {
  const { alice, bob, unharmed } = await scene()
  const { send, far } = await rogueSession(alice, bob)
  for (let i = 0; i < 100; i += 1) send(message(response, 1, i, new Uint8Array(50_000)))
  for (let i = 0; i < 100; i += 1) send(encodeFrame.pong(new Uint8Array(8)))
  send(message(0, 1, 1, small))
  await until(() => bob.messages.length === 1)
  assert.equal(far.stats.heldBytes, 0)
  assert.ok(far.isOpen)
  await unharmed()
})

test('pings are answered as long as the peer reads, and no longer', async () => {
  const { alice, bob } = await scene()
  const { send, stream: wire, far } = await rogueSession(alice, bob)
  wire.pause()
  const pings = concatBytes(
    ...Array.from({ length: 5_000 }, () => encodeFrame.ping(new Uint8Array(8))),
  )
  for (let i = 0; i < 200; i += 1) {
    send(pings)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const before = far.stats.bytesSent
  // The transport's mark of 1 MiB and what was under way.
  assert.ok(before < 1.25 * 2 ** 20, `${before} bytes of answers to 9 MB of pings`)
  wire.resume()
  send(message(request, 1, 1, small))
  await until(() => bob.messages.length === 1)
  assert.ok(far.isOpen)
})

test('data of streams that we stopped gives its credit back', async () => {
  const { alice, bob } = await scene()
  bob.onStream = (one) => one.stop()
  const { send, far } = await rogueSession(alice, bob)
  const chunk = new Uint8Array(60_000)
  send(stream(streamFlags.open, 0, chunk))
  for (let i = 0; i < 8; i += 1) send(stream(0, 0, chunk))
  send(message(0, 1, 1, small))
  await until(() => bob.messages.length === 1)
  assert.equal(far.stats.heldBytes, 0)
  assert.ok(far.isOpen)
})

test('short chunks of a stream cost what it takes to hold them, until they are read', async () => {
  verifies('R023')
  const { alice, bob } = await scene()
  const { send, far } = await rogueSession(alice, bob)
  send(
    stream(streamFlags.open, 0, small),
    ...Array.from({ length: 999 }, () => stream(0, 0, small)),
  )
  send(stream(streamFlags.fin, 0, new Uint8Array(0)))
  await until(() => bob.streams.length === 1)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(far.stats.heldBytes, 1_000 * (64 + 1))
  let read = 0
  for await (const chunk of bob.streams[0] as SessionStream) read += chunk.length
  assert.deepEqual([read, far.stats.heldBytes], [1_000, 0])
})

test('a padded record is read, and padding alone says nothing', async () => {
  const { alice, bob } = await scene()
  const { send, far } = await rogueSession(alice, bob)
  send(new Uint8Array(1_000).fill(frameKinds.padding), message(0, 1, 1, small), new Uint8Array(100))
  await until(() => bob.messages.length === 1)
  assert.ok(far.isOpen)
})
