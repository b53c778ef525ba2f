// What is asked of a session at its end and beyond, and what it forgets on the way: pings, replies, connections.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acceptSession, dialSession } from '@myelin/session'
import { VirtualClock } from '@myelin/testkit'
import type { ByteStream, ByteStreamHandlers } from '@myelin/transport'
import { pingsMax } from '../src/limits.ts'
import { Lingering } from '../src/lingering.ts'
import { decodeFailure } from '../src/request-failure.ts'
import { connect, party, until, wire } from './pair.ts'
import { bytes } from './scene.ts'

test('a session is closed at the end of its scope', async () => {
  const [alice, bob] = [party(), party()]
  const { near } = await connect(alice, bob)
  {
    await using session = near
    assert.ok(session.isOpen)
  }
  assert.equal(near.isOpen, false)
  await until(() => bob.ended.length === 1)
  assert.equal(bob.ended[0]?.code, 'SESSION_CLOSED')
})

test('an answer to a session that has ended goes nowhere, and its message is released once', async () => {
  const [alice, bob] = [party(), party()]
  bob.holds = true
  const { near, far } = await connect(alice, bob)
  near.request('echo', bytes('x')).catch(() => {})
  near.post('data', bytes('y'))
  await until(() => bob.messages.length === 2)
  const [request, other] = bob.messages
  const held = far.stats.heldBytes
  other?.release()
  const heldByOne = far.stats.heldBytes
  assert.ok(heldByOne > 0 && heldByOne < held)
  other?.release()
  assert.equal(far.stats.heldBytes, heldByOne, 'a second release gives nothing')
  await near.close()
  await until(() => !far.isOpen)
  assert.equal(request?.reply(bytes('late')), false)
  assert.equal(request?.fail(1, 'late'), false)
  request?.release()
  assert.equal(far.stats.heldBytes, 0)
})

test('a ping is answered, or forgotten behind many others that are not', async () => {
  const clock = new VirtualClock()
  const [alice, bob] = [party({ clock }), party({ clock })]
  const { near } = await connect(alice, bob)
  const answers = Array.from({ length: pingsMax }, () => near.ping())
  assert.equal((await Promise.all(answers)).length, pingsMax)

  const deaf = await connect(alice, bob, {}, { isDeaf: true })
  const settled: string[] = []
  const note = (number: number) => (error: { code?: string }) =>
    void settled.push(`${number} ${error.code}`)
  for (let i = 0; i < pingsMax; i += 1) deaf.near.ping().catch(note(i))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(settled.length, 0)
  deaf.near.ping().catch(note(pingsMax))
  await until(() => settled.length > 0)
  assert.deepEqual(settled, ['0 SESSION_REQUEST_TIMEOUT'])
  void deaf.near.close()
  await until(() => settled.length === pingsMax + 1)
  assert.ok(settled.slice(1).every((line) => line.endsWith('SESSION_CLOSED')))
})

test('a failure whose reason is no text is a failure all the same', () => {
  const unreadable = decodeFailure(Uint8Array.of(1, 2, 0xff, 0xfe))
  assert.deepEqual([unreadable.remoteCode, unreadable.remoteMessage], [258, 'no reason given'])
  assert.equal(decodeFailure(new Uint8Array(0)).code, 'SESSION_REQUEST_FAILED')
})

test('of the connections that linger the oldest goes when there are too many, the others in time', async () => {
  const clock = new VirtualClock()
  const cut: string[] = []
  const connection = (name: string) => ({ destroy: () => cut.push(name) }) as unknown as ByteStream
  const lingering = new Lingering({ clock, lingerMs: 1_000, streamsMax: 2 })
  lingering.add(connection('a'))
  await clock.advance(400)
  lingering.add(connection('b'))
  assert.deepEqual(cut, [])
  lingering.add(connection('c'))
  assert.deepEqual(cut, ['a'])
  await clock.advance(999)
  assert.deepEqual(cut, ['a'])
  await clock.advance(1)
  assert.deepEqual(cut, ['a', 'b', 'c'])
})

/** A transport that says "go on" from within each write, as one whose socket takes all at once may. */
function eager(stream: ByteStream): ByteStream {
  let handlers: ByteStreamHandlers | undefined
  const [attach, write] = [stream.attach.bind(stream), stream.write.bind(stream)]
  return Object.assign(stream, {
    attach: (given: ByteStreamHandlers) => {
      handlers = given
      attach(given)
    },
    write: (chunk: Uint8Array) => {
      const hasRoom = write(chunk)
      handlers?.drain()
      return hasRoom
    },
  })
}

test('a transport that calls back from within a write disturbs no order', async () => {
  const [alice, bob] = [party(), party()]
  const [near, far] = await wire()
  const accepting = acceptSession(far, bob.environment, { handlers: bob.handlers })
  const session = await dialSession(eager(near), alice.environment, { handlers: alice.handlers })
  await accepting
  const large = new Uint8Array(3_000_000).map((_, i) => i * 7)
  const stream = session.openStream('file')
  stream.write(large.slice())
  stream.finish()
  session.post('data', large)
  for (let i = 0; i < 100; i += 1) session.post('data', Uint8Array.of(i))
  const read: Uint8Array[] = []
  await until(() => bob.streams.length === 1)
  for await (const chunk of bob.streams[0] ?? []) read.push(chunk)
  await until(() => bob.messages.length === 101)
  assert.equal(Buffer.compare(Buffer.concat(read), large), 0)
  assert.equal(Buffer.compare(bob.messages[0]?.payload as Uint8Array, large), 0)
  assert.deepEqual(
    bob.messages.slice(1).map(({ payload }) => payload[0]),
    Array.from({ length: 100 }, (_, i) => i),
  )
})
