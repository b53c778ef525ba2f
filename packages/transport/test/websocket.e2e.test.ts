import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net'
import { after, afterEach, test } from 'node:test'
import { type LogFields, silentLogger } from '@myelin/base'
import { streamTransportCompliance, verifies } from '@myelin/testkit'
import {
  type ByteStream,
  type Listener,
  TransportError,
  type WebSocketOptions,
  websocket,
} from '@myelin/transport'
import { websocketClient } from '@myelin/transport/browser'
import { WebSocket } from 'ws'
import { Authority, skipWithoutOpenssl } from './certificates.ts'

verifies('R011', 'R051', 'R208')

const skip = skipWithoutOpenssl
const authority = skip ? undefined : new Authority()
after(() => authority?.dispose())
const bob = authority?.issue('DNS:localhost,IP:127.0.0.1') ?? { key: '', cert: '', pin: '' }
const secure = { tls: { key: bob.key, cert: bob.cert, ca: authority?.cert ?? '' } }
const address = '/ip4/127.0.0.1/tcp/0/ws'

const subject = (transport: ReturnType<typeof websocket>, listenOn = address) => ({
  transport,
  address: () => listenOn,
  dispose: async () => {},
})

streamTransportCompliance(async () => subject(websocket()), { test, name: 'ws' })

streamTransportCompliance(async () => subject(websocket(secure), '/ip4/127.0.0.1/tcp/0/wss'), {
  test: (title, body) => test(title, { skip }, body),
  name: 'wss',
})

/** The browser's client over the WebSocket of this platform, which is the same interface. */
const inBrowser = { ...websocket(), dial: websocketClient().dial }
const browserLacks = 'a browser does not tell its own address'
streamTransportCompliance(async () => subject(inBrowser), {
  test: (title, body) => {
    const options = title.endsWith('names its transport and its ends') ? { skip: browserLacks } : {}
    test(title, options, body)
  },
  name: 'browser',
})

const isCode = (code: string) => (error: unknown) =>
  error instanceof TransportError && error.code === code

const open = { data: () => {}, drain: () => {}, end: () => {}, closed: () => {} }
const portOf = (listener: Listener) => Number(listener.addresses[0]?.split('/')[4])
const urlOf = (listener: Listener, path = '/') => `ws://127.0.0.1:${portOf(listener)}${path}`

const whenClosed = (stream: ByteStream) =>
  new Promise<Error | undefined>((closed) => stream.attach({ ...open, closed }))

/** A listener, and how its first stream ends. */
async function listenForOne(options: WebSocketOptions = {}) {
  let tell: (error: Promise<Error | undefined>) => void = () => {}
  const closed = new Promise<Error | undefined>((resolve) => {
    tell = resolve
  })
  const listener = await websocket(options).listen(address, (stream) => tell(whenClosed(stream)))
  return { listener, closed }
}

const foreign = new Set<WebSocket>()
afterEach(() => {
  for (const client of foreign) client.terminate()
  foreign.clear()
})

/** A client of ws itself, which may do what ours never would. */
function foreignSocket(url: string, options: object = {}): WebSocket {
  const client = new WebSocket(url, options)
  foreign.add(client)
  return client.on('error', () => {})
}

async function foreignClient(url: string, options: object = {}): Promise<WebSocket> {
  const client = foreignSocket(url, options)
  await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject))
  return client
}

test('a text, a message after the end and one too large break the stream', async () => {
  for (const [misbehave, message] of [
    [(client: WebSocket) => client.send('text'), /only binary messages/],
    [
      (client: WebSocket) => {
        client.send(new Uint8Array(0))
        client.send(Uint8Array.of(1))
      },
      /after the empty one/,
    ],
    [(client: WebSocket) => client.send(new Uint8Array(2 ** 20 + 1)), /WS_ERR_UNSUPPORTED_MESSAGE/],
  ] as const) {
    const { listener, closed } = await listenForOne()
    misbehave(await foreignClient(urlOf(listener)))
    const error = await closed
    assert.ok(isCode('TRANSPORT_PROTOCOL')(error), String(error))
    assert.match(String(error), message)
    await listener.close()
  }
})

