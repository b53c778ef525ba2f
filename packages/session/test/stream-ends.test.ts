// How a stream ends for whoever writes, waits or reads: its writers never wait for room that will not come.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SessionStream } from '@myelin/session'
import { VirtualClock } from '@myelin/testkit'
import { encodeFrame, streamFlags } from '@myelin/wire'
import { streamHighWaterBytes } from '../src/limits.ts'
import { connect, party, until } from './pair.ts'
import { rogueSession } from './rogue.ts'
import { small, stream } from './rogue-frames.ts'
import { scene } from './scene.ts'

/** A stream whose peer does not read, so that its buffer is full. */
async function stalled() {
  const clock = new VirtualClock()
  const [alice, bob] = [party({ clock }), party({ clock })]
  const { near, far } = await connect(alice, bob)
  const writer = near.openStream('stalled')
  await writer.drained()
  while (writer.write(new Uint8Array(64 * 1024))) await near.ping()
  await until(() => bob.streams.length === 1)
  return { near, far, writer, reader: bob.streams[0] as SessionStream }
}

test('who waits for room learns that the session has ended, then and later', async () => {
  const { far, writer } = await stalled()
  assert.ok(writer.queuedBytes >= streamHighWaterBytes)
  const waits = [writer.drained(), writer.closed()].map((wait) =>
    assert.rejects(wait, { code: 'SESSION_CLOSED' }),
  )
  await far.close()
  await Promise.all(waits)
  await assert.rejects(writer.drained(), { code: 'SESSION_CLOSED' })
  await assert.rejects(writer.closed(), { code: 'SESSION_CLOSED' })
  assert.throws(() => writer.write(small), { code: 'SESSION_CLOSED' })
})

test('who waits for room goes on when the peer wants no more, and hears it at the next write', async () => {
  const { writer, reader } = await stalled()
  const waiting = writer.drained()
  reader.stop()
  await waiting
  assert.equal(writer.queuedBytes, 0)
  assert.throws(() => writer.write(small), { code: 'SESSION_STREAM_STATE' })
})

test('a stream is left without a fault when its session is lost', async () => {
  const { far, writer } = await stalled()
  const disposing = writer[Symbol.asyncDispose]()
  await far.close()
  await disposing
})

test('a reset behind the end changes nothing of what was sent', async () => {
  const { alice, bob } = await scene()
  const { send, far } = await rogueSession(alice, bob)
  const { open, fin } = streamFlags
  send(stream(open, 0, small), stream(fin, 0, small), encodeFrame.streamReset(0, 9))
  await until(() => bob.streams.length === 1)
  let read = 0
  for await (const chunk of bob.streams[0] as SessionStream) read += chunk.length
  assert.equal(read, 2)
  assert.ok(far.isOpen)
})
