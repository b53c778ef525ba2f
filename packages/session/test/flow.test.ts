// Many streams and messages at once: each has its credit, memory is bounded on both sides, what is urgent goes
// first, and the end of a session loses nothing that was promised.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Session, SessionStream } from '@myelin/session'
import { VirtualClock, verifies } from '@myelin/testkit'
import {
  dataWindowBytes,
  dataWindowBytesMin,
  requestsPendingMax,
  sendHighWaterBytes,
  streamsMax,
  streamWindowBytes,
} from '../src/limits.ts'
import { connect, type Pair, type Party, party, until } from './pair.ts'
import { bytes } from './scene.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

async function pair(): Promise<Pair & { alice: Party; bob: Party }> {
  const clock = new VirtualClock()
  const [alice, bob] = [party({ clock }), party({ clock })]
  return { alice, bob, ...(await connect(alice, bob)) }
}

/** All bytes of a stream, as they were written. */
async function readAll(stream: SessionStream): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Writes until the stream stops taking: its credit is used up and its buffer is full. */
async function stall(stream: SessionStream): Promise<void> {
  while (stream.write(new Uint8Array(64 * 1024))) await turn()
  await turn()
}

test('a thousand streams share one session, and a stalled one slows no other', async () => {
  verifies('R020', 'R164')
  const { near, bob } = await pair()
  const texts = new Map<string, Buffer>()
  bob.onStream = (stream) => {
    if (stream.type !== 'stalled') void readAll(stream).then((text) => texts.set(stream.type, text))
  }
  const stalled = near.openStream('stalled')
  await stall(stalled)
  const streams = Array.from({ length: 999 }, (_, i) => near.openStream(`s${i}`))
  assert.equal(near.stats.streamsOpen, 1_000)
  const content = (i: number) => Buffer.alloc(8_000, `stream ${i} `)
  for (let round = 0; round < 2; round += 1) {
    for (const [i, stream] of streams.entries()) stream.write(content(i))
    await turn()
  }
  for (const stream of streams) stream.finish()
  await until(() => texts.size === 999)
  for (const [i] of streams.entries()) {
    assert.deepEqual(texts.get(`s${i}`), Buffer.concat([content(i), content(i)]))
  }
  assert.equal(stalled.queuedBytes > 0, true, 'it still waits')
  assert.equal(near.isOpen, true)
})

test('each stream has a credit of its own', async () => {
  verifies('R023', 'R164')
  const { near, far, bob } = await pair()
  const [one, other] = [near.openStream('one'), near.openStream('other')]
  await stall(one)
  await until(() => bob.streams.length === 2)
  const heldByOne = far.stats.heldBytes
  assert.ok(
    heldByOne >= streamWindowBytes && heldByOne < streamWindowBytes + 64 * 1024,
    `${heldByOne}`,
  )
  await stall(other)
  assert.ok(far.stats.heldBytes > heldByOne + streamWindowBytes / 2)
  // Reading the one moves the one alone.
  const waiting = other.queuedBytes
  const reader = (bob.streams[0] as SessionStream)[Symbol.asyncIterator]()
  for (let read = 0; read < streamWindowBytes; ) read += (await reader.next()).value?.length ?? 0
  await one.drained()
  assert.equal(other.queuedBytes, waiting)
})

test('more streams than the peer allows are refused here, and room comes back', async () => {
  const { near, far, bob } = await pair()
  bob.onStream = (stream) => stream.finish()
  const streams = Array.from({ length: streamsMax }, () => near.openStream('s'))
  assert.throws(() => near.openStream('s'), { code: 'SESSION_STREAMS_FULL' })
  streams[0]?.finish()
  await streams[0]?.[Symbol.asyncDispose]()
  await until(() => far.stats.streamsOpen === streamsMax - 1)
  await until(() => {
    try {
      near.openStream('s')
      return true
    } catch {
      return false
    }
  })
})

