// Peers that keep no rule: what they can do to the memory, the socket and the handshake, each from inside.

import assert from 'node:assert/strict'
import { ftruncateSync, mkdtempSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type ByteStream, shm, shmAddress, TransportError } from '@myelin/transport'
import { acceptMemory, encodeHello, offerMemory, type SharedRings } from '../src/shm-handshake.ts'
import { createSegment, openSegment } from '../src/shm-native.ts'
import { ShmStream } from '../src/shm-stream.ts'

const skip = shm.isAvailable() ? false : 'no shared memory here'
const isCode = (code: string) => (error: unknown) =>
  error instanceof TransportError && error.code === code

interface Hostile {
  readonly words: Int32Array
  readonly socket: Socket
  readonly rings: SharedRings
}

/** A listener of ours, its stream, and a dialler that holds the memory in its hands. */
async function withHostileDialler(
  body: (hostile: Hostile, stream: ByteStream, closed: Promise<Error | undefined>) => Promise<void>,
): Promise<void> {
  const path = join(mkdtempSync(join(tmpdir(), 'myelin-shm-')), 'a.sock')
  const { promise: closed, resolve: close } = Promise.withResolvers<Error | undefined>()
  const arrival = Promise.withResolvers<ByteStream>()
  await using _listener = await shm({ ringBytes: 4_096 }).listen(shmAddress(path), (stream) => {
    stream.attach({ data() {}, drain() {}, end() {}, closed: close })
    arrival.resolve(stream)
  })
  const socket = connect({ path, allowHalfOpen: true })
  socket.on('error', () => {})
  const rings = await new Promise<SharedRings>((agreed, failed) => {
    acceptMemory(socket, { agreed, failed })
  })
  const words = new Int32Array(rings.segment.buffer, 0, 1_024)
  try {
    await body({ words, socket, rings }, await arrival.promise, closed)
  } finally {
    socket.destroy()
    await closed
    rings.segment.unmap()
    await rm(join(path, '..'), { recursive: true, force: true })
  }
}

// Words of the segment: ring 0, which the listener writes, begins at 32, ring 1 at 128.
const tailOfItsWrites = 32 + 32
const headOfItsReads = 128

for (const [what, at, value] of [
  ['a head past the capacity', headOfItsReads, 4_097],
  ['a head that ran backwards', headOfItsReads, -1],
  ['a tail ahead of the head', tailOfItsWrites, 4_000],
  ['a tail that ran backwards', tailOfItsWrites, -1],
] as const)
  test(`${what} ends the stream with an error, and the process goes on`, { skip }, () =>
    withHostileDialler(async ({ words, socket }, stream, closed) => {
      Atomics.store(words, at, value)
      socket.write(Uint8Array.of(1))
      // Makes our side look at the tail, which it only does to make room.
      stream.write(new Uint8Array(3_000))
      stream.write(new Uint8Array(3_000))
      assert.ok(isCode('TRANSPORT_PROTOCOL')(await closed))
    }),
  )

test(
  'noise over all of the memory, again and again, ends the stream and nothing else',
  { skip },
  () =>
    withHostileDialler(async ({ words, socket }, stream, closed) => {
      let isOver = false
      void closed.then(() => {
        isOver = true
      })
      let noise = 1
      for (let round = 0; !isOver; round += 1) {
        for (let at = 0; at < words.length; at += 1) {
          noise = (Math.imul(noise, 1_664_525) + 1_013_904_223) | 0
          words[at] = noise
        }
        stream.write(new Uint8Array(100))
        socket.write(Uint8Array.of(round))
        await new Promise((resolve) => setImmediate(resolve))
      }
      assert.ok(isCode('TRANSPORT_PROTOCOL')(await closed))
    }),
)

test('flags that always claim a sleeper do not pile wake-ups up', { skip }, () =>
  withHostileDialler(async ({ words, socket }, stream, closed) => {
    socket.pause()
    for (let round = 0; round < 20_000; round += 1) {
      // The sleeping flag of the dialler, and a tail that has taken all: each write has a reason to wake it.
      Atomics.store(words, 32 + 64, 1)
      Atomics.store(words, tailOfItsWrites, Atomics.load(words, 32))
      assert.equal(stream.write(new Uint8Array(1)), true)
    }
    assert.ok(stream instanceof ShmStream)
    // As many single bytes as the system takes from a reader that rests, and not one more.
    assert.ok(stream.counts.wakesSent < 5_000, `${stream.counts.wakesSent} wake-ups`)
    assert.equal(stream.bufferedBytes, 0)
    stream.destroy()
    assert.equal(await closed, undefined)
  }),
)

test('a peer that ended and left with our bytes unread has broken the stream', { skip }, () =>
  withHostileDialler(async ({ socket, rings }, stream, closed) => {
    stream.pause()
    stream.write(new Uint8Array(100))
    stream.end()
    rings.outbound.finish()
    socket.destroy()
    while (stream.isHandedOver) await new Promise((resolve) => setImmediate(resolve))
    stream.resume()
    assert.ok(isCode('TRANSPORT_RESET')(await closed))
  }),
)

