// Channels of datagrams over a network that loses, doubles, delays, lies about sources and moves its hosts.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { silentLogger } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import { FabricError } from '@myelin/fabric'
import { TokenBucket } from '@myelin/guard'
import { DatagramSealer } from '@myelin/session'
import { SeededRandom, verifies } from '@myelin/testkit'
import { builtInTypes, type MessageType } from '@myelin/wire'
import { Channel, type ChannelParts } from '../src/datagrams/channel.ts'
import { decodeControl, encodeControl } from '../src/datagrams/control-codec.ts'
import { channelsOfPeerMax } from '../src/datagrams/limits.ts'
import {
  type Connection,
  connect,
  type Packet,
  type Party,
  party,
  World,
} from './datagram-world.ts'

verifies('R016')

const home = { alice: '/ip4/192.0.2.1/udp/4001', bob: '/ip4/192.0.2.2/udp/4001' }
const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (payload: unknown) => new TextDecoder().decode(payload as Uint8Array)
const spoofed = (i: number) => `/ip4/198.51.100.${i % 250}/udp/${1024 + i}`

interface Scene {
  readonly world: World
  readonly alice: Party
  readonly bob: Party
  readonly connection: Connection
}

async function scene(options: Parameters<typeof party>[1] = {}): Promise<Scene> {
  const world = new World()
  const [alice, bob] = [party(world), party(world, options)]
  await alice.datagrams.bind(home.alice)
  await bob.datagrams.bind(home.bob)
  return { world, alice, bob, connection: connect(world, alice, bob) }
}

/** Alice opens a channel; both ends have proved each other's address. */
async function opened({ world, alice, bob, connection }: Scene) {
  const accepted = Promise.withResolvers<Channel>()
  using _ = bob.datagrams.handle('data', (channel) => accepted.resolve(channel))
  const opening = alice.datagrams.open(connection.link(alice), 'data')
  await world.clock.advance(1_000)
  const [near, far] = await Promise.all([opening, accepted.promise])
  await far.ready
  const texts: string[] = []
  far.handle(({ payload }) => void texts.push(textOf(payload)))
  return { near, far, texts }
}

const isUnreachable = (error: unknown) =>
  error instanceof FabricError && error.code === 'FABRIC_UNREACHABLE'

test('under loss, doubling and reordering each message comes once or never, and the lost are counted', async () => {
  const place = await scene()
  const { world } = place
  const { near, far, texts } = await opened(place)
  world.quality = { loss: 0.2, duplication: 0.3, delayMs: [1, 60] }
  const before = { sent: near.stats.datagramsSent, got: far.stats.datagramsReceived }
  for (let i = 0; i < 500; i += 1) {
    assert.ok(near.send(bytesOf(`message ${i}`)))
    await world.clock.advance(1)
  }
  world.quality = {}
  await world.clock.advance(100)
  near.send(bytesOf('last'))
  await world.clock.advance(100)
  assert.equal(new Set(texts).size, texts.length, 'no message twice')
  assert.ok(texts.length > 350 && texts.length < 450, `${texts.length} of 501`)
  assert.notDeepEqual(
    texts,
    texts.toSorted((a, b) => Number(a.slice(8)) - Number(b.slice(8))),
  )
  const sent = near.stats.datagramsSent - before.sent
  const got = far.stats.datagramsReceived - before.got
  assert.equal(sent, 501)
  assert.equal(far.stats.lost, sent - got)
  assert.ok(far.stats.replayed > 50, `${far.stats.replayed} doubles`)
})

test('messages of one turn share datagrams, none larger than agreed', async () => {
  const place = await scene({ bytesMax: 300 })
  const { near, texts } = await opened(place)
  const from = place.world.wire.length
  for (let i = 0; i < 20; i += 1) near.send(bytesOf(`message number ${i}`))
  await place.world.clock.advance(10)
  assert.equal(texts.length, 20)
  const sent = place.world.wire.slice(from)
  assert.equal(sent.length, 2)
  assert.ok(sent.every(({ bytes }) => bytes.length <= 300))
  near.send(new Uint8Array(near.payloadBytesMax))
  assert.throws(
    () => near.send(new Uint8Array(near.payloadBytesMax + 1)),
    (error) => error instanceof FabricError && error.code === 'FABRIC_DATAGRAM_TOO_LARGE',
  )
  await place.world.clock.advance(10)
  assert.equal(place.world.wire.at(-1)?.bytes.length, 300)
})

