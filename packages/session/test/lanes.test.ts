// Streams on lanes: what is lost of one holds up no other, and what a peer may not do on a lane ends the session.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acceptSession, dialSession, type Session, type SessionStream } from '@myelin/session'
import { SeededRandom, verifies } from '@myelin/testkit'
import { quic } from '@myelin/transport'
import { type LanedEnd, lanedWire, type Tap } from './laned.ts'
import { type Party, party, until } from './pair.ts'

interface Laned {
  readonly alice: Party
  readonly bob: Party
  readonly near: Session
  readonly far: Session
  readonly nearEnd: LanedEnd
  readonly farEnd: LanedEnd
}

async function connectLaned(options: Parameters<typeof party>[0] = {}): Promise<Laned> {
  const [alice, bob] = [party(options), party(options)]
  const [nearEnd, farEnd] = lanedWire()
  const accepting = acceptSession(farEnd.stream, bob.environment, { handlers: bob.handlers })
  const near = await dialSession(nearEnd.stream, alice.environment, {
    handlers: alice.handlers,
    expected: bob.keys.agent,
  })
  return { alice, bob, near, far: await accepting, nearEnd, farEnd }
}

async function textOf(stream: SessionStream): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const arrived = async (bob: Party, type: string): Promise<SessionStream> => {
  await until(() => bob.streams.some((stream) => stream.type === type))
  return bob.streams.find((stream) => stream.type === type) as SessionStream
}

/** Sends back what comes. */
const answering = (bob: Party) => {
  bob.onStream = async (stream) => {
    for await (const chunk of stream) stream.write(chunk)
    stream.finish()
  }
}

test('each stream has a lane of its own, and both directions use it', async () => {
  const { bob, near, nearEnd, farEnd } = await connectLaned()
  answering(bob)
  for (const type of ['one', 'data', 'two']) {
    const stream = near.openStream(type)
    stream.write(Buffer.from(`to ${type}`))
    stream.finish()
    assert.equal(await textOf(stream), `to ${type}`)
    await stream.closed()
  }
  assert.equal(nearEnd.opened.length, 3)
  assert.equal(farEnd.opened.length, 0)
  const lanes = [...nearEnd.opened, ...farEnd.given]
  await until(() => lanes.every(({ isEnded }) => isEnded))
  const wire = lanes.flatMap(({ written }) => written)
  assert.equal(Buffer.concat(wire).includes('to one'), false, 'sealed')
})

test('a lane that stalls holds up neither another stream nor messages', async () => {
  verifies('R017')
  const { bob, near, nearEnd } = await connectLaned()
  answering(bob)
  nearEnd.onOpen = (lane) => lane.hold()
  const slow = near.openStream('slow')
  slow.write(Buffer.from('late'))
  slow.finish()
  await until(() => nearEnd.opened.length === 1)
  nearEnd.onOpen = () => {}
  const quick = near.openStream('quick')
  quick.write(Buffer.from('soon'))
  quick.finish()
  assert.equal(await textOf(quick), 'soon')
  near.post('data', Uint8Array.of(1))
  await until(() => bob.messages.length === 1)
  assert.equal(bob.streams.length, 1, 'the later stream came first')
  nearEnd.opened[0]?.let()
  assert.equal(await textOf(slow), 'late')
})

test('a lane overtakes the main stream, on which its type was defined', async () => {
  const { bob, near, nearEnd } = await connectLaned()
  nearEnd.stream.hold()
  const stream = near.openStream('a-type-of-its-own')
  stream.write(Buffer.from('first'))
  stream.finish()
  assert.equal(await textOf(await arrived(bob, 'a-type-of-its-own')), 'first')
  nearEnd.stream.let()
  await near.ping()
})

test('a lane that is there before the settings of its side waits for them', async () => {
  const [alice, bob] = [party(), party()]
  const [nearEnd, farEnd] = lanedWire()
  const accepting = acceptSession(farEnd.stream, bob.environment, { handlers: bob.handlers })
  // Of XX the initiator sends two messages; what comes third are its settings.
  nearEnd.stream.heldFrom = 2
  const near = await dialSession(nearEnd.stream, alice.environment, { handlers: alice.handlers })
  const stream = near.openStream('data')
  stream.write(Buffer.from('early'))
  stream.finish()
  await until(() => farEnd.given.length === 1)
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(bob.streams.length, 0)
  nearEnd.stream.let()
  assert.equal(await textOf(await arrived(bob, 'data')), 'early')
  await accepting
})

