// Datagrams between two agents over real UDP on the loopback interface: what the wire shows, who is refused, what
// strangers can cause, and what a restart begins with.

import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { type TestContext, test } from 'node:test'
import { withDeadline } from '@myelin/base'
import { memoryStore, systemClock } from '@myelin/base/system'
import { type DatagramChannel, FabricError } from '@myelin/fabric'
import { type CreateAgentOptions, createAgent, type NodeAgent } from '@myelin/node'
import { verifies } from '@myelin/testkit'
import { type DatagramTransport, TransportError, udp, udpEndpoint } from '@myelin/transport'

verifies('R016', 'R001', 'R002')

const marker = 'MYELIN-PLAINTEXT-MARKER'
const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const soon = <Value>(work: Promise<Value>, what: string) =>
  withDeadline(work, { clock: systemClock, timeoutMs: 15_000, what })

interface Seen {
  readonly direction: 'in' | 'out'
  readonly bytes: Buffer
  readonly peer: string
}

/** UDP whose every datagram is kept. */
function recorded(seen: Seen[]): DatagramTransport {
  const inner = udp()
  return {
    kind: 'datagram',
    name: 'udp',
    handles: inner.handles,
    bind: async (address) => {
      const socket = await inner.bind(address)
      return {
        kind: 'datagram',
        transport: 'udp',
        localAddress: socket.localAddress,
        datagramBytesMax: socket.datagramBytesMax,
        attach: (handlers) =>
          socket.attach({
            message: (bytes, from) => {
              seen.push({ direction: 'in', bytes: Buffer.from(bytes), peer: from })
              handlers.message(bytes, from)
            },
            closed: (error) => handlers.closed(error),
          }),
        send: (bytes, to) => {
          seen.push({ direction: 'out', bytes: Buffer.from(bytes), peer: to })
          return socket.send(bytes, to)
        },
        close: () => socket.close(),
      }
    },
  }
}

async function agent(t: TestContext, options: CreateAgentOptions = {}): Promise<NodeAgent> {
  const created = await createAgent({
    listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/udp/0'],
    ...options,
  })
  t.after(() => created.close({ drainMs: 0 }))
  return created
}

/** Bob knows alice and takes part in her channels. */
async function pair(t: TestContext, { aliceSees = [] as Seen[], bobSees = [] as Seen[] } = {}) {
  const alice = await agent(t, { datagramTransport: recorded(aliceSees) })
  const bob = await agent(t, {
    datagramTransport: recorded(bobSees),
    trust: [{ agent: alice.id }],
  })
  await alice.trust.add({ agent: bob.id, roles: ['member'], source: 'manual', addedMs: 0 })
  return { alice, bob, to: bob.addresses[0] ?? assert.fail() }
}

async function take(channel: DatagramChannel<Uint8Array>, count: number): Promise<string[]> {
  const texts: string[] = []
  const read = async () => {
    for await (const { payload } of channel) {
      texts.push(textOf(payload))
      if (texts.length === count) return
    }
  }
  await soon(read(), `${count} datagrams (there are ${texts.length})`)
  return texts
}

/** Datagrams may be lost on the loopback interface too, so a test goes on without the last ones after a while. */
async function until(condition: () => boolean): Promise<void> {
  const signal = AbortSignal.timeout(2_000)
  while (!condition() && !signal.aborted) await new Promise((resolve) => setImmediate(resolve))
}

/** Once now and then every 50 ms, as nobody promises that a datagram arrives. */
async function repeat(t: TestContext, action: () => void): Promise<void> {
  const timer = setInterval(action, 50)
  t.after(() => clearInterval(timer))
  action()
}

async function plainSocket(t: TestContext): Promise<Socket> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  t.after(() => new Promise<void>((resolve) => socket.close(() => resolve())))
  return socket
}