test('a flood from invented addresses is answered by nothing, delivers nothing and moves nobody', async () => {
  const place = await scene()
  const { world } = place
  const { near, far, texts } = await opened(place)
  near.send(bytesOf('honest'))
  await world.clock.advance(10)
  const genuine = world.wire.findLast(({ to }) => to === home.bob) as Packet
  const random = new SeededRandom(11n)
  for (let i = 0; i < 10_000; i += 1) {
    // Junk, junk under the channel's id, and replays of what was genuine.
    const junk = random.fill(new Uint8Array(1 + random.between(0, 100)))
    if (i % 3 === 1) junk.set(genuine.bytes.subarray(0, Math.min(9, junk.length)))
    const bytes = i % 3 === 2 ? genuine.bytes : junk
    world.inject({ from: spoofed(i), to: home.bob, bytes })
  }
  const wire = world.wire.length
  await world.clock.advance(5_000)
  assert.equal(world.wire.length, wire, 'nothing is sent')
  assert.deepEqual(texts, ['honest'])
  assert.equal(far.remoteAddress, home.alice)
  assert.ok(far.stats.replayed > 3_000 && far.stats.forged > 3_000)
  assert.ok(place.bob.datagrams.strays > 3_000, 'for no channel')
  near.send(bytesOf('still honest'))
  await world.clock.advance(10)
  assert.deepEqual(texts, ['honest', 'still honest'])
})

test('genuine datagrams with false sources cause at most three times their bytes, and the peer does not move', async () => {
  const place = await scene()
  const { world } = place
  const { near, far, texts } = await opened(place)
  // Somebody on the way sends each datagram on from another address, and the genuine one is lost.
  let stolen = 0
  world.passes = (packet) => {
    if (packet.from !== home.alice || packet.to !== home.bob) return true
    stolen += 1
    world.inject({ ...packet, from: spoofed(stolen) })
    return false
  }
  for (let i = 0; i < 200; i += 1) {
    near.send(bytesOf(`${i}`))
    await world.clock.advance(5)
  }
  assert.equal(texts.length, 200, 'a seal is worth the same from everywhere')
  let answered = 0
  for (let i = 1; i <= stolen; i += 1) {
    const [out, into] = [world.bytesTo(spoofed(i)), world.bytesFrom(spoofed(i))]
    assert.ok(out <= 3 * into, `${out} bytes for ${into}`)
    if (out > 0) answered += 1
  }
  // Challenges: 20 at once and 5 a second, 1 s has passed.
  assert.ok(answered > 0 && answered <= 26, `${answered} challenges`)
  assert.equal(far.remoteAddress, home.alice)
  assert.equal(far.stats.migrations, 0)
})

test('a peer that moves is followed when its new address has answered, and gets nothing else there before', async () => {
  const place = await scene()
  const { world } = place
  const { near, far, texts } = await opened(place)
  const answers: string[] = []
  near.handle(({ payload }) => void answers.push(textOf(payload)))
  const away = '/ip4/203.0.113.9/udp/777'
  world.moved.set(home.alice, away)
  // The first challenge to the new address is lost.
  let isFirst = true
  world.passes = ({ to }) => {
    if (to !== away || !isFirst) return true
    isFirst = false
    return false
  }
  near.send(bytesOf('from elsewhere'))
  await world.clock.advance(10)
  far.send(bytesOf('to the old address'))
  await world.clock.advance(10)
  assert.deepEqual(texts, ['from elsewhere'])
  assert.equal(far.remoteAddress, home.alice)
  assert.ok(world.bytesTo(away) <= 3 * world.bytesFrom(away))
  near.send(bytesOf('and again'))
  await world.clock.advance(10)
  assert.equal(far.remoteAddress, away)
  assert.equal(far.stats.migrations, 1)
  far.send(bytesOf('to the new address'))
  await world.clock.advance(10)
  assert.deepEqual(answers, ['to the new address'])

  // Back home, which was proved a moment ago: no challenge is needed.
  world.moved.clear()
  const { challenges } = far.stats
  near.send(bytesOf('home again'))
  await world.clock.advance(10)
  assert.equal(far.remoteAddress, home.alice)
  assert.equal(far.stats.challenges, challenges)
})

