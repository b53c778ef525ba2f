// The moments between two steps of another process, which a real one hits once in a million: made here by
// stepping into the ring of a stream.

import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ByteStreamHandlers } from '@myelin/transport'
import { RingReader, RingWriter, ringControlWords } from '../src/shm-ring.ts'
import { ShmStream } from '../src/shm-stream.ts'

const skip = process.platform === 'linux' ? false : 'the streams are of Linux alone'
const handlers: ByteStreamHandlers = { data() {}, drain() {}, end() {}, closed() {} }
const ringBytes = 64

const turn = () => new Promise((resolve) => setImmediate(resolve))

interface Stage {
  readonly stream: ShmStream
  readonly reader: RingReader
  /** The other end of both rings. */
  readonly peerWriter: RingWriter
  readonly peerReader: RingReader
  /** Takes what is there, and wakes the stream as a peer does. */
  read(): void
}

async function onStage(pollUs: number, body: (stage: Stage) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-shm-'))
  const path = join(folder, 'a.sock')
  const { promise: far, resolve } = Promise.withResolvers<Socket>()
  const server = createServer({ allowHalfOpen: true }, resolve)
  await new Promise<void>((listening) => server.listen(path, listening))
  const socket = connect({ path, allowHalfOpen: true })
  const peer = await far
  const place = () => ({
    control: new Int32Array(ringControlWords),
    controlAt: 0,
    data: new Uint8Array(ringBytes),
  })
  const [in_, out] = [place(), place()]
  const reader = new RingReader(in_)
  const stream = new ShmStream({
    socket,
    segment: { buffer: new ArrayBuffer(0), unmap: () => {} },
    inbound: reader,
    outbound: new RingWriter(out),
    localAddress: '/',
    remoteAddress: '/',
    spinUs: 0,
    pollUs,
  })
  try {
    const peerWriter = new RingWriter(in_)
    const peerReader = new RingReader(out)
    const read = () => {
      peerReader.pull(ringBytes)
      if (peerReader.isAwaited && peerWriter.takeSleeper()) peer.write(Uint8Array.of(1))
    }
    await body({ stream, reader, peerWriter, peerReader, read })
  } finally {
    stream.destroy()
    peer.destroy()
    server.close()
    await rm(folder, { recursive: true, force: true })
  }
}

test('bytes that come between the last look and the raised flag are seen', { skip }, () =>
  onStage(0, async ({ stream, reader, peerWriter }) => {
    const raise = reader.setAsleep.bind(reader)
    let isFirst = true
    reader.setAsleep = (isAsleep) => {
      // The peer publishes, finds nobody asleep, and so wakes nobody.
      if (isAsleep && isFirst) {
        isFirst = false
        peerWriter.push(Uint8Array.of(1, 2, 3))
        peerWriter.publish()
        assert.equal(peerWriter.takeSleeper(), false)
      }
      raise(isAsleep)
    }
    const received = await new Promise<Uint8Array>((data) => stream.attach({ ...handlers, data }))
    assert.deepEqual([...received], [1, 2, 3])
  }),
)

test('room that comes between the last look and the raised flag is used', { skip }, () =>
  onStage(0, async ({ stream, reader, peerReader, read }) => {
    const raise = reader.setAsleep.bind(reader)
    let isFirst = true
    reader.setAsleep = (isAsleep) => {
      if (isAsleep && isFirst) {
        isFirst = false
        assert.equal(peerReader.pull(ringBytes)?.length, ringBytes)
      }
      raise(isAsleep)
    }
    let isDrained = false
    const drain = () => {
      isDrained = true
    }
    stream.attach({ ...handlers, drain })
    stream.write(new Uint8Array(ringBytes + 10))
    assert.equal(stream.bufferedBytes, 10)
    assert.equal(stream.isHandedOver, false)
    // A write above the mark makes `drain` due; the reader goes on reading meanwhile.
    assert.equal(stream.write(new Uint8Array(262_144)), false)
    while (!isDrained) {
      read()
      await turn()
    }
    assert.deepEqual([stream.bufferedBytes, stream.isHandedOver], [0, true])
  }),
)

test('a stream that only writes does not wait for an answer that never came before', { skip }, () =>
  onStage(2_000, async ({ stream, read }) => {
    stream.attach(handlers)
    stream.write(Uint8Array.of(1))
    while (!stream.isAsleep) {
      read()
      await turn()
    }
    const { turns } = stream.counts
    for (let write = 0; write < 100; write += 1) {
      stream.write(Uint8Array.of(1))
      read()
      await turn()
    }
    assert.deepEqual([stream.isAsleep, stream.counts.turns], [true, turns])
  }),
)