test('a segment cannot be made shorter or longer, by nobody', { skip }, () => {
  const segment = createSegment(8_192)
  try {
    const file = openSync(`/proc/self/fd/${segment.name.fd}`, 'r+')
    for (const fd of [segment.name.fd, file])
      for (const bytes of [0, 4_096, 16_384])
        assert.throws(() => ftruncateSync(fd, bytes), { code: 'EPERM' })
  } finally {
    segment.unmap()
  }
})

test('after unmap every view is empty, and touching one crashes nothing', { skip }, () => {
  const segment = createSegment(8_192)
  const words = new Int32Array(segment.buffer)
  const bytes = new Uint8Array(segment.buffer, 4_096)
  assert.equal(bytes.length, 4_096)
  segment.unmap()
  segment.unmap()
  assert.deepEqual([words.length, bytes.length, words[0]], [0, 0, undefined])
  assert.throws(() => Atomics.load(words, 0))
})

test('what is no sealed segment of the right size is never mapped', { skip }, () => {
  const segment = createSegment(8_192)
  const { pid, fd } = segment.name
  const unsealed = rawMemory('myelin-shm', 8_192)
  const foreign = rawMemory('another', 8_192)
  const file = openSync(process.execPath, 'r')
  try {
    openSegment({ pid, fd, bytes: 8_192 }).unmap()
    for (const name of [
      { pid, fd, bytes: 4_096 },
      { pid, fd, bytes: 16_384 },
      { pid, fd: 4_294_967_295, bytes: 8_192 },
      { pid: 4_294_967_295, fd, bytes: 8_192 },
      { pid, fd: file, bytes: 8_192 },
      { pid, fd: unsealed, bytes: 8_192 },
      { pid, fd: foreign, bytes: 8_192 },
    ])
      assert.throws(() => openSegment(name), isCode('TRANSPORT_UNAVAILABLE'), JSON.stringify(name))
  } finally {
    segment.unmap()
  }
  assert.throws(() => openSegment({ pid, fd, bytes: 8_192 }), isCode('TRANSPORT_UNAVAILABLE'))
})

test('a dial fails with a code whatever the listener says', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-shm-'))
  const path = join(folder, 'a.sock')
  const segment = createSegment(4_096 + 2 * 4_096)
  const { pid, fd } = segment.name
  const hello = { pid, fd, ringBytes: 4_096, token: new Uint8Array(16) }
  const segments = { right: encodeHello(hello) }
  try {
    for (const [said, code] of [
      [new Uint8Array(64), 'TRANSPORT_PROTOCOL'],
      [segments.right.with(4, 9), 'TRANSPORT_PROTOCOL'],
      [segments.right.subarray(0, 20), 'TRANSPORT_RESET'],
      [new Uint8Array(0), 'TRANSPORT_RESET'],
      // The memory is there, and is another listener's.
      [encodeHello({ ...hello, token: new Uint8Array(16).fill(1) }), 'TRANSPORT_UNAVAILABLE'],
      [encodeHello({ ...hello, ringBytes: 8_192 }), 'TRANSPORT_UNAVAILABLE'],
    ] as const) {
      const server = createServer((socket) => socket.on('error', () => {}).end(said))
      await new Promise<void>((resolve) => server.listen(path, resolve))
      await assert.rejects(shm().dial(shmAddress(path)), isCode(code))
      await new Promise((resolve) => server.close(resolve))
    }
  } finally {
    segment.unmap()
    await rm(folder, { recursive: true, force: true })
  }
})

test('a dialler is not heard before it answered, and goes with the listener', {
  skip,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-shm-'))
  const path = join(folder, 'a.sock')
  const listener = await shm().listen(shmAddress(path), () => assert.fail('nobody agreed'))
  const gone = (said: Uint8Array | undefined) => {
    const socket = connect({ path })
    socket.on('error', () => {}).resume()
    if (said !== undefined) socket.once('data', () => socket.write(said))
    return new Promise((resolve) => socket.once('close', resolve))
  }
  await gone(Uint8Array.of(2))
  const silent = connect({ path })
  await new Promise((resolve) => silent.once('data', resolve))
  const closed = new Promise((resolve) => silent.once('close', resolve))
  await listener.close()
  await closed
  await rm(folder, { recursive: true, force: true })
})

test('a listener that scribbles is no better: the dialler ends the stream', { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-shm-'))
  const path = join(folder, 'a.sock')
  const offered = Promise.withResolvers<SharedRings>()
  const server = createServer((socket) => {
    socket.on('error', () => {})
    offerMemory(socket, 4_096, { agreed: offered.resolve, failed: offered.reject })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const stream = await shm().dial(shmAddress(path))
  const { segment } = await offered.promise
  new Int32Array(segment.buffer, 0, 1_024).fill(-1)
  const error = await new Promise<Error | undefined>((closed) => {
    stream.attach({ data() {}, drain() {}, end() {}, closed })
  })
  assert.ok(isCode('TRANSPORT_PROTOCOL')(error))
  segment.unmap()
  server.close()
  await rm(folder, { recursive: true, force: true })
})

/** An anonymous file without seals. */
function rawMemory(name: string, bytes: number): number {
  const ffi = process.getBuiltinModule('node:ffi')
  const { functions } = ffi.dlopen(null, {
    memfd_create: { arguments: ['string', 'uint32'], return: 'int32' },
  })
  const fd = functions.memfd_create(name, 3)
  ftruncateSync(fd, bytes)
  return fd
}
