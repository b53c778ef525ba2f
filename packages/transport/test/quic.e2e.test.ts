import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { streamTransportCompliance, verifies } from '@myelin/testkit'
import {
  type ByteStream,
  type Listener,
  type QuicOptions,
  quic,
  TransportError,
} from '@myelin/transport'
import { loadQuic, quicIdentity } from '../src/quic-native.ts'

verifies('R017', 'R208', 'R264', 'R011', 'R051')

const address = '/ip4/127.0.0.1/udp/0/quic-v1'

streamTransportCompliance(
  async () => ({
    // A port of UDP that nobody has says nothing: the dialler waits this long.
    transport: quic({ handshakeTimeoutMs: 1_000 }),
    address: () => address,
    dispose: async () => {},
  }),
  { test, name: 'quic' },
)

const nothing = { data: () => {}, drain: () => {}, end: () => {}, closed: () => {} }

const isCode = (code: string) => (error: unknown) =>
  error instanceof TransportError && error.code === code

const first = (listener: Listener) => listener.addresses[0] ?? ''
const portOf = (listener: Listener) => Number(first(listener).split('/')[4])

/** Resolves when the stream is closed, with its error. */
const whenClosed = (stream: ByteStream) =>
  new Promise<Error | undefined>((closed) => stream.attach({ ...nothing, closed }))

/** Sends back what comes. */
const echo = (stream: ByteStream) =>
  stream.attach({
    ...nothing,
    data: (chunk) => stream.write(chunk),
    end: () => stream.end(),
  })

/** All that comes until the end. */
const readAll = (stream: ByteStream) =>
  new Promise<Buffer>((resolve, reject) => {
    const chunks: Uint8Array[] = []
    stream.attach({
      ...nothing,
      data: (chunk) => void chunks.push(chunk),
      end: () => resolve(Buffer.concat(chunks)),
      closed: (error) => reject(error ?? new Error('closed before its end')),
    })
  })

/** Both ends of a connection. */
async function connect(options: QuicOptions = {}) {
  const arrival = Promise.withResolvers<ByteStream>()
  const listener = await quic(options).listen(address, (stream) => arrival.resolve(stream))
  const client = await quic(options).dial(first(listener))
  const server = await arrival.promise
  const lanesOf = ({ lanes }: ByteStream) => lanes ?? assert.fail('it has no lanes')
  const dispose = async () => {
    client.destroy()
    server.destroy()
    await listener.close()
  }
  return { client, server, listener, lanesOf, [Symbol.asyncDispose]: dispose }
}

/** This file again, as a process that does one thing. */
async function far(role: string): Promise<{ child: ChildProcess; address: string }> {
  const main = new URL('quic-far.ts', import.meta.url)
  const child = fork(main, [role], {
    execArgv: process.execArgv.filter((word) => /condition/.test(word)),
  })
  const [message] = await once(child, 'message')
  return { child, address: String(message) }
}

test('a peer that vanishes is noticed, and an idle one that is there is kept', async () => {
  const options = { idleTimeoutMs: 400, keepAliveMs: 100 }
  await using idle = await connect(options)
  let isIdleClosed = false
  idle.client.attach({
    ...nothing,
    closed: () => {
      isIdleClosed = true
    },
  })
  for (let round = 0; round < 2; round += 1) {
    const { child, address: target } = await far('listen')
    const stream = await quic(options).dial(target)
    const closed = whenClosed(stream)
    // SIGKILL: its system sends nothing for a socket of UDP that is gone.
    child.kill('SIGKILL')
    // By the idle timeout, or sooner where the system says that nobody is there any more.
    assert.ok((await closed) instanceof TransportError)
  }
  assert.equal(isIdleClosed, false, 'two idle timeouts have passed')
})

test('a process whose streams have ended and whose listener is closed has nothing left to do', async () => {
  const { child } = await far('finish')
  const [code] = await once(child, 'exit')
  assert.equal(code, 0)
})