test('messages go both ways, share datagrams, and the wire never shows what they say', async (t) => {
  const aliceSees: Seen[] = []
  const { alice, bob, to } = await pair(t, { aliceSees })
  const accepted = Promise.withResolvers<DatagramChannel<Uint8Array>>()
  bob.handleDatagrams('data', (channel) => accepted.resolve(channel))
  const channel = await soon(alice.datagrams(to), 'the channel')
  const theirs = await soon(accepted.promise, 'the other end')
  await soon(theirs.ready, 'the path back')
  assert.equal(channel.remoteAddress, bob.datagramAddresses[0])
  assert.equal(theirs.remoteAddress, alice.datagramAddresses[0])

  const before = channel.stats.datagramsSent
  const texts = Array.from({ length: 10 }, (_, i) => `${marker} ${i}`)
  for (const text of texts) assert.equal(channel.send(bytesOf(text)), true)
  assert.deepEqual(await take(theirs, 10), texts)
  assert.equal(channel.stats.datagramsSent - before, 1, 'one datagram for a turn')
  assert.ok(theirs.send(bytesOf(`${marker} back`)))
  assert.deepEqual(await take(channel, 1), [`${marker} back`])
  assert.equal(theirs.stats.lost, 0)
  assert.ok(aliceSees.length > 4)
  for (const { bytes } of aliceSees) assert.equal(bytes.includes(marker), false)

  const tooLong = new Uint8Array(channel.payloadBytesMax + 1)
  assert.throws(
    () => channel.send(tooLong),
    (error) => error instanceof FabricError && error.code === 'FABRIC_DATAGRAM_TOO_LARGE',
  )
  assert.ok(channel.send(tooLong.subarray(1)))
  await soon(bob.disconnect(alice.id), 'the end of the session')
  assert.equal(await soon(channel.closed, 'the end of the channel'), 'the session has ended')
  assert.equal(channel.send(bytesOf('late')), false)
})

test('who is not in a session is not heard and gets no answer, whatever it sends', async (t) => {
  const bobSees: Seen[] = []
  const { alice, bob, to } = await pair(t, { bobSees })
  const accepted = Promise.withResolvers<DatagramChannel<Uint8Array>>()
  bob.handleDatagrams('data', (channel) => accepted.resolve(channel))
  const channel = await soon(alice.datagrams(to), 'the channel')
  const theirs = await soon(accepted.promise, 'the other end')
  channel.send(bytesOf('honest'))
  assert.deepEqual(await take(theirs, 1), ['honest'])

  const endpoint = udpEndpoint(bob.datagramAddresses[0] ?? '')
  assert.ok(endpoint.ok)
  const { host, port } = endpoint.value
  const genuine = bobSees.findLast(({ direction }) => direction === 'in')?.bytes ?? assert.fail()
  const strangers = await Promise.all(Array.from({ length: 20 }, () => plainSocket(t)))
  let answers = 0
  for (const socket of strangers) socket.on('message', () => (answers += 1))
  const addresses = new Set(
    strangers.map((socket) => `/ip4/127.0.0.1/udp/${socket.address().port}`),
  )
  for (let round = 0; round < 10; round += 1) {
    const arrived = bobSees.length + strangers.length * 3
    for (const socket of strangers) {
      // The counter is one that nobody has used, so that only the seal can tell.
      const junk = Buffer.from(genuine)
      junk[17] = 1 + round
      for (const bytes of [genuine, junk, Buffer.alloc(64, round)]) socket.send(bytes, port, host)
    }
    await until(() => bobSees.length >= arrived)
  }
  assert.equal(
    bobSees.filter(({ direction, peer }) => direction === 'out' && addresses.has(peer)).length,
    0,
  )
  assert.equal(answers, 0)
  assert.equal(theirs.stats.messagesReceived, 1)
  assert.ok(theirs.stats.replayed > 100 && theirs.stats.forged > 100)
  assert.equal(theirs.remoteAddress, alice.datagramAddresses[0])
})

/** A host with two addresses, of which it uses one at a time. */
function roaming(): { readonly transport: DatagramTransport; move(): void } {
  const inner = udp()
  let used = 0
  const transport: DatagramTransport = {
    kind: 'datagram',
    name: 'udp',
    handles: inner.handles,
    bind: async (address) => {
      const sockets = [await inner.bind(address), await inner.bind(address)]
      return {
        kind: 'datagram',
        transport: 'udp',
        localAddress: sockets[0]?.localAddress ?? '',
        datagramBytesMax: sockets[0]?.datagramBytesMax ?? 0,
        attach: (handlers) => {
          sockets.forEach((socket, index) => {
            socket.attach({
              message: (bytes, from) => {
                if (index === used) handlers.message(bytes, from)
              },
              closed: () => {},
            })
          })
        },
        send: (bytes, to) => sockets[used]?.send(bytes, to) ?? false,
        close: async () => {
          await Promise.all(sockets.map((socket) => socket.close()))
        },
      }
    },
  }
  return {
    transport,
    move: () => {
      used = 1
    },
  }
}