test('a stream that is abandoned before it left costs the peer nothing and its place comes back', async () => {
  const { near, far, bob } = await pair()
  bob.holds = true
  // Use up the session's credit, so that nothing more leaves.
  while (near.post('data', new Uint8Array(60_000))) await turn()
  for (let i = 0; i < 3 * streamsMax; i += 1) near.openStream('s').reset()
  assert.equal(near.stats.streamsOpen, 0)
  const stopped = near.openStream('s')
  stopped.stop(7)
  bob.holds = false
  for (const message of bob.messages) message.release()
  await until(() => bob.streams.length === 1)
  assert.equal(far.stats.streamsOpen, 1)
  // The peer was told to stop although that was said before the stream was opened.
  await until(() => {
    try {
      bob.streams[0]?.write(bytes('x'))
      return false
    } catch {
      return true
    }
  })
  stopped.finish()
  await until(() => near.stats.streamsOpen === 0)
})

test('too many types of streams are refused, and the session goes on', async () => {
  const { near, bob } = await pair()
  bob.onMessage = (message) => message.reply(message.payload)
  for (let i = 0; i < 1024; i += 1) near.openStream(`t${i}`).reset()
  assert.throws(() => near.openStream('one-too-many'), { code: 'SESSION_TYPES_FULL' })
  assert.throws(() => near.post('one-too-many', bytes('x')), { code: 'SESSION_TYPES_FULL' })
  assert.deepEqual((await near.request('t7', bytes('on'))).payload, bytes('on'))
})

test('a type has a name, and not too long a one', async () => {
  const { near, bob } = await pair()
  const longest = 'ä'.repeat(127)
  near.post(longest, bytes('x'))
  await until(() => bob.messages.length === 1)
  assert.equal(bob.messages[0]?.type, longest)
  for (const name of ['', 'ä'.repeat(128), 'x'.repeat(256)]) {
    assert.throws(() => near.post(name, bytes('x')), { code: 'SESSION_OPTION' })
    assert.throws(() => near.openStream(name), { code: 'SESSION_OPTION' })
  }
})

test('requests that wait are bounded', async () => {
  const { near } = await pair()
  const waiting = Array.from({ length: requestsPendingMax }, () =>
    near.request('echo', new Uint8Array(0)),
  )
  assert.equal(near.stats.requestsPending, requestsPendingMax)
  await assert.rejects(near.request('echo', new Uint8Array(0)), { code: 'SESSION_REQUESTS_FULL' })
  const outcomes = Promise.allSettled(waiting)
  await near.close()
  assert.equal(
    (await outcomes).filter(({ status }) => status === 'rejected').length,
    requestsPendingMax,
  )
  assert.equal(near.stats.requestsPending, 0)
})

test('an aborted request waits for nothing', async () => {
  const { near } = await pair()
  const abort = new AbortController()
  const waiting = near.request('echo', bytes('x'), { signal: abort.signal })
  abort.abort(new Error('enough'))
  await assert.rejects(waiting, /enough/)
  await assert.rejects(near.request('echo', bytes('x'), { signal: abort.signal }), /enough/)
  assert.equal(near.stats.requestsPending, 0)
})

test('a hundred thousand small messages wait at the sender, not in the memory of a slow receiver', async () => {
  verifies('R023', 'R092')
  const { near, far, alice, bob } = await pair()
  bob.holds = true
  let heldMost = 0
  let queuedMost = 0
  let drained = Promise.withResolvers<void>()
  alice.onDrain = () => drained.resolve()
  const payload = (i: number) => Uint8Array.of(i >>> 16, i >>> 8, i, ...new Uint8Array(97))
  const consume = async () => {
    let taken = 0
    for (; taken < 100_000; ) {
      await turn()
      // A few at a time, late.
      for (const message of bob.messages.slice(taken, taken + 500)) {
        const [a, b, c] = message.payload as Uint8Array & [number, number, number]
        assert.equal((a << 16) | (b << 8) | c, taken)
        message.release()
        taken += 1
      }
      heldMost = Math.max(heldMost, far.stats.heldBytes)
      queuedMost = Math.max(queuedMost, near.stats.queuedBytes)
    }
  }
  const produce = async () => {
    for (let i = 0; i < 100_000; i += 1) {
      drained = Promise.withResolvers()
      if (!near.post('data', payload(i))) await drained.promise
    }
  }
  await Promise.all([produce(), consume()])
  assert.ok(heldMost > dataWindowBytesMin, 'the receiver was slow indeed')
  assert.ok(heldMost <= dataWindowBytes, `${heldMost} bytes held`)
  assert.ok(queuedMost <= sendHighWaterBytes + 1_000, `${queuedMost} bytes queued`)
  assert.equal(far.stats.heldBytes, 0)
  assert.equal(bob.messages.length, 100_000)
})