test('a reader that reads nothing costs the window and the mark of the writer, and no more', async () => {
  const windowBytes = 256 * 1024
  await using pair = await connect({ windowBytes })
  const { client, server } = pair
  server.attach(nothing)
  server.pause()
  let drained: () => void = () => {}
  client.attach({ ...nothing, drain: () => drained() })
  let accepted = 0
  const chunk = 16 * 1024
  for (let isStuck = false; !isStuck; ) {
    while (client.write(new Uint8Array(chunk))) accepted += chunk
    accepted += chunk
    assert.ok(client.bufferedBytes <= windowBytes + chunk)
    // What goes on leaves while the loop turns; a writer that is stuck stays so.
    const turn = new Promise<boolean>((resolve) => {
      drained = () => resolve(false)
      void turns(300).then(() => resolve(true))
    })
    isStuck = await turn
  }
  // The window, the mark, one chunk above it, and one read that was under way.
  assert.ok(accepted <= windowBytes + 256 * 1024 + 2 * 64 * 1024 + chunk, `${accepted} bytes`)
})

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

test('a hundred connections at once each have their own bytes', async () => {
  const transport = quic()
  await using listener = await transport.listen(address, echo)
  const answers = Array.from({ length: 100 }, async (_, i) => {
    const stream = await transport.dial(first(listener))
    const answer = readAll(stream)
    stream.write(Buffer.alloc(1_000, i))
    stream.end()
    assert.deepEqual(await answer, Buffer.alloc(1_000, i))
  })
  await Promise.all(answers)
})

test('datagrams of strangers that are no QUIC, or the start of it, do no harm', async () => {
  const transport = quic({ handshakeTimeoutMs: 2_000 })
  await using listener = await transport.listen(address, echo)
  const socket = createSocket('udp4')
  for (let i = 0; i < 2_000; i += 1) {
    const bytes = Buffer.alloc(1 + ((i * 37) % 1_400), i)
    // Every other one has the form of an Initial of version 1 (RFC 9000 §17.2.2).
    if (i % 2 === 0) Buffer.of(0xc3, 0, 0, 0, 1, 8).copy(bytes)
    socket.send(bytes, portOf(listener), '127.0.0.1')
  }
  const stream = await transport.dial(first(listener))
  const answer = readAll(stream)
  stream.write(Uint8Array.of(1, 2, 3))
  stream.end()
  assert.deepEqual(await answer, Buffer.of(1, 2, 3))
  socket.close()
})

test('a stranger that connects and says nothing, or nonsense, is sent away and keeps nobody out', async () => {
  const transport = quic({ handshakeTimeoutMs: 300 })
  let streams = 0
  await using listener = await transport.listen(address, (stream) => {
    streams += 1
    echo(stream)
  })
  const native = await loadQuic()
  const { config } = quicIdentity(native, {
    handshakeTimeout: 5_000,
    maxIdleTimeout: 30_000,
    keepAliveInterval: 1_000,
    maxConcurrentStreamLimit: 10,
    maxStreamData: 100_000,
    maxConnectionData: 100_000,
    receiveBufferSize: 100_000,
    sendBufferSize: 100_000,
  })
  const client = new native.Client(config, 0)
  const silent = await client.outboundConnection('127.0.0.1', portOf(listener))
  const loud = await client.outboundConnection('127.0.0.1', portOf(listener))
  const nonsense = await loud.outboundStream()
  await nonsense.write(Buffer.from('GET / HTTP/1.1\r\n'))
  const stream = await transport.dial(first(listener))
  for (const stranger of [silent, loud])
    await assert.rejects(stranger.inboundStream(), /closed by peer/)
  assert.equal(streams, 1)
  const odd = await client.outboundConnection('127.0.0.1', portOf(listener))
  const main = await odd.outboundStream()
  await main.write(Uint8Array.of(1, 4, 127, 0, 0, 1, 0, 80))
  assert.equal((await main.read(1))?.[0], 1)
  const other = await odd.outboundStream()
  await other.write(Uint8Array.of(77))
  await assert.rejects(odd.inboundStream(), /closed by peer/, 'a stream of an unknown kind')
  stream.destroy()
  client.abort()
})

