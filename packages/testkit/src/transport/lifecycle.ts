// How a stream begins and ends: half-close, reset, and `closed` once and last.

import assert from 'node:assert/strict'
import { closedInOrder, connect, first, isCoded, type StreamTests, seed } from './pair.ts'
import { StreamRecorder, seededPieces, seededRandom, turns, writeAll } from './recorder.ts'

export const lifecycleTests: StreamTests = {
  'a stream names its transport and its ends': async (subject) => {
    await using pair = await connect(subject)
    const { client, server } = pair
    assert.equal(client.stream.transport, subject.transport.name)
    assert.equal(server.stream.transport, subject.transport.name)
    assert.equal(client.stream.remoteAddress, server.stream.localAddress)
    assert.equal(client.stream.localAddress, server.stream.remoteAddress)
    for (const { stream } of [client, server]) assert.match(stream.localAddress, /^\//)
  },

  'after its end one side still receives: streams are half-open': async (subject) => {
    await using pair = await connect(subject)
    const { client, server } = pair
    client.stream.write(Uint8Array.of(1))
    client.stream.end()
    await server.until('the end', () => server.isEnded)
    assert.deepEqual([client.isEnded, client.isClosed, server.isClosed], [false, false, false])
    server.stream.write(Uint8Array.of(2, 3))
    await client.until('the answer', () => client.byteCount === 2)
    server.stream.write(Uint8Array.of(4))
    server.stream.end()
    await closedInOrder(client)
    await closedInOrder(server)
    assert.deepEqual(client.bytes, Uint8Array.of(2, 3, 4))
    assert.deepEqual(server.bytes, Uint8Array.of(1))
  },

  'a write after end is ignored': async (subject) => {
    await using pair = await connect(subject)
    const { client, server } = pair
    client.stream.write(Uint8Array.of(1))
    client.stream.end()
    client.stream.write(Uint8Array.of(2))
    client.stream.end()
    server.stream.end()
    await closedInOrder(server)
    await closedInOrder(client)
    client.stream.write(Uint8Array.of(3))
    assert.deepEqual(server.bytes, Uint8Array.of(1))
  },

  'destroy on one side gives closed on both, with an error on the other': async (subject) => {
    await using pair = await connect(subject)
    const { client, server } = pair
    client.stream.write(Uint8Array.of(1))
    await server.until('a byte', () => server.byteCount === 1)
    const reason = new Error('the reason of the test')
    client.stream.destroy(reason)
    await client.until('closed here', () => client.isClosed)
    await server.until('closed there', () => server.isClosed)
    assert.equal(client.error, reason)
    assert.notEqual(server.error, undefined, 'the other side learns that it was not in order')
    server.stream.write(Uint8Array.of(2))
    assert.equal(server.stream.bufferedBytes, 0, 'a closed stream buffers nothing')
  },

  'destroy without an error is closed without one': async (subject) => {
    await using pair = await connect(subject)
    pair.server.stream.destroy()
    await pair.server.until('closed', () => pair.server.isClosed)
    assert.equal(pair.server.error, undefined)
    await pair.client.until('closed there', () => pair.client.isClosed)
  },

  'closed comes once and last, whatever is called afterwards': async (subject) => {
    await using pair = await connect(subject)
    const { client, server } = pair
    await Promise.all([
      writeAll(client, seededPieces(new Uint8Array(50_000), seededRandom(seed))),
      writeAll(server, seededPieces(new Uint8Array(50_000), seededRandom(seed))),
    ])
    client.stream.destroy()
    client.stream.destroy(new Error('again'))
    await client.until('closed here', () => client.isClosed)
    await server.until('closed there', () => server.isClosed)
    for (const { stream } of [client, server]) {
      stream.destroy()
      stream.end()
      stream.pause()
      stream.resume()
      stream.cork()
      stream.write(new Uint8Array(10))
      stream.uncork()
    }
    await turns(50)
    for (const side of [client, server]) {
      assert.deepEqual(side.violations, [])
      assert.equal(side.events.filter((event) => event === 'closed').length, 1)
      assert.equal(side.events.at(-1), 'closed')
    }
  },

  'after destroy from within a handler only closed follows': async (subject) => {
    await using pair = await connect(subject)
    const { client, server } = pair
    server.stream.pause()
    client.stream.cork()
    for (let i = 0; i < 20; i += 1) client.stream.write(new Uint8Array(10_000))
    client.stream.end()
    await turns(50)
    server.onData = () => server.stream.destroy()
    server.stream.resume()
    await server.until('closed', () => server.isClosed)
    await turns(20)
    assert.deepEqual(server.events, ['data', 'closed'])
  },

  'handlers are attached once': async (subject) => {
    await using pair = await connect(subject)
    assert.throws(
      () => new StreamRecorder(pair.client.stream),
      (error) => isCoded(error),
    )
  },

  'a stream that broke before it was attached tells closed, later': async (subject) => {
    const { transport } = subject
    const servers: StreamRecorder[] = []
    await using listener = await transport.listen(subject.address(), (stream) => {
      servers.push(new StreamRecorder(stream))
    })
    const stream = await transport.dial(first(listener))
    stream.destroy()
    await turns(20)
    const client = new StreamRecorder(stream)
    assert.equal(client.isClosed, false, 'attach itself calls no handler')
    await client.until('closed', () => client.isClosed)
    assert.deepEqual(client.events, ['closed'])
  },
}