test('a queue that nobody empties is full in the end', async () => {
  const { near, bob } = await pair()
  bob.holds = true
  const payload = new Uint8Array(8_000_000)
  assert.throws(
    () => {
      for (let i = 0; i < 20; i += 1) near.post('data', payload)
    },
    { code: 'SESSION_QUEUE_FULL' },
  )
  assert.ok(near.isOpen)
  const { messagesSent } = near.stats
  assert.throws(() => near.post('data', payload), { code: 'SESSION_QUEUE_FULL' })
  assert.equal(near.stats.messagesSent, messagesSent, 'what was refused was not sent')
})

test('what is critical overtakes bulk that waits', async () => {
  const { near, bob } = await pair()
  const order: string[] = []
  bob.onMessage = (message) => order.push(`${message.priority} ${message.payload.length}`)
  near.post('data', new Uint8Array(10_000_000))
  near.post('data', new Uint8Array(2))
  near.post('data', new Uint8Array(3), { priority: 'low' })
  near.post('data', new Uint8Array(1), { priority: 'high' })
  near.post('data', new Uint8Array(0), { priority: 'critical' })
  await until(() => order.length === 5)
  assert.deepEqual(order, ['critical 0', 'high 1', 'normal 10000000', 'normal 2', 'low 3'])
})

test('a large message of each priority at once is no fault', async () => {
  const { near, bob } = await pair()
  const sizes = {
    low: 15_000_001,
    normal: 15_000_002,
    high: 15_000_003,
    critical: 15_000_004,
  } as const
  for (const [priority, size] of Object.entries(sizes)) {
    near.post('data', new Uint8Array(size), { priority: priority as keyof typeof sizes })
    // The less urgent ones are well under way when the next overtakes them.
    while (near.stats.queuedBytes > 9_000_000) await turn()
  }
  await until(() => bob.messages.length === 4)
  for (const { priority, payload } of bob.messages) assert.equal(payload.length, sizes[priority])
  assert.ok(near.isOpen)
})

test('a message beyond the peer’s limit is refused here', async () => {
  const clock = new VirtualClock()
  const [alice, bob] = [party({ clock }), party({ clock, messageBytesMax: 1_000 })]
  const { near } = await connect(alice, bob)
  near.post('data', new Uint8Array(1_000))
  assert.throws(() => near.post('data', new Uint8Array(1_001)), {
    code: 'SESSION_MESSAGE_TOO_LARGE',
  })
  await assert.rejects(near.request('data', new Uint8Array(1_001)), {
    code: 'SESSION_MESSAGE_TOO_LARGE',
  })
  await until(() => bob.messages.length === 1)
})

test('what was written to streams leaves before a close', async () => {
  const { near, bob } = await pair()
  const texts: Promise<Buffer>[] = []
  bob.onStream = (stream) => void texts.push(readAll(stream))
  const stream = near.openStream('file')
  // More than the stream's credit: the rest waits for the reader.
  stream.write(new Uint8Array(3 * streamWindowBytes).fill(7))
  stream.finish()
  await near.close()
  assert.equal((await (texts[0] as Promise<Buffer>)).length, 3 * streamWindowBytes)
})