test('an agent that gets another address is followed there once it has answered a challenge', async (t) => {
  const host = roaming()
  const alice = await agent(t, { datagramTransport: host.transport })
  const bobSees: Seen[] = []
  const bob = await agent(t, {
    datagramTransport: recorded(bobSees),
    trust: [{ agent: alice.id }],
  })
  await alice.trust.add({ agent: bob.id, roles: ['member'], source: 'manual', addedMs: 0 })
  const accepted = Promise.withResolvers<DatagramChannel<Uint8Array>>()
  bob.handleDatagrams('data', (channel) => accepted.resolve(channel))
  const channel = await soon(alice.datagrams(bob.addresses[0] ?? ''), 'the channel')
  const theirs = await soon(accepted.promise, 'the other end')
  await soon(theirs.ready, 'the path back')
  const home = theirs.remoteAddress
  host.move()
  await repeat(t, () => channel.send(bytesOf('from elsewhere')))
  await until(() => theirs.remoteAddress !== home)
  const away = theirs.remoteAddress ?? ''
  assert.notEqual(away, home)
  assert.equal(theirs.stats.migrations, 1)
  const answered = take(channel, 1)
  theirs.send(bytesOf('to the new address'))
  assert.deepEqual(await answered, ['to the new address'])
  // In order: something from there, a challenge to there of no more than three times its bytes, and only then more.
  const there = bobSees.filter(({ peer }) => peer === away)
  assert.equal(there[0]?.direction, 'in')
  const challenge = there.find(({ direction }) => direction === 'out')
  assert.ok((challenge?.bytes.length ?? 0) <= 3 * (there[0]?.bytes.length ?? 0))
})

test('after a restart nothing that was recorded opens, and nothing on the wire comes again', async (t) => {
  const seen: Seen[] = []
  const bob = await agent(t, { datagramTransport: recorded(seen) })
  const store = memoryStore()
  const accepted: DatagramChannel<Uint8Array>[] = []
  bob.handleDatagrams('data', (channel) => void accepted.push(channel))
  let id: string | undefined
  for (let run = 0; run < 2; run += 1) {
    const alice = await createAgent({
      store,
      listen: ['/ip4/127.0.0.1/udp/0'],
      trust: [{ agent: bob.id }],
    })
    assert.equal(id ?? alice.id, alice.id, 'the same agent')
    id = alice.id
    await bob.trust.add({ agent: alice.id, roles: ['member'], source: 'manual', addedMs: 0 })
    const recordedBefore = seen.filter(({ direction }) => direction === 'in')
    const channel = await soon(alice.datagrams(bob.addresses[0] ?? ''), 'the channel')
    assert.ok(channel.send(bytesOf('the same words')))
    const theirs = accepted[run] ?? assert.fail()
    assert.deepEqual(await take(theirs, 1), ['the same words'])
    const attacker = await plainSocket(t)
    const endpoint = udpEndpoint(bob.datagramAddresses[0] ?? '')
    assert.ok(endpoint.ok)
    const count = seen.length
    for (const { bytes } of recordedBefore)
      attacker.send(bytes, endpoint.value.port, endpoint.value.host)
    await until(() => seen.length >= count + recordedBefore.length)
    assert.equal(theirs.stats.messagesReceived, 1)
    await alice.close({ drainMs: 0 })
    await soon(theirs.closed, 'the end')
  }
  const genuine = seen.filter(({ direction }) => direction === 'out').map(({ bytes }) => bytes)
  assert.equal(new Set(genuine.map((bytes) => bytes.toString('hex'))).size, genuine.length)
  // Behind the channel's id and the header: the same words under the same counter.
  const words = seen.filter(({ bytes }) => bytes.length === 9 + 10 + 1 + 1 + 14 + 16)
  const sealed = new Set(words.map(({ bytes }) => bytes.subarray(19).toString('hex')))
  assert.equal(sealed.size, 2)
  assert.equal(new Set(words.map(({ bytes }) => bytes.subarray(1, 9).toString('hex'))).size, 2)
})

for (const [what, address] of [
  ['IPv6', '/ip6/::1/udp/0'],
  ['all interfaces', '/ip4/0.0.0.0/udp/0'],
] as const)
  test(`${what}: agents find each other by what they say in the session`, async (t) => {
    const listen = ['/ip4/127.0.0.1/tcp/0', address]
    const alice = await agent(t, { listen })
    const bob = await agent(t, { listen, trust: [{ agent: alice.id }] })
    await alice.trust.add({ agent: bob.id, roles: ['member'], source: 'manual', addedMs: 0 })
    bob.handleDatagrams('echo', (channel) => {
      channel.handle(({ payload }) => void channel.send(payload))
    })
    const channel = await soon(
      alice.datagrams(bob.addresses[0] ?? '', { type: 'echo' }),
      'the channel',
    )
    const [echo] = await Promise.all([
      take(channel, 1),
      // The other side may have to prove our address first, and until then answers nothing.
      repeat(t, () => channel.send(bytesOf('hello'))),
    ])
    assert.deepEqual(echo, ['hello'])
  })