test('keys of lanes move on at the same limits', async () => {
  const rekey = { messages: 1_000, bytes: 10_000, ms: 3_600_000 }
  const { bob, near } = await connectLaned({ rekey })
  answering(bob)
  const stream = near.openStream('data')
  const sent = 'x'.repeat(300_000)
  stream.write(Buffer.from(sent))
  stream.finish()
  assert.equal(await textOf(stream), sent)
  assert.ok(near.stats.rekeysSent >= 4 && near.stats.rekeysReceived >= 4)
  assert.ok(near.stats.bytesSent > 300_000 && near.stats.bytesReceived > 300_000)
})

test('whatever is held back and in which order, all streams get all their bytes', async () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const random = new SeededRandom(seed)
    const isHeads = () => random.u32() % 2 === 0
    const { bob, near, far, nearEnd, farEnd } = await connectLaned()
    answering(bob)
    nearEnd.onOpen = (lane) => (isHeads() ? lane.hold() : undefined)
    const sent = Array.from({ length: 12 }, (_, i) => `${i} `.repeat(5_000))
    const echoes = sent.map(async (text, i) => {
      const stream = near.openStream(`type-${i}`)
      stream.write(Buffer.from(text))
      stream.finish()
      return await textOf(stream)
    })
    let isDone = false
    const all = Promise.all(echoes).finally(() => {
      isDone = true
    })
    while (!isDone) {
      for (const tap of [nearEnd.stream, farEnd.stream, ...nearEnd.opened, ...farEnd.given])
        if (isHeads()) tap.let()
        else tap.hold()
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.deepEqual(await all, sent, `seed ${seed}`)
    assert.ok(near.isOpen && far.isOpen)
  }
})

test('where no lane is to be had a stream goes over the main stream', async () => {
  const { bob, near, nearEnd } = await connectLaned()
  answering(bob)
  nearEnd.room = 1
  for (const text of ['on a lane', 'beside', 'again']) {
    const stream = near.openStream('data')
    stream.write(Buffer.from(text))
    stream.finish()
    assert.equal(await textOf(stream), text)
  }
  assert.equal(nearEnd.opened.length, 1)
})

test('a session that closes lets arrive what is under way on lanes', async () => {
  const { bob, near, far, nearEnd } = await connectLaned({ closeTimeoutMs: 10_000 })
  nearEnd.onOpen = (lane) => lane.hold()
  const stream = near.openStream('data')
  stream.write(Buffer.from('the last words'))
  stream.finish()
  await until(() => nearEnd.opened.length === 1)
  const closing = near.close()
  await far.ping()
  assert.equal(bob.ended.length, 0)
  nearEnd.opened[0]?.let()
  assert.equal(await textOf(await arrived(bob, 'data')), 'the last words')
  await closing
  assert.equal(bob.ended[0]?.code, 'SESSION_CLOSED')
})

test('resets and stops reach the other side over the lane', async () => {
  const { bob, near, far } = await connectLaned()
  const stream = near.openStream('data')
  stream.write(Uint8Array.of(1))
  const there = await arrived(bob, 'data')
  stream.reset(7)
  await assert.rejects(textOf(there), /code 7/)
  there.write(Uint8Array.of(2))
  stream.stop()
  await stream.closed()
  await there.closed()
  assert.ok(near.isOpen && far.isOpen)
})

// ── Attacks ──────────────────────────────────────────────────────────────────────────────────────────────

/** The clear packet that names a stream. */
function naming(lane: Tap): Uint8Array {
  return lane.written[0] as Uint8Array
}

/** Writes these packets on a new lane, as somebody between the two could. */
async function attack(
  { nearEnd, bob, alice }: Laned,
  packets: readonly Uint8Array[],
  code: string,
): Promise<void> {
  const lane = nearEnd.stream.lanes?.open()
  lane?.attach({ data: () => {}, drain: () => {}, end: () => {}, closed: () => {} })
  for (const packet of packets) lane?.write(packet.slice())
  await until(() => bob.ended.length === 1 && alice.ended.length === 1)
  assert.equal(bob.ended[0]?.code, code)
}

