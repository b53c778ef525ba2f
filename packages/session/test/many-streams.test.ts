// Many streams in one session: what a write costs does not depend on how many there are. Counted in questions to
// streams, records and bytes, not in time.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { VirtualClock } from '@myelin/testkit'
import { SendCredit } from '../src/credit.ts'
import type { Lane } from '../src/lane.ts'
import { recordBytesMax } from '../src/limits.ts'
import type { RecordWriter } from '../src/record-writer.ts'
import { SessionStream } from '../src/session-stream.ts'
import { StreamTable } from '../src/stream-table.ts'
import { AdaptiveWindow, RoundTrips } from '../src/window.ts'
import { connect, party, until } from './pair.ts'

const streamCount = 256

/** Calls `onAsked` whenever the table asks the stream whether it has something to send. */
function watch(stream: SessionStream, onAsked: () => void): void {
  Object.defineProperty(stream, 'hasOutput', {
    get: () => {
      onAsked()
      return Reflect.get(SessionStream.prototype, 'hasOutput', stream)
    },
  })
}

async function drain(stream: SessionStream, onBytes: (bytes: number) => void): Promise<void> {
  for await (const chunk of stream) onBytes(chunk.length)
}

test('a write to a session without credit asks no other stream', async () => {
  const [alice, bob] = [party(), party()]
  const { near } = await connect(alice, bob)
  const streams = Array.from({ length: streamCount }, () => near.openStream('bulk'))
  await until(() => bob.streams.length === streamCount)
  // Four times what the session takes from a sender whose peer does not read.
  for (const stream of streams) stream.write(new Uint8Array(65_536))
  await near.ping()
  const waiting = streams.filter(({ queuedBytes }) => queuedBytes > 0)
  assert.ok(waiting.length > streamCount / 2, `${waiting.length} streams wait`)
  let asked = 0
  for (const stream of streams)
    watch(stream, () => {
      asked += 1
    })
  for (const stream of streams) stream.write(new Uint8Array(1_024))
  assert.ok(asked <= 2 * streamCount, `${asked} questions at ${streamCount} writes`)
  let received = 0
  for (const stream of bob.streams)
    void drain(stream, (bytes) => {
      received += bytes
    }).catch(() => {})
  await until(() => received === streamCount * (65_536 + 1_024))
  await near.close()
})

test('short writes over many streams fill records as those over one do', async () => {
  const recordsFor = async (count: number) => {
    const [alice, bob] = [party(), party()]
    const { near, far } = await connect(alice, bob)
    let received = 0
    bob.onStream = (stream) =>
      void drain(stream, (bytes) => {
        received += bytes
      }).catch(() => {})
    const streams = Array.from({ length: count }, () => near.openStream('bulk'))
    await until(() => bob.streams.length === count)
    const before = [near.stats.recordsSent, far.stats.recordsSent] as const
    const writes = 8 * streamCount
    for (let i = 0; i < writes; i += 1)
      (streams[i % count] as SessionStream).write(new Uint8Array(1_024))
    await until(() => received === writes * 1_024)
    const records = near.stats.recordsSent - before[0]
    const answers = far.stats.recordsSent - before[1]
    await near.close()
    return { records, answers, least: (writes * 1_024) / recordBytesMax }
  }
  for (const count of [1, streamCount]) {
    const { records, answers, least } = await recordsFor(count)
    assert.ok(records <= 2 * least, `${records} records over ${count} streams`)
    assert.ok(answers <= 2 * least, `${answers} records of credit over ${count} streams`)
  }
})

/** A writer that takes frames and keeps none. */
function writerInto(sink: { frames: number }) {
  return {
    isBlocked: false,
    offset: 0,
    roomBytes: recordBytesMax - 1,
    begin: (bytes: number) => new Uint8Array(bytes),
    commit: () => {
      sink.frames += 1
    },
    flush: () => {},
  }
}

test('a stream whose lane or main stream is full is asked once, and sends when there is room', () => {
  const [onMain, onLane] = [{ frames: 0 }, { frames: 0 }]
  const main = writerInto(onMain)
  const writer = writerInto(onLane)
  const credit = new SendCredit()
  credit.raise(2 ** 30)
  const trips = new RoundTrips(new VirtualClock(), 1_000)
  const lane = { writer, noteSent: () => {}, control: () => {}, finish: () => {} }
  const send = () => table.sendOne(main as unknown as RecordWriter, credit)
  const table = new StreamTable(
    {
      hasLanes: true,
      // The first two streams have lanes.
      openLane: (id) => (id < 4 ? (lane as unknown as Lane) : undefined),
      laneOf: () => undefined,
      control: () => {},
      pump: () => {},
      releaseData: () => {},
      typeName: () => undefined,
      streamWindow: () => new AdaptiveWindow(trips, 1_000, 1_000),
      typeId: () => 1,
      incomingStream: () => {},
    },
    true,
  )
  table.configure(4, 1_000_000)
  const streams = Array.from({ length: 4 }, () => table.open('bulk'))
  for (const stream of streams) stream.write(new Uint8Array(10))
  while (send()) {}
  assert.deepEqual([onMain.frames, onLane.frames], [2, 2])
  main.isBlocked = true
  writer.isBlocked = true
  for (const stream of streams) stream.write(new Uint8Array(10))
  assert.equal(send(), false)
  let asked = 0
  for (const stream of streams)
    watch(stream, () => {
      asked += 1
    })
  for (let i = 0; i < 10; i += 1) assert.equal(send(), false)
  assert.equal(asked, 0)
  writer.isBlocked = false
  table.resume(0)
  table.resume(2)
  while (send()) {}
  assert.deepEqual([onMain.frames, onLane.frames], [2, 4], 'lanes go on without the main stream')
  main.isBlocked = false
  while (send()) {}
  assert.deepEqual([onMain.frames, onLane.frames], [4, 4])
})
