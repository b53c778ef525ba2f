import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RequestFailure } from '@myelin/session'
import { verifies } from '@myelin/testkit'
import { connect, party, until } from './pair.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

test('a request is answered, in both directions', async () => {
  const [alice, bob] = [party(), party()]
  alice.onMessage = (message) => message.reply(bytes('from alice'))
  bob.onMessage = (message) => message.reply(message.payload)
  const { near, far } = await connect(alice, bob)
  assert.deepEqual((await near.request('echo', bytes('hello'))).payload, bytes('hello'))
  assert.equal(
    Buffer.from((await far.request('echo', bytes('x'))).payload).toString(),
    'from alice',
  )
  await near.close()
})

test('sessions are hybrid by default, XK with the static key and XX without', async () => {
  verifies('R002', 'R034')
  const [alice, bob] = [party(), party()]
  assert.equal((await connect(alice, bob)).near.pattern, 'XXhfs')
  const { near, far } = await connect(alice, bob, { staticKey: bob.keys.staticKey.publicKey })
  assert.equal(near.pattern, 'XKhfs')
  assert.deepEqual(near.transcript, far.transcript)
  assert.equal(far.peer.agent, alice.keys.agent)
  assert.equal(near.peer.agent, bob.keys.agent)
})

test('messages arrive once and in order, with custom types', async () => {
  verifies('R020', 'R092')
  const [alice, bob] = [party(), party()]
  const { near } = await connect(alice, bob)
  for (let i = 0; i < 5000; i += 1)
    near.post(i % 2 === 0 ? 'data' : 'my-type', new Uint8Array([i >> 8, i & 255]))
  await until(() => bob.messages.length === 5000)
  bob.messages.forEach((message, i) => {
    assert.equal(message.type, i % 2 === 0 ? 'data' : 'my-type')
    assert.equal(((message.payload[0] as number) << 8) | (message.payload[1] as number), i)
  })
})

test('a large message is cut into parts and joined again', async () => {
  const [alice, bob] = [party(), party()]
  const { near } = await connect(alice, bob)
  const payload = new Uint8Array(10_000_000).map((_, i) => i * 7)
  near.post('data', payload)
  near.post('data', bytes('after'))
  await until(() => bob.messages.length === 2)
  const sizes = bob.messages.map((message) => message.payload.length).sort((a, b) => a - b)
  assert.deepEqual(sizes, [5, 10_000_000])
  const large = bob.messages.find((message) => message.payload.length > 5)
  assert.deepEqual(Buffer.compare(large?.payload as Uint8Array, payload), 0)
})

test('a failing handler answers with a failure that carries its number', async () => {
  const [alice, bob] = [party(), party()]
  bob.onMessage = (message) => message.fail(7, 'no')
  const { near } = await connect(alice, bob)
  await assert.rejects(near.request('echo', bytes('x')), (error) => {
    assert.ok(error instanceof RequestFailure)
    assert.deepEqual([error.remoteCode, error.remoteMessage], [7, 'no'])
    return true
  })
})

test('a request that nobody answers times out with its own code', async () => {
  const [alice, bob] = [party(), party()]
  const { near } = await connect(alice, bob)
  await assert.rejects(near.request('echo', bytes('x'), { timeoutMs: 5 }), {
    code: 'SESSION_REQUEST_TIMEOUT',
  })
  assert.equal(near.stats.requestsPending, 0)
})

test('closing tells the peer why and fails what waits', async () => {
  const [alice, bob] = [party(), party()]
  const { near, far } = await connect(alice, bob)
  const waiting = assert.rejects(near.request('echo', bytes('x')), { code: 'SESSION_GOING_AWAY' })
  await far.close('SESSION_GOING_AWAY', 'maintenance')
  await waiting
  assert.equal(alice.ended[0]?.code, 'SESSION_GOING_AWAY')
  assert.throws(() => near.post('data', bytes('x')), { code: 'SESSION_GOING_AWAY' })
})

test('what was posted before a close arrives', async () => {
  const [alice, bob] = [party({ closeTimeoutMs: 60_000 }), party()]
  const { near } = await connect(alice, bob)
  for (let i = 0; i < 100; i += 1) near.post('data', new Uint8Array(100_000))
  await near.close()
  assert.equal(bob.messages.length, 100)
})

test('keys rotate by messages without losing one', async () => {
  verifies('R029')
  const rekey = { messages: 10, bytes: Number.MAX_SAFE_INTEGER, ms: Number.MAX_SAFE_INTEGER }
  const [alice, bob] = [party({ rekey }), party({ rekey })]
  bob.onMessage = (message) => message.reply(message.payload)
  const { near, far } = await connect(alice, bob)
  const replies = await Promise.all(
    Array.from({ length: 1000 }, (_, i) => near.request('echo', new Uint8Array([i & 255]))),
  )
  assert.equal(replies.length, 1000)
  assert.equal(near.stats.rekeysSent, 100)
  assert.equal(far.stats.rekeysReceived, 100)
  assert.equal(near.stats.rekeysReceived, 100)
})

