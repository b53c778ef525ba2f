import assert from 'node:assert/strict'
import type { LookupFunction } from 'node:net'
import { networkInterfaces } from 'node:os'
import { test } from 'node:test'
import { type Logger, silentLogger } from '@myelin/base'
import { streamTransportCompliance, verifies } from '@myelin/testkit'
import { type ByteStream, type ByteStreamHandlers, TransportError, tcp } from '@myelin/transport'

verifies('R011', 'R051', 'R208')

const subject = (address: string) => async () => ({
  transport: tcp(),
  address: () => address,
  dispose: async () => {},
})

streamTransportCompliance(subject('/ip4/127.0.0.1/tcp/0'), { test, name: 'tcp' })

const isCode = (code: string) => (error: unknown) =>
  error instanceof TransportError && error.code === code

const open: ByteStreamHandlers = {
  data: () => {},
  drain: () => {},
  end: () => {},
  closed: () => {},
}

/** Resolves when the stream is closed, with its error. */
const whenClosed = (stream: ByteStream) =>
  new Promise<Error | undefined>((closed) => stream.attach({ ...open, closed }))

test('port 0 becomes a real port in the addresses', async () => {
  await using listener = await tcp().listen('/ip4/127.0.0.1/tcp/0', () => {})
  assert.match(listener.addresses.join(), /^\/ip4\/127\.0\.0\.1\/tcp\/[1-9]\d*$/)
})

test('a wildcard listener names an address of each interface, and each can be dialled', async () => {
  await using listener = await tcp().listen('/ip4/0.0.0.0/tcp/0', (stream) => stream.attach(open))
  const hosts = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter(({ family }) => family === 'IPv4')
    .map(({ address }) => address)
  assert.deepEqual(listener.addresses.map((address) => address.split('/')[2]).sort(), hosts.sort())
  assert.ok(listener.addresses.some((address) => address.startsWith('/ip4/127.0.0.1/tcp/')))
  for (const address of listener.addresses) {
    const stream = await tcp().dial(address)
    assert.equal(stream.remoteAddress, address)
    stream.destroy()
  }
})

const ip6 = Object.values(networkInterfaces()).some((entries) =>
  entries?.some(({ address }) => address === '::1'),
)
const skip = ip6 ? false : 'this machine has no IPv6 loopback'

test('IPv4 and IPv6 wildcards share a port', { skip }, async () => {
  await using four = await tcp().listen('/ip4/0.0.0.0/tcp/0', () => {})
  const port = four.addresses[0]?.split('/').at(-1)
  await using six = await tcp().listen(`/ip6/::/tcp/${port}`, (stream) => stream.attach(open))
  assert.ok(six.addresses.includes(`/ip6/::1/tcp/${port}`))
  assert.ok(six.addresses.every((address) => address.startsWith('/ip6/')))
  assert.ok(!six.addresses.some((address) => address.startsWith('/ip6/fe80')))
  const stream = await tcp().dial(`/ip6/::1/tcp/${port}`)
  assert.equal(stream.remoteAddress, `/ip6/::1/tcp/${port}`)
  stream.destroy()
})

test('a name is dialled on each of its addresses until one answers', async () => {
  await using listener = await tcp().listen('/ip4/127.0.0.1/tcp/0', (stream) => stream.attach(open))
  const port = listener.addresses[0]?.split('/').at(-1)
  for (const protocol of ['dns', 'dns4']) {
    const stream = await tcp().dial(`/${protocol}/localhost/tcp/${port}`)
    assert.equal(stream.remoteAddress, `/ip4/127.0.0.1/tcp/${port}`)
    stream.destroy()
  }
})