async function withStream(): Promise<{ laned: Laned; lane: Tap }> {
  const laned = await connectLaned()
  const stream = laned.near.openStream('data')
  stream.write(Buffer.from('once'))
  stream.finish()
  assert.equal(await textOf(await arrived(laned.bob, 'data')), 'once')
  return { laned, lane: laned.nearEnd.opened[0] as Tap }
}

const renamed = (name: Uint8Array, id: number) => {
  const packet = name.slice()
  new DataView(packet.buffer).setUint32(packet.length - 4, id)
  return packet
}

test('a lane that is replayed, or names a stream that there was, ends the session', async () => {
  const { laned, lane } = await withStream()
  await attack(laned, lane.written, 'SESSION_PROTOCOL')
})

test('records of one lane open on no other', async () => {
  const { laned, lane } = await withStream()
  const [name, ...records] = lane.written as [Uint8Array, ...Uint8Array[]]
  await attack(laned, [renamed(name, 2), ...records], 'SESSION_RECORD_OPEN')
})

test('a record of the main stream opens on no lane', async () => {
  const { laned, lane } = await withStream()
  const record = laned.nearEnd.stream.written.at(-1) as Uint8Array
  await attack(laned, [renamed(naming(lane), 2), record], 'SESSION_RECORD_OPEN')
})

test('a lane for a stream of the other side, or far beyond its bounds, ends the session', async () => {
  for (const id of [1, 4 * 1024 + 2, 0xffff_fffe]) {
    const { laned, lane } = await withStream()
    await attack(laned, [renamed(naming(lane), id)], 'SESSION_PROTOCOL')
  }
})

test('a lane that does not say whose it is, or says more in the clear, ends the session', async () => {
  const { laned, lane } = await withStream()
  await attack(laned, [lane.written[1] as Uint8Array], 'SESSION_PROTOCOL')
  const other = await withStream()
  const name = renamed(naming(other.lane), 2)
  await attack(other.laned, [name, name], 'SESSION_PROTOCOL')
})

test('a lane that breaks or ends before its stream does ends the session', async () => {
  for (const end of ['end', 'destroy'] as const) {
    const { bob, near, nearEnd } = await connectLaned()
    const stream = near.openStream('data')
    stream.write(Uint8Array.of(1))
    await arrived(bob, 'data')
    nearEnd.opened[0]?.[end]()
    await until(() => bob.ended.length === 1)
    assert.equal(bob.ended[0]?.code, 'SESSION_PROTOCOL')
  }
})

test('with the session its lanes end: nothing is delivered, and new ones are ignored', async () => {
  const { bob, near, far, nearEnd } = await connectLaned()
  const stream = near.openStream('data')
  stream.write(Uint8Array.of(1))
  const there = await arrived(bob, 'data')
  await far.close()
  await assert.rejects(textOf(there))
  await until(() => !near.isOpen)
  const lane = nearEnd.stream.lanes?.open()
  lane?.attach({ data: () => {}, drain: () => {}, end: () => {}, closed: () => {} })
  lane?.write(Uint8Array.of(1, 2, 3))
  assert.equal(bob.streams.length, 1)
})

// ── Over QUIC ────────────────────────────────────────────────────────────────────────────────────────────

test('over QUIC fifty streams at once keep their bytes, and the session closes in order', async () => {
  const [alice, bob] = [party(), party()]
  answering(bob)
  const accepted = Promise.withResolvers<Session>()
  const transport = quic()
  await using listener = await transport.listen('/ip4/127.0.0.1/udp/0/quic-v1', (stream) => {
    acceptSession(stream, bob.environment, { handlers: bob.handlers }).then(
      accepted.resolve,
      accepted.reject,
    )
  })
  const wire = await transport.dial(listener.addresses[0] ?? '')
  const near = await dialSession(wire, alice.environment, {
    handlers: alice.handlers,
    expected: bob.keys.agent,
  })
  await accepted.promise
  const echoes = Array.from({ length: 50 }, async (_, i) => {
    const stream = near.openStream(`type-${i}`)
    const sent = `${i} `.repeat(20_000)
    stream.write(Buffer.from(sent))
    stream.finish()
    assert.equal(await textOf(stream), sent)
    await stream.closed()
  })
  await Promise.all(echoes)
  await near.close()
  await until(() => bob.ended.length === 1)
  assert.equal(bob.ended[0]?.code, 'SESSION_CLOSED')
})