test('handshakes that stall keep nobody out', async () => {
  const transport = quic({ handshakeTimeoutMs: 3_000 })
  await using listener = await transport.listen(address, echo)
  // Carries the first word of each dialler to the listener, and nothing after it.
  const relay = createSocket('udp4')
  const begun = Promise.withResolvers<void>()
  const callers = new Set<number>()
  let answers = 0
  relay.on('message', (bytes, { port }) => {
    if (port === portOf(listener)) {
      answers += 1
      if (answers === 3) begun.resolve()
    } else if (!callers.has(port)) {
      callers.add(port)
      relay.send(bytes, portOf(listener), '127.0.0.1')
    }
  })
  relay.bind(0, '127.0.0.1')
  await once(relay, 'listening')
  const target = `/ip4/127.0.0.1/udp/${relay.address().port}/quic-v1`
  const stop = new AbortController()
  const { signal } = stop
  const stalled = [1, 2, 3].map(() =>
    quic()
      .dial(target, { signal })
      .catch((error) => error),
  )
  await begun.promise
  const stream = await transport.dial(first(listener))
  stream.destroy()
  stop.abort()
  for (const error of await Promise.all(stalled)) assert.ok(isCode('TRANSPORT_ABORTED')(error))
  relay.close()
})

test('a connection above connectionsMax is refused, and there is room when one is gone', async () => {
  const transport = quic({ connectionsMax: 1 })
  await using listener = await transport.listen(address, echo)
  const one = await transport.dial(first(listener))
  await assert.rejects(transport.dial(first(listener)), isCode('TRANSPORT_REFUSED'))
  const closed = whenClosed(one)
  one.end()
  await closed
  for (;;) {
    // The end takes a moment to arrive there.
    const next = await transport.dial(first(listener)).catch(() => undefined)
    if (next === undefined) continue
    next.destroy()
    break
  }
})

test('a port that is taken is told apart, and is free once the last stream is gone', async () => {
  await using pair = await connect()
  const { client, server, listener } = pair
  const again = () => quic().listen(first(listener), () => {})
  await assert.rejects(again(), isCode('TRANSPORT_IN_USE'))
  await listener.close()
  await assert.rejects(again(), isCode('TRANSPORT_IN_USE'), 'its stream is still there')
  client.destroy()
  server.destroy()
  for (;;) {
    await turns(1)
    const next = await again().catch(() => undefined)
    if (next === undefined) continue
    await next.close()
    break
  }
})

test('both ends know the same binding, and another transport has another', async () => {
  await using pair = await connect()
  await using other = await connect()
  const { channelBinding: binding } = pair.client
  assert.equal(binding?.length, 32)
  assert.deepEqual(pair.server.channelBinding, binding)
  assert.notDeepEqual(other.client.channelBinding, binding)
})

test('a listener on all interfaces says where it is dialled, on IPv6 too', async () => {
  for (const wildcard of ['/ip4/0.0.0.0/udp/0/quic-v1', '/ip6/::1/udp/0/quic-v1']) {
    const arrival = Promise.withResolvers<ByteStream>()
    await using listener = await quic().listen(wildcard, arrival.resolve)
    for (const reached of listener.addresses)
      assert.match(reached, /^\/ip[46]\/[^/]+\/udp\/\d+\/quic-v1$/)
    const client = await quic().dial(first(listener))
    const server = await arrival.promise
    assert.equal(server.localAddress, client.remoteAddress)
    assert.equal(server.remoteAddress, client.localAddress)
    client.destroy()
    server.destroy()
  }
})

// ── Lanes ────────────────────────────────────────────────────────────────────────────────────────────────

test('lanes carry bytes beside the main stream, opened by either side', async () => {
  await using pair = await connect()
  const { client, server, lanesOf } = pair
  client.attach(nothing)
  server.attach(nothing)
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    lanesOf(to).accept(echo)
    const sent = Buffer.alloc(300_000, 7)
    const lanes = Array.from({ length: 20 }, () => lanesOf(from).open())
    const answers = lanes.map(readAll)
    for (const lane of lanes) {
      assert.equal(lane.remoteAddress, from.remoteAddress)
      lane.write(sent)
      lane.end()
    }
    for (const answer of await Promise.all(answers)) assert.deepEqual(answer, sent)
  }
})