test('a peer that closes without an end on both sides has broken off', async () => {
  const { listener, closed } = await listenForOne()
  ;(await foreignClient(urlOf(listener))).close(1000)
  assert.ok(isCode('TRANSPORT_RESET')(await closed))
  await listener.close()
})

test('messages of any size up to 1 MiB are pieces of the stream', async () => {
  const sizes = [1, 70_000, 2 ** 20]
  const received: Uint8Array[] = []
  await using listener = await websocket().listen(address, (stream) => {
    const end = () => stream.end()
    stream.attach({ ...open, data: (chunk) => void received.push(chunk), end })
  })
  const client = await foreignClient(urlOf(listener))
  for (const size of sizes) client.send(Buffer.alloc(size, size % 251))
  client.send(new Uint8Array(0))
  const code = await new Promise((resolve) => client.once('close', resolve))
  assert.equal(code, 1000)
  const expected = Buffer.concat(sizes.map((size) => Buffer.alloc(size, size % 251)))
  assert.ok(Buffer.concat(received).equals(expected))
})

test('nothing is compressed, corked writes share a message, and none is above 64 KiB', async () => {
  const lengths: number[] = []
  await using listener = await websocket().listen(address, (stream) => {
    stream.attach(open)
    stream.cork()
    for (let i = 0; i < 100; i += 1) stream.write(new Uint8Array(10))
    stream.uncork()
    stream.write(new Uint8Array(150_000))
    stream.cork()
    stream.write(new Uint8Array(60_000))
    stream.write(new Uint8Array(60_000))
    stream.end()
  })
  const client = foreignSocket(urlOf(listener), { perMessageDeflate: true })
  client.on('message', (data: Buffer) => void lengths.push(data.length))
  await new Promise<void>((resolve) => {
    client.on('message', (data: Buffer) => {
      if (data.length === 0) resolve()
    })
  })
  assert.equal(client.extensions, '')
  const [small = 0, ...large] = lengths
  assert.equal(small, 1_000)
  assert.deepEqual(large, [65_536, 65_536, 18_928, 65_536, 54_464, 0])
})

/** The status of the answer to a request for a WebSocket. */
function statusOf(url: string, options: object = {}): Promise<number> {
  return new Promise((resolve) => {
    const client = new WebSocket(url, options)
    client.on('error', () => {})
    client.on('open', () => {
      resolve(101)
      client.terminate()
    })
    client.on('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0)
      request.destroy()
    })
  })
}

test('a web page comes in only from an origin that is allowed', async () => {
  const origin = 'https://example.org'
  for (const [origins, own, strange] of [
    [undefined, 403, 403],
    [[origin], 101, 403],
    ['any', 101, 101],
  ] as const) {
    const options = origins === undefined ? {} : { origins }
    await using listener = await websocket(options).listen(address, (stream) => stream.attach(open))
    const url = urlOf(listener)
    assert.equal(await statusOf(url, { origin }), own)
    assert.equal(await statusOf(url, { origin: 'https://example.org.evil.example' }), strange)
    assert.equal(await statusOf(url), 101, 'what is no browser names no origin')
  }
})

test('a path, where one is set, is the only door', async () => {
  const transport = websocket({ path: '/agents' })
  await using listener = await transport.listen(address, (stream) => stream.attach(open))
  ;(await transport.dial(listener.addresses[0] ?? '')).destroy()
  assert.equal(await statusOf(urlOf(listener, '/agents?x=1')), 101)
  assert.equal(await statusOf(urlOf(listener, '/')), 400)
  const refused = { code: 'TRANSPORT_HANDSHAKE', message: /400.*check address and path/ }
  await assert.rejects(websocket().dial(listener.addresses[0] ?? ''), refused)
})

test('a request that wants no WebSocket is told so, and nonsense is cut off', async () => {
  await using listener = await websocket().listen(address, (stream) => stream.attach(open))
  const answer = await fetch(urlOf(listener).replace('ws:', 'http:'))
  assert.deepEqual([answer.status, answer.headers.get('upgrade')], [426, 'websocket'])
  for (const nonsense of ['\x16\x03\x01', `GET / HTTP/1.1\r\nA: ${'a'.repeat(9_000)}\r\n`]) {
    const socket = connectTcp(portOf(listener), '127.0.0.1', () => socket.write(nonsense))
    await whenGone(socket)
  }
})