test('a close does not wait for ever for a peer that takes nothing', async () => {
  const clock = new VirtualClock()
  const [alice, bob] = [party({ clock }), party({ clock })]
  const { near } = await connect(alice, bob, {}, { isDeaf: true })
  near.openStream('s').write(new Uint8Array(2 * streamWindowBytes))
  const closing = near.close()
  await clock.advance(alice.environment.closeTimeoutMs)
  await clock.advance(alice.environment.closeTimeoutMs)
  await closing
  assert.equal(alice.ended[0]?.code, 'SESSION_CLOSED')
})

test('payloads are views of the record they came in', async () => {
  verifies('R008', 'R120')
  const { near, bob } = await pair()
  near.post('data', bytes('one'))
  near.post('data', bytes('two'))
  await until(() => bob.messages.length === 2)
  const [one, two] = bob.messages.map(({ payload }) => payload) as [Uint8Array, Uint8Array]
  assert.equal(one.buffer, two.buffer)
  assert.equal(two.byteOffset - one.byteOffset, 3 + 16)
})

test('the messages of one turn share a record; a lone one is not held back', async () => {
  const { near, bob } = await pair()
  const before = near.stats.recordsSent
  for (let i = 0; i < 100; i += 1) near.post('data', bytes('hello'))
  await until(() => bob.messages.length === 100)
  assert.equal(near.stats.recordsSent, before + 1)
  assert.equal(near.stats.messagesSent, 100)
  near.post('data', bytes('alone'))
  await Promise.resolve()
  await Promise.resolve()
  assert.equal(near.stats.recordsSent, before + 2)
})

test('messages of two senders are never compressed together', async () => {
  verifies('R036', 'R151')
  const { near, bob } = await pair()
  const secret = new Uint8Array(4_000).fill(65)
  const sizes: number[] = []
  for (const count of [1, 2]) {
    const before = near.stats.bytesSent
    for (let i = 0; i < count; i += 1) near.post('data', secret)
    await turn()
    sizes.push(near.stats.bytesSent - before)
  }
  await until(() => bob.messages.length === 3)
  assert.ok((sizes[0] as number) < 200)
  assert.ok((sizes[1] as number) > 8_000)
})

test('a message is compressed neither with a stream nor with what else shares its record', async () => {
  verifies('R036', 'R151')
  const { near } = await pair()
  const text = new Uint8Array(4_000).fill(65)
  const stream = near.openStream('s')
  await turn()
  const sentBy = async (work: () => void) => {
    const before = near.stats.bytesSent
    work()
    await turn()
    return near.stats.bytesSent - before
  }
  assert.ok((await sentBy(() => near.post('data', text))) < 200, 'alone it is')
  assert.ok((await sentBy(() => stream.write(text.slice()))) > 4_000, 'a stream is not')
  const both = () => {
    near.post('data', text)
    stream.write(text.slice())
  }
  assert.ok((await sentBy(both)) > 8_000)
})

test('short payloads are not compressed, and the threshold is an option', async () => {
  verifies('R036')
  const clock = new VirtualClock()
  const sent = async (length: number, options: { compressionThresholdBytes?: number }) => {
    const [alice, bob] = [party({ clock, ...options }), party({ clock })]
    const { near } = await connect(alice, bob)
    const before = near.stats.bytesSent
    near.post('data', new Uint8Array(length).fill(65))
    await until(() => bob.messages.length === 1)
    return near.stats.bytesSent - before
  }
  const overhead = 10 + 16 + 16
  assert.equal(await sent(400, {}), 400 + overhead)
  assert.ok((await sent(600, {})) < 100)
  assert.ok((await sent(400, { compressionThresholdBytes: 100 })) < 100)
})

test('both ends see the same session and end it once', async () => {
  const { near, far, alice, bob } = await pair()
  const ends = (session: Session) => session.transcript
  assert.deepEqual(ends(near), ends(far))
  assert.deepEqual([near.isInitiator, far.isInitiator], [true, false])
  await Promise.all([near.close(), near.close(), far.close()])
  assert.deepEqual([alice.ended.length, bob.ended.length], [1, 1])
  assert.throws(() => near.openStream('s'), { code: 'SESSION_CLOSED' })
  assert.throws(() => near.ping(), { code: 'SESSION_CLOSED' })
})