test('keys rotate by bytes and by time', async () => {
  verifies('R029')
  const byBytes = party({ rekey: { messages: 1e9, bytes: 1_000_000, ms: 1e9 } })
  const bob = party()
  const { near } = await connect(byBytes, bob)
  for (let i = 0; i < 100; i += 1) near.post('data', new Uint8Array(50_000))
  await until(() => bob.messages.length === 100)
  assert.ok(
    near.stats.rekeysSent >= 4 && near.stats.rekeysSent <= 6,
    `${near.stats.rekeysSent} rekeys for 5 MB`,
  )
  const byTime = party({ rekey: { messages: 1e9, bytes: 1e15, ms: 0 } })
  const second = await connect(byTime, bob)
  second.near.post('data', bytes('x'))
  await until(() => bob.messages.length === 101)
  assert.ok(second.near.stats.rekeysSent >= 1)
})

test('two sessions of the same agents share no key material', async () => {
  verifies('R030')
  const [alice, bob] = [party(), party()]
  const first = await connect(alice, bob)
  const second = await connect(alice, bob)
  assert.notDeepEqual(first.near.transcript, second.near.transcript)
})

test('a slow receiver bounds what the sender holds', async () => {
  verifies('R023')
  const [alice, bob] = [party(), party()]
  bob.holds = true
  const { near, far } = await connect(alice, bob)
  let posted = 0
  let isOpen = true
  const payload = new Uint8Array(50_000)
  while (isOpen) {
    isOpen = near.post('data', payload)
    posted += 1
    if (posted % 8 === 0) await new Promise((resolve) => setImmediate(resolve))
    assert.ok(posted < 1000, 'the sender was never told to wait')
  }
  assert.ok(near.stats.queuedBytes <= 1024 * 1024 + payload.length)
  assert.ok(far.stats.heldBytes <= 4 * 1024 * 1024)
  const drained = Promise.withResolvers<void>()
  alice.onDrain = drained.resolve
  bob.holds = false
  for (const message of bob.messages) message.release()
  await drained.promise
  await until(() => bob.messages.length === posted)
})

test('streams carry bytes both ways, in order, under their own credit', async () => {
  verifies('R020')
  const [alice, bob] = [party(), party()]
  bob.onStream = async (stream) => {
    assert.equal(stream.type, 'copy')
    for await (const chunk of stream) if (!stream.write(chunk.slice())) await stream.drained()
    stream.finish()
  }
  const { near } = await connect(alice, bob)
  const stream = near.openStream('copy')
  const sent = new Uint8Array(5_000_000).map((_, i) => i * 31)
  const writing = (async () => {
    for (let at = 0; at < sent.length; at += 70_000) {
      if (!stream.write(sent.subarray(at, at + 70_000))) await stream.drained()
    }
    stream.finish()
  })()
  const parts: Uint8Array[] = []
  for await (const chunk of stream) parts.push(chunk)
  await writing
  assert.equal(Buffer.compare(Buffer.concat(parts), sent), 0)
  await stream.closed()
  assert.equal(near.stats.streamsOpen, 0)
})

test('a stalled stream slows no other', async () => {
  const [alice, bob] = [party(), party()]
  const { near } = await connect(alice, bob)
  const stalled = near.openStream('stalled')
  while (stalled.write(new Uint8Array(100_000)))
    await new Promise((resolve) => setImmediate(resolve))
  const other = near.openStream('other')
  other.write(bytes('hello'))
  await until(() => bob.streams.length === 2)
  const reader = (bob.streams[1] as (typeof bob.streams)[number])[Symbol.asyncIterator]()
  assert.equal(Buffer.from((await reader.next()).value as Uint8Array).toString(), 'hello')
})

test('a reset and a stop reach the other side', async () => {
  const [alice, bob] = [party(), party()]
  const { near } = await connect(alice, bob)
  const stream = near.openStream('s')
  stream.write(bytes('x'))
  await until(() => bob.streams.length === 1)
  stream.reset(9)
  const reader = (bob.streams[0] as (typeof bob.streams)[number])[Symbol.asyncIterator]()
  await reader.next()
  await assert.rejects(reader.next(), { code: 'SESSION_STREAM_RESET' })
  bob.streams[0]?.reset()
  await stream[Symbol.asyncDispose]()
  assert.ok(near.isOpen)
})

test('a compressible message crosses compressed', async () => {
  verifies('R036')
  const [alice, bob] = [party(), party()]
  const { near } = await connect(alice, bob)
  const before = near.stats.bytesSent
  near.post('data', new Uint8Array(60_000).fill(65))
  await until(() => bob.messages.length === 1)
  assert.equal(near.agreement.compression, 'zstd')
  assert.ok(near.stats.bytesSent - before < 1000)
  assert.equal(bob.messages[0]?.payload.length, 60_000)
})