test('a peer with two addresses stays at the first that is proved, and does not move by proving the other', async () => {
  const place = await scene()
  const other = '/ip4/192.0.2.11/udp/4001'
  await place.alice.datagrams.bind(other)
  // Slower than the session, so that the first challenges to both find the channel there.
  place.world.quality = { delayMs: [5, 5] }
  const { near, far } = await opened(place)
  assert.ok(place.world.bytesFrom(other) > 0, 'the other is proved too')
  near.send(bytesOf('hello'))
  await place.world.clock.advance(10)
  assert.equal(far.remoteAddress, home.alice)
  assert.equal(far.stats.migrations, 0)
})

test('a named address that never answers gets a few challenges, and the caller hears that there is no way', async () => {
  const place = await scene()
  const { world, alice, bob, connection } = place
  bob.datagrams.handle('data', () => {})
  world.passes = () => false
  const opening = alice.datagrams.open(connection.link(alice), 'data')
  const refused = assert.rejects(opening, isUnreachable)
  await world.clock.advance(30_000)
  await refused
  const challenges = world.wire.filter(({ to }) => to === home.bob)
  assert.ok(challenges.length >= 3 && challenges.length <= 5, `${challenges.length} challenges`)
  assert.ok(challenges.every(({ bytes }) => bytes.length < 64))
  assert.equal(bob.datagrams.size, 0, 'the other end is given up too')
  assert.equal(connection.link(alice).datagramUses, 0)
})

test('nobody is made to send to groups, to everybody or to a port that is none', async () => {
  const place = await scene()
  const { world, alice, bob, connection } = place
  const victims = ['/ip4/239.1.2.3/udp/9', '/ip4/255.255.255.255/udp/9', '/ip4/192.0.2.7/udp/0']
  bob.datagrams.handle('data', () => {})
  const open = encodeControl({
    kind: 'open',
    type: 'data',
    channel: Uint8Array.from(randomBytes(8)),
    salt: Uint8Array.from(randomBytes(16)),
    bytesMax: 1_200,
    addresses: [...victims, home.alice],
  })
  await Promise.all([
    connection.link(alice).session.request('datagram-control', open),
    world.clock.advance(20_000),
  ])
  assert.deepEqual([...new Set(world.wire.map(({ to }) => to))], [home.alice])
})

test('a socket on all interfaces is reached where the session is', async () => {
  const world = new World()
  const [alice, bob] = [party(world), party(world)]
  await alice.datagrams.bind(home.alice)
  await bob.datagrams.bind('/ip4/0.0.0.0/udp/4001')
  const addresses = ['/ip4/192.0.2.1/tcp/1', '/ip4/192.0.2.2/tcp/2']
  const connection = connect(world, alice, bob, { addresses })
  bob.datagrams.handle('data', () => {})
  world.moved.set('/ip4/0.0.0.0/udp/4001', home.bob)
  const opening = alice.datagrams.open(connection.link(alice), 'data')
  await world.clock.advance(1_000)
  assert.equal((await opening).remoteAddress, home.bob)
})

test('no key or nonce comes again after a restart, of either side, even in the same session', async () => {
  const contexts: string[] = []
  const secrets: string[] = []
  const wire: string[] = []
  // The worst case: the exporter gives the same for the same context, and one side draws the same randomness again.
  for (const stuck of ['alice', 'bob']) {
    for (let run = 0; run < 3; run += 1) {
      const world = new World()
      const again = { random: new SeededRandom(5n) }
      const alice = party(world, stuck === 'alice' ? again : {})
      const bob = party(world, stuck === 'bob' ? again : {})
      await alice.datagrams.bind(home.alice)
      await bob.datagrams.bind(home.bob)
      const connection = connect(world, alice, bob)
      const { near, far } = await opened({ world, alice, bob, connection })
      near.send(bytesOf('the same words'))
      far.send(bytesOf('the same words'))
      await world.clock.advance(10)
      // Both ends export both directions.
      assert.equal(new Set(connection.exported.map(({ secret }) => secret)).size, 2)
      assert.equal(connection.exported.length, 4)
      contexts.push(connection.exported[0]?.context ?? '')
      secrets.push(...new Set(connection.exported.map(({ secret }) => secret)))
      wire.push(...world.wire.map(({ bytes }) => Buffer.from(bytes.subarray(19)).toString('hex')))
    }
  }
  assert.equal(new Set(contexts).size, contexts.length)
  assert.equal(new Set(secrets).size, secrets.length)
  assert.equal(new Set(wire).size, wire.length)
})