test('an address of a name that refuses is passed over for the next', async () => {
  await using listener = await tcp().listen('/ip4/127.0.0.1/tcp/0', (stream) => stream.attach(open))
  const port = listener.addresses[0]?.split('/').at(-1)
  const asked: unknown[] = []
  const lookup: LookupFunction = (name, options, callback) => {
    asked.push([name, options.family, options.all])
    callback(null, [
      { address: '::1', family: 6 },
      { address: '127.0.0.2', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ])
  }
  const stream = await tcp({ lookup }).dial(`/dns/agent.example/tcp/${port}`)
  assert.equal(stream.remoteAddress, `/ip4/127.0.0.1/tcp/${port}`)
  assert.deepEqual(asked, [['agent.example', 0, true]])
  stream.destroy()
  await listener.close()
  await assert.rejects(
    tcp({ lookup }).dial(`/dns/agent.example/tcp/${port}`),
    isCode('TRANSPORT_REFUSED'),
  )
})

test('a name that does not resolve is unreachable', async () => {
  const lookup: LookupFunction = (name, _options, callback) =>
    callback(Object.assign(new Error(`no ${name}`), { code: 'ENOTFOUND' }), [])
  await assert.rejects(
    tcp({ lookup }).dial('/dns4/nobody.example/tcp/1'),
    isCode('TRANSPORT_UNREACHABLE'),
  )
})

test('what fails to dial or listen says so with a code', async () => {
  await using listener = await tcp().listen('/ip4/127.0.0.1/tcp/0', () => {})
  const used = listener.addresses[0] ?? ''
  const closing = await tcp().listen('/ip4/127.0.0.1/tcp/0', () => {})
  const free = closing.addresses[0] ?? ''
  await closing.close()
  await assert.rejects(tcp().dial(free), isCode('TRANSPORT_REFUSED'))
  await assert.rejects(
    tcp().listen(used, () => {}),
    isCode('TRANSPORT_IN_USE'),
  )
  await assert.rejects(tcp().dial('/ip4/127.0.0.1/tcp/0'), isCode('TRANSPORT_ADDRESS'))
  await assert.rejects(tcp().dial('/memory/a'), isCode('TRANSPORT_ADDRESS'))
  // An address for documentation (TEST-NET-3, RFC 5737), which no interface has.
  await assert.rejects(
    tcp().listen('/ip4/203.0.113.77/tcp/0', () => {}),
    isCode('TRANSPORT_UNREACHABLE'),
  )
  await assert.rejects(
    tcp().listen('/dns4/localhost/tcp/0', () => {}),
    isCode('TRANSPORT_ADDRESS'),
  )
})

test('connections beyond the bound are closed, those within live on', async () => {
  const arrived: ByteStream[] = []
  const dropped: string[] = []
  const logger: Logger = {
    ...silentLogger,
    log: (_level, event) => void dropped.push(event),
  }
  const bounded = tcp({ connectionsMax: 2, logger })
  await using listener = await bounded.listen('/ip4/127.0.0.1/tcp/0', (stream) => {
    stream.attach({ ...open, data: (chunk) => stream.write(chunk) })
    arrived.push(stream)
  })
  const address = listener.addresses[0] ?? ''
  const streams = [await tcp().dial(address), await tcp().dial(address)]
  const third = await tcp().dial(address)
  await new Promise<void>((resolve) =>
    third.attach({ ...open, end: () => resolve(), closed: () => resolve() }),
  )
  assert.deepEqual([arrived.length, dropped], [2, ['transport_connection_dropped']])
  for (const stream of streams) {
    const echo = new Promise<number>((resolve) => {
      stream.attach({ ...open, data: (chunk) => resolve(chunk.length) })
    })
    stream.write(new Uint8Array(3))
    assert.equal(await echo, 3)
  }
  for (const stream of [...streams, third]) stream.destroy()
})

test('options out of bounds are refused when the transport is made', () => {
  for (const options of [
    { backlog: 0 },
    { backlog: 1.5 },
    { backlog: 65_536 },
    { connectionsMax: 0 },
    { connectionsMax: Number.NaN },
  ])
    assert.throws(() => tcp(options), isCode('TRANSPORT_OPTION'), JSON.stringify(options))
})

test('destroy resets the connection: the error on the other side says so', async () => {
  const servers: Promise<Error | undefined>[] = []
  await using listener = await tcp().listen('/ip4/127.0.0.1/tcp/0', (stream) => {
    servers.push(whenClosed(stream))
  })
  const stream = await tcp().dial(listener.addresses[0] ?? '')
  while (servers.length === 0) await new Promise((resolve) => setImmediate(resolve))
  stream.destroy()
  const error = await servers[0]
  assert.ok(isCode('TRANSPORT_RESET')(error), String(error))
})