test('without the right, a handler or a UDP address there is no channel, and the error says which', async (t) => {
  const { alice, bob, to } = await pair(t)
  const code = (expected: string) => (error: unknown) =>
    error instanceof FabricError && error.code === expected
  await assert.rejects(alice.datagrams(to), code('FABRIC_NO_HANDLER'))
  await assert.rejects(alice.datagrams(to, { type: 'no-such-type' }), code('FABRIC_TYPE_UNKNOWN'))
  const dry = await agent(t, { listen: ['/ip4/127.0.0.1/tcp/0'] })
  await bob.trust.add({ agent: dry.id, roles: ['observer'], source: 'manual', addedMs: 0 })
  await dry.trust.add({ agent: bob.id, roles: ['member'], source: 'manual', addedMs: 0 })
  await assert.rejects(dry.datagrams(to), code('FABRIC_NO_DATAGRAMS'))
  const observer = await agent(t, { trust: [{ agent: bob.id }] })
  await bob.trust.add({ agent: observer.id, roles: ['observer'], source: 'manual', addedMs: 0 })
  bob.handleDatagrams('data', () => {})
  await assert.rejects(observer.datagrams(to), code('FABRIC_FORBIDDEN'))
  const stranger = await agent(t, { trust: [{ agent: bob.id }] })
  await assert.rejects(stranger.datagrams(to))
  assert.equal(
    bob.peers().some((peer) => peer.agent === stranger.id),
    false,
  )
})

test('a multicast group over loopback: one datagram for all, nothing in the clear, a removed member is deaf', async (t) => {
  verifies('R062')
  const loopback = {
    listen: ['/ip4/127.0.0.1/tcp/0'],
    udp: { multicastInterface: '127.0.0.1', multicastTtl: 0 },
  }
  const owner = await agent(t, loopback)
  const members = await Promise.all([0, 1, 2].map(() => agent(t, loopback)))
  for (const member of members) {
    await owner.trust.add({ agent: member.id, roles: ['member'], source: 'manual', addedMs: 0 })
    await member.trust.add({ agent: owner.id, roles: ['member'], source: 'manual', addedMs: 0 })
  }
  const group = await owner
    .multicastGroup<Uint8Array>({ name: 'telemetry', address: '/ip4/239.77.3.1/udp/0' })
    .catch((error: unknown) => {
      if (!(error instanceof TransportError)) throw error
      t.skip(`no multicast here: ${error.message}`)
    })
  if (group === undefined) return
  const to = owner.addresses[0] ?? assert.fail()
  const joined = await Promise.all(
    members.map((member) =>
      soon(member.joinMulticastGroup<Uint8Array>(to, 'telemetry'), 'the welcome'),
    ),
  )
  assert.deepEqual(joined.map(({ sender }) => sender).toSorted(), [1, 2, 3])
  // Somebody else on the same address, with no key.
  const outside = await udp({ multicast: { interface: '127.0.0.1', ttl: 0 } }).bind(group.address)
  t.after(() => outside.close())
  const wire: Buffer[] = []
  outside.attach({ message: (bytes) => void wire.push(Buffer.from(bytes)), closed: () => {} })

  const readers = joined.map((member) => member[Symbol.asyncIterator]())
  const nextOf = async (reader: (typeof readers)[number]) => {
    const next = await soon(reader.next(), 'a message')
    return next.done === true ? '' : textOf(next.value.payload)
  }
  for (let i = 0; i < 5; i += 1) group.send(bytesOf(`${marker} ${i}`))
  for (const reader of readers)
    for (let i = 0; i < 5; i += 1) assert.equal(await nextOf(reader), `${marker} ${i}`)
  assert.equal(group.stats.datagramsSent, 1)
  assert.equal(group.remove(members[0]?.id ?? assert.fail()), true)
  assert.equal(await soon(joined[0]?.closed ?? assert.fail(), 'the removal'), 'the owner says so')
  await until(() => joined[1]?.generation === 1 && joined[2]?.generation === 1)
  group.send(bytesOf(`${marker} again`))
  for (const reader of readers.slice(1)) assert.equal(await nextOf(reader), `${marker} again`)
  assert.equal((await readers[0]?.next())?.done, true)
  assert.ok(wire.length >= 1)
  for (const bytes of wire) assert.equal(bytes.includes(marker), false)
})