test('the guard decides on the type, both when a channel is opened and for each message', async () => {
  const policy = {
    silent: { sends: ['echo'], receives: ['data'] },
    member: { sends: ['*'], receives: ['*'] },
  }
  const world = new World()
  const [alice, bob] = [
    party(world),
    party(world, { policy, rates: { messagesBurst: 3, messagesPerSecond: 1 } }),
  ]
  await alice.datagrams.bind(home.alice)
  await bob.datagrams.bind(home.bob)
  bob.datagrams.handle('data', () => {})
  const forbidden = connect(world, alice, bob, { roles: ['silent'] })
  const refusal = assert.rejects(
    bob.datagrams.open(forbidden.link(bob), 'echo'),
    (error) => error instanceof FabricError && error.code === 'FABRIC_FORBIDDEN',
  )
  await refusal
  const connection = connect(world, alice, bob)
  const asked = assert.rejects(
    alice.datagrams.open(connection.link(alice), 'echo'),
    (error) => error instanceof FabricError && error.code === 'FABRIC_NO_HANDLER',
  )
  await world.clock.advance(100)
  await asked
  await world.clock.advance(5_000)
  const accepted = Promise.withResolvers<Channel>()
  bob.datagrams.handle('status-update', (channel) => accepted.resolve(channel))
  const opening = alice.datagrams.open(connection.link(alice), 'status-update')
  await world.clock.advance(100)
  const [near, far] = await Promise.all([opening, accepted.promise])
  for (let i = 0; i < 10; i += 1) near.send({ state: 'idle' })
  await world.clock.advance(10)
  assert.equal(far.stats.messagesReceived + far.stats.refused, 10)
  assert.ok(far.stats.refused >= 7, `${far.stats.refused} are too many for the rate`)
})

test('a peer has so many channels and no more, and they end with their session', async () => {
  const place = await scene()
  const { world, alice, bob, connection } = place
  bob.datagrams.handle('data', () => {})
  const opening = Array.from({ length: channelsOfPeerMax }, () =>
    alice.datagrams.open(connection.link(alice), 'data'),
  )
  await world.clock.advance(5_000)
  const channels = await Promise.all(opening)
  assert.equal(bob.datagrams.size, channelsOfPeerMax)
  await assert.rejects(
    alice.datagrams.open(connection.link(alice), 'data'),
    (error) => error instanceof FabricError && error.code === 'FABRIC_CHANNELS_FULL',
  )
  channels[0]?.close()
  await world.clock.advance(10)
  assert.equal(bob.datagrams.size, channelsOfPeerMax - 1, 'the peer hears of the end')
  connection.end()
  assert.equal(await channels[1]?.closed, 'the session has ended')
  assert.equal(alice.datagrams.size + bob.datagrams.size, 0)
  assert.equal(world.clock.timersPending, 0, 'nothing is left behind')
})

test('what is silent keeps its way open', async () => {
  const place = await scene()
  const { near, far } = await opened(place)
  const before = { near: near.stats.datagramsSent, far: far.stats.datagramsSent }
  await place.world.clock.advance(61_000)
  assert.equal(near.stats.datagramsSent - before.near, 4)
  assert.equal(far.stats.datagramsSent - before.far, 4)
  assert.equal(far.stats.messagesReceived, 0)
})