const whenGone = (socket: Socket) =>
  new Promise<void>((resolve) => {
    socket.on('error', () => {}).on('close', () => resolve())
    socket.resume()
  })

test('silent connections are dropped in time, and no more of them wait than allowed', async () => {
  const seen: LogFields[] = []
  const log = (_level: string, _event: string, fields: LogFields = {}) => void seen.push(fields)
  const logger = { ...silentLogger, log }
  const options = { handshakesPendingMax: 2, handshakeTimeoutMs: 200, logger }
  await using listener = await websocket(options).listen(address, (stream) => stream.attach(open))
  const sockets = [1, 2, 3].map(() => connectTcp(portOf(listener), '127.0.0.1'))
  const gone = sockets.map(whenGone)
  await Promise.race(gone)
  assert.deepEqual(
    sockets.map(({ closed }) => closed),
    [false, false, true],
  )
  assert.match(String(seen[0]?.reason), /too many/)
  const [first] = sockets
  first?.write('GET / HTTP/1.1\r\n')
  const trickle = setInterval(() => first?.writable && first.write('a: b\r\n'), 20)
  await Promise.all(gone)
  clearInterval(trickle)
  ;(await websocket().dial(listener.addresses[0] ?? '')).destroy()
})

test('what is no WebSocket is refused by the dialler with the status', async () => {
  const web = createServer((_request, response) => void response.writeHead(404).end())
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  const target = `/ip4/127.0.0.1/tcp/${(web.address() as AddressInfo).port}/ws`
  const refused = { code: 'TRANSPORT_HANDSHAKE', message: /404/ }
  await assert.rejects(websocket().dial(target), refused)
  await assert.rejects(websocketClient().dial(target), isCode('TRANSPORT_HANDSHAKE'))
  web.close()
})

test('over TLS the certificate counts, and no side has a channel binding', { skip }, async () => {
  const bindings: unknown[] = []
  await using listener = await websocket(secure).listen('/ip4/127.0.0.1/tcp/0/wss', (stream) => {
    bindings.push(stream.channelBinding)
    stream.attach(open)
  })
  const target = listener.addresses[0] ?? ''
  assert.match(target, /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/tls\/ws$/)
  const stream = await websocket(secure).dial(target)
  assert.deepEqual([stream.channelBinding, ...bindings], [undefined, undefined])
  stream.destroy()
  await assert.rejects(websocket().dial(target), isCode('TRANSPORT_UNTRUSTED'))
  const { ca } = secure.tls
  const pinned = websocket({ tls: { ca, pins: [Buffer.alloc(32).toString('base64')] } })
  await assert.rejects(pinned.dial(target), isCode('TRANSPORT_UNTRUSTED'))
  await assert.rejects(websocket().dial(target.replace('/tls', '')), isCode('TRANSPORT_RESET'))
})

test('options and addresses that cannot work are refused when they are given', async () => {
  for (const options of [
    { path: 'agents' },
    { path: '/a b' },
    { origins: ['example.org'] },
    { origins: ['https://example.org/'] },
    { origins: Array.from({ length: 257 }, (_, i) => `https://a${i}.example`) },
    { handshakesPendingMax: 0 },
    { connectionsMax: 0 },
    { tls: { key: 'a' } },
  ])
    assert.throws(() => websocket(options), isCode('TRANSPORT_OPTION'), JSON.stringify(options))
  const ignore = () => {}
  const listening = websocket().listen('/ip4/127.0.0.1/tcp/0/tls/ws', ignore)
  await assert.rejects(listening, isCode('TRANSPORT_OPTION'))
  for (const wrong of ['/dns4/localhost/tcp/0/ws', '/ip4/127.0.0.1/tcp/0', '/memory/a'])
    await assert.rejects(websocket().listen(wrong, ignore), isCode('TRANSPORT_ADDRESS'), wrong)
  const client = websocketClient()
  await assert.rejects(client.listen(address, ignore), isCode('TRANSPORT_ADDRESS'))
  for (const wrong of [address, '/ip4/127.0.0.1/tcp/1/tls/sni/a.example/ws'])
    await assert.rejects(client.dial(wrong), isCode('TRANSPORT_ADDRESS'), wrong)
})