test('a lane whose reader is slow holds up neither another lane nor the main stream', async () => {
  await using pair = await connect({ windowBytes: 128 * 1024 })
  const { client, server, lanesOf } = pair
  const slow = Promise.withResolvers<ByteStream>()
  echo(server)
  lanesOf(server).accept((lane) => {
    lanesOf(server).accept(echo)
    lane.attach(nothing)
    lane.pause()
    slow.resolve(lane)
  })
  const stuck = lanesOf(client).open()
  stuck.attach(nothing)
  while (stuck.write(new Uint8Array(16 * 1024)));
  await slow.promise
  const lane = lanesOf(client).open()
  const both = [readAll(lane), readAll(client)]
  const send = (stream: ByteStream) => {
    for (let i = 0; i < 100; i += 1) stream.write(new Uint8Array(10_000))
    stream.end()
  }
  send(lane)
  assert.equal((await both[0])?.length, 1_000_000)
  assert.ok(stuck.bufferedBytes > 0)
  send(client)
  assert.equal((await both[1])?.length, 1_000_000)
})

test('lanes that arrive before anybody asks for them wait', async () => {
  await using pair = await connect()
  const { client, server, lanesOf } = pair
  client.attach(nothing)
  const lane = lanesOf(client).open()
  const answer = readAll(lane)
  lane.write(Uint8Array.of(5))
  lane.end()
  const main = new Promise((resolve) => server.attach({ ...nothing, data: resolve }))
  client.write(Uint8Array.of(1))
  await main
  await turns(50)
  lanesOf(server).accept(echo)
  assert.deepEqual(await answer, Buffer.of(5))
})

test('a lane that is destroyed ends there with an error, and the connection goes on', async () => {
  await using pair = await connect()
  const { client, server, lanesOf } = pair
  echo(server)
  const arrival = Promise.withResolvers<void>()
  const broken = Promise.withResolvers<Error | undefined>()
  lanesOf(server).accept((lane) =>
    lane.attach({ ...nothing, data: () => arrival.resolve(), closed: broken.resolve }),
  )
  const lane = lanesOf(client).open()
  lane.write(Uint8Array.of(1))
  await arrival.promise
  lane.destroy()
  assert.ok(isCode('TRANSPORT_RESET')(await broken.promise))
  const answer = readAll(client)
  client.write(Uint8Array.of(2))
  client.end()
  assert.deepEqual(await answer, Buffer.of(2))
})

test('lanes end with the main stream, whichever way it ends', async () => {
  for (const end of ['end', 'destroy'] as const) {
    await using pair = await connect()
    const { client, server, lanesOf } = pair
    const arrival = Promise.withResolvers<void>()
    const there = Promise.withResolvers<unknown>()
    lanesOf(server).accept((lane) =>
      lane.attach({ ...nothing, data: () => arrival.resolve(), closed: there.resolve }),
    )
    const lane = lanesOf(client).open()
    const here = whenClosed(lane)
    lane.write(Uint8Array.of(1))
    await arrival.promise
    client.attach(nothing)
    server.attach({ ...nothing, end: () => server.end() })
    client[end]()
    await here
    await there.promise
    const late = lanesOf(client).open()
    await whenClosed(late)
  }
})

test('lanes are bounded on both sides', async () => {
  await using pair = await connect({ lanesMax: 3 })
  const { client, server, lanesOf } = pair
  client.attach(nothing)
  lanesOf(server).accept(echo)
  const lanes = [1, 2, 3].map(() => lanesOf(client).open())
  assert.throws(() => lanesOf(client).open(), isCode('TRANSPORT_EXHAUSTED'))
  const [one] = lanes
  const answer = readAll(one ?? assert.fail())
  one?.end()
  await answer
  await turns(5)
  lanesOf(client).open()

  const arrival = Promise.withResolvers<ByteStream>()
  await using strict = await quic({ lanesMax: 3 }).listen(address, arrival.resolve)
  const generous = await quic({ lanesMax: 100 }).dial(first(strict))
  generous.attach(nothing)
  const closed = whenClosed(await arrival.promise)
  for (let i = 0; i < 5; i += 1) generous.lanes?.open()
  assert.ok(isCode('TRANSPORT_PROTOCOL')(await closed))
  server.destroy()
})