test('nobody who has no channel is heard, whatever it says in its session', async () => {
  const place = await scene()
  const { world, alice, bob, connection } = place
  const { near } = await opened(place)
  const other = connect(world, alice, bob)
  // The id of a channel is no right to it: another session cannot end it.
  for (const said of connection.said) {
    const decoded = decodeControl(said)
    if (!decoded.ok || !('channel' in decoded.value)) continue
    const { channel } = decoded.value
    for (const party of [alice, bob])
      other.link(party).session.post('datagram-control', encodeControl({ kind: 'close', channel }))
  }
  for (const bytes of [[], [99], [3, 1], [5, 0, 0]])
    other.link(alice).session.post('datagram-control', Uint8Array.from(bytes))
  await world.clock.advance(100)
  assert.equal(near.isOpen, true)
  assert.ok((bob.log.counts['datagrams-refused'] ?? 0) >= 4)
})

/** One end without a session or a network, and a sealer of what its peer would send. */
function loneEnd(changes: Partial<ChannelParts> = {}) {
  const world = new World()
  const [alice, bob] = [party(world), party(world)]
  const receiveSecret = Uint8Array.from(randomBytes(32))
  const peer = new DatagramSealer('chacha20-poly1305', receiveSecret.slice())
  const channel = new Channel({
    clock: world.clock,
    random: systemRandom,
    logger: silentLogger,
    sharedRate: new TokenBucket({ perSecond: 1, burst: 1 }, 0),
    gate: alice.guard.gate(bob.keys.agent, ['member']),
    peer: bob.keys.agent,
    codec: builtInTypes.data as MessageType,
    suite: 'chacha20-poly1305',
    sendSecret: Uint8Array.from(randomBytes(32)),
    receiveSecret,
    remoteId: new Uint8Array(8),
    bytesMax: 1_200,
    receivedBytesMax: 1_200,
    told: [],
    send: () => true,
    ended: () => {},
    ...changes,
  })
  const framed = (sealer: DatagramSealer, plaintext: Uint8Array) =>
    Uint8Array.of(0x13, 0, 0, 0, 0, 0, 0, 0, 0, ...sealer.seal(plaintext))
  return { world, channel, peer, framed }
}

test('invented sources leave nothing in memory, and neither do false ones of what is genuine', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const heapBytes = () => {
    collect()
    return process.memoryUsage().heapUsed
  }
  let out = 0
  const { channel, peer, framed } = loneEnd({
    send: (datagram) => {
      out += datagram.length
      return true
    },
  })
  // Whatever a reader does not take is bounded by itself.
  channel.handle(() => {})
  const forger = new DatagramSealer('chacha20-poly1305', Uint8Array.from(randomBytes(32)))
  const flood = (from: number, to: number, sealer: DatagramSealer) => {
    for (let i = from; i < to; i += 1)
      channel.receive(framed(sealer, Uint8Array.of(0, 1, 7)), {
        socket: 0,
        address: `/ip6/2001:db8::${i.toString(16)}/udp/${i % 60_000}`,
      })
  }
  flood(0, 1_000, forger)
  flood(0, 1_000, peer)
  const before = heapBytes()
  flood(1_000, 21_000, forger)
  flood(1_000, 21_000, peer)
  const grownBytes = heapBytes() - before
  // 40,000 entries of the least would be some 8 MB.
  assert.ok(grownBytes < 1_000_000, `${grownBytes} bytes more`)
  assert.equal(channel.stats.forged, 21_000)
  assert.equal(channel.stats.messagesReceived, 21_000)
  assert.ok(out <= 20 * 64, `${out} bytes out: the challenges of one burst`)
  channel.close()
})

test('a channel ends before so much was forged that a guess might succeed', async () => {
  let isTold: boolean | undefined
  const { world, channel, framed } = loneEnd({
    forgeriesMax: 3,
    ended: (isOurs) => {
      isTold = isOurs
    },
  })
  const forger = new DatagramSealer('chacha20-poly1305', Uint8Array.from(randomBytes(32)))
  const forge = () => framed(forger, bytesOf('lies'))
  for (let i = 0; i < 2; i += 1) channel.receive(forge(), { socket: 0, address: spoofed(i) })
  assert.equal(channel.isOpen, true)
  channel.receive(forge(), { socket: 0, address: spoofed(3) })
  assert.equal(await channel.closed, 'too many forged datagrams')
  assert.equal(isTold, true)
  await assert.rejects(channel.ready, isUnreachable)
  assert.equal(world.clock.timersPending, 0)
})
