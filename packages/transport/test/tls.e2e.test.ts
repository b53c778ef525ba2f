import assert from 'node:assert/strict'
import { connect as connectTcp, createServer as createTcpServer, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { type ConnectionOptions, connect, createServer } from 'node:tls'
import { type LogFields, silentLogger } from '@myelin/base'
import { streamTransportCompliance, verifies } from '@myelin/testkit'
import {
  type ByteStream,
  type Listener,
  type TlsTransportOptions,
  TransportError,
  tls,
  tlsSuites,
} from '@myelin/transport'
import { Authority, openssl, opensslOutput, skipWithoutOpenssl } from './certificates.ts'

verifies('R174', 'R011', 'R051')

const skip = skipWithoutOpenssl
const authority = skip ? undefined : new Authority()
after(() => authority?.dispose())
const nobody = { key: '', cert: '', pin: '' }
const bob = authority?.issue('DNS:localhost,DNS:bob.example,IP:127.0.0.1') ?? nobody
const alice = authority?.issue('DNS:alice.example') ?? nobody
const ca = authority?.cert ?? ''
const address = '/ip4/127.0.0.1/tcp/0/tls'

const credentialsOf = ({ key, cert }: typeof bob) => ({ key, cert, ca })
const server = (options: TlsTransportOptions = {}) => tls({ ...credentialsOf(bob), ...options })
const client = (options: TlsTransportOptions = {}) => tls({ ca, ...options })

streamTransportCompliance(
  async () => ({
    transport: server(),
    address: () => address,
    dispose: async () => {},
  }),
  { test: (title, body) => test(title, { skip }, body), name: 'tls' },
)

const isCode = (code: string) => (error: unknown) =>
  error instanceof TransportError && error.code === code

const open = { data: () => {}, drain: () => {}, end: () => {}, closed: () => {} }

/** Resolves when the stream is closed, with its error. */
const whenClosed = (stream: ByteStream) =>
  new Promise<Error | undefined>((closed) => stream.attach({ ...open, closed }))

const portOf = (listener: Listener) => Number(listener.addresses[0]?.split('/')[4])

/** A listener whose streams say one byte and end. */
const greeting = (options: TlsTransportOptions = {}) =>
  server(options).listen(address, (stream) => {
    stream.attach(open)
    stream.write(Uint8Array.of(1))
    stream.end()
  })

/** What a client of node:tls agrees on with a listener, or the code of its failure. */
function negotiate(port: number, options: ConnectionOptions) {
  return new Promise<{ suite: string; group: unknown } | string>((resolve) => {
    const socket = connect({ ...options, host: '127.0.0.1', port, ca, servername: '' }, () => {
      const { name: group } = socket.getEphemeralKeyInfo() as { name?: string }
      resolve({ suite: socket.getCipher().name, group })
      socket.destroy()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
  })
}

test('five suites are agreed on when a client has nothing else, and no other', {
  skip,
}, async () => {
  await using listener = await greeting()
  const port = portOf(listener)
  for (const suite of tlsSuites) {
    const agreed = await negotiate(port, suiteOptions(suite))
    assert.equal(typeof agreed === 'string' ? agreed : agreed.suite, suite)
  }
  for (const suite of [
    'TLS_AES_128_CCM_SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES256-SHA384',
    'DHE-RSA-AES256-GCM-SHA384',
    'AES256-GCM-SHA384',
  ])
    assert.match(String(await negotiate(port, suiteOptions(suite))), /HANDSHAKE_FAILURE/, suite)
})

const suiteOptions = (suite: string) =>
  suite.startsWith('TLS_')
    ? ({ ciphers: suite, minVersion: 'TLSv1.3' } as const)
    : ({ ciphers: suite, maxVersion: 'TLSv1.2' } as const)

test('the key exchange is hybrid where the client has it, X25519 else, and no other', {
  skip,
}, async () => {
  await using listener = await greeting()
  const port = portOf(listener)
  const hybrid = { suite: 'TLS_AES_256_GCM_SHA384', group: 'X25519MLKEM768' }
  assert.deepEqual(await negotiate(port, {}), hybrid)
  assert.deepEqual(await negotiate(port, { ecdhCurve: 'X25519:X25519MLKEM768' }), hybrid)
  assert.deepEqual(await negotiate(port, { ecdhCurve: 'X25519' }), { ...hybrid, group: 'X25519' })
  for (const ecdhCurve of ['P-256', 'P-384', 'SecP256r1MLKEM768'])
    assert.match(String(await negotiate(port, { ecdhCurve })), /HANDSHAKE_FAILURE/, ecdhCurve)
})

test('versionMin 1.3 refuses a client of TLS 1.2', { skip }, async () => {
  await using listener = await greeting({ versionMin: '1.3' })
  const refused = await negotiate(portOf(listener), { maxVersion: 'TLSv1.2' })
  assert.match(String(refused), /PROTOCOL_VERSION/)
})

test('a dialler agrees on the five suites alone, too', { skip }, async () => {
  for (const [options, code] of [
    [{ ciphers: 'ECDHE-RSA-CHACHA20-POLY1305', maxVersion: 'TLSv1.2' }, undefined],
    [{ ciphers: 'TLS_AES_128_GCM_SHA256' }, undefined],
    [{ ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' }, 'TRANSPORT_HANDSHAKE'],
    [{ ciphers: 'TLS_AES_128_CCM_SHA256', minVersion: 'TLSv1.3' }, 'TRANSPORT_HANDSHAKE'],
    [{ ecdhCurve: 'P-256' }, 'TRANSPORT_HANDSHAKE'],
  ] as const) {
    const other = createServer({ ...credentialsOf(bob), ...options }, (socket) => {
      socket.on('error', () => {})
    })
    const port = await listening(other)
    const dialling = client().dial(`/ip4/127.0.0.1/tcp/${port}/tls`)
    if (code === undefined) (await dialling).destroy()
    else await assert.rejects(dialling, isCode(code), JSON.stringify(options))
    other.close()
  }
})

function listening(other: ReturnType<typeof createTcpServer>): Promise<number> {
  return new Promise((resolve) => {
    other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port))
  })
}

/** A TLS client of another make, until it has seen the greeting and the end. */
const sClient = (port: number, ...args: string[]) =>
  opensslOutput(['s_client', '-connect', `127.0.0.1:${port}`, '-ign_eof', ...args])

test('openssl agrees on the suites, and exports the channel binding that we do', {
  skip,
}, async () => {
  const bindings: string[] = []
  await using listener = await server().listen(address, (stream) => {
    bindings.push(
      Buffer.from(stream.channelBinding ?? [])
        .toString('hex')
        .toUpperCase(),
    )
    stream.attach(open)
    stream.end()
  })
  const port = portOf(listener)
  // RFC 9266 §2; an empty context and none are the same in TLS 1.3 (RFC 8446 §7.5).
  const exporter = ['-keymatexport', 'EXPORTER-Channel-Binding', '-keymatexportlen', '32']
  const newer = await sClient(port, '-tls1_3', '-groups', 'X25519', ...exporter)
  assert.match(newer, /Cipher is TLS_AES_256_GCM_SHA384/)
  assert.equal(/Keying material: ([0-9A-F]{64})/.exec(newer)?.[1], bindings[0])
  const older = await sClient(port, '-tls1_2', '-cipher', 'ECDHE-RSA-CHACHA20-POLY1305')
  assert.match(older, /Cipher is ECDHE-RSA-CHACHA20-POLY1305/)
  const refused = await sClient(port, '-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256')
  assert.match(refused, /Cipher is \(NONE\)/)
  assert.match(refused, /alert handshake failure/)
  assert.equal(bindings.length, 2)
})

test('openssl agrees on the hybrid key exchange', { skip }, async (context) => {
  await using listener = await greeting()
  const said = await sClient(portOf(listener), '-tls1_3', '-groups', 'X25519MLKEM768')
  if (/passed invalid|Call to SSL_CONF_cmd|Error with command/i.test(said)) {
    context.skip('this openssl has no X25519MLKEM768, which came with 3.5')
    return
  }
  assert.match(said, /X25519MLKEM768[\s\S]*Cipher is TLS_AES_256_GCM_SHA384/)
})

test('both ends have the same channel binding, and every connection another', {
  skip,
}, async () => {
  const far: string[] = []
  const near: string[] = []
  const hex = (stream: ByteStream) => Buffer.from(stream.channelBinding ?? []).toString('hex')
  for (const versionMin of ['1.3', '1.2'] as const) {
    const transport = client({ versionMin })
    await using listener = await server().listen(address, (stream) => {
      stream.attach(open)
      far.push(hex(stream))
      stream.end()
    })
    for (let i = 0; i < 2; i += 1) {
      const stream = await transport.dial(listener.addresses[0] ?? '')
      near.push(hex(stream))
      stream.end()
      await whenClosed(stream)
    }
  }
  assert.deepEqual(near, far)
  assert.equal(new Set(near).size, 4)
  for (const binding of near) assert.equal(binding.length, 64)
})

test('nothing that is sent crosses the wire in clear', { skip }, async () => {
  verifies('R001')
  const marker = Buffer.from('a marker that an eavesdropper would know again')
  const wire: Buffer[] = []
  await using listener = await server().listen(address, (stream) => {
    stream.attach({ ...open, data: (chunk) => stream.write(chunk), end: () => stream.end() })
  })
  const relay = createTcpServer({ allowHalfOpen: true }, (near) => {
    const far = connectTcp({ port: portOf(listener), host: '127.0.0.1', allowHalfOpen: true })
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const)
      from.on('data', (chunk: Buffer) => void wire.push(chunk)).pipe(to)
  })
  const port = await listening(relay)
  const stream = await client().dial(`/ip4/127.0.0.1/tcp/${port}/tls`)
  const echoed: Uint8Array[] = []
  const closed = new Promise((resolve) => {
    stream.attach({ ...open, data: (chunk) => void echoed.push(chunk), closed: resolve })
  })
  stream.write(marker)
  stream.end()
  await closed
  relay.close()
  assert.ok(Buffer.concat(echoed).equals(marker))
  assert.ok(Buffer.concat(wire).length > 1_000)
  assert.ok(!Buffer.concat(wire).includes(marker))
})

test('a peer without authority or of another name is refused, with the mend', {
  skip,
}, async () => {
  await using listener = await greeting()
  const port = portOf(listener)
  const plain = createTcpServer((socket) => void socket.end('HTTP/1.1 400 \r\n\r\n'))
  const at = (host: string, suffix = '') => `/${host}/tcp/${port}/tls${suffix}`
  for (const [transport, target, code, message] of [
    [tls(), at('ip4/127.0.0.1'), 'TRANSPORT_UNTRUSTED', /give its authority in ca/],
    [client(), at('ip4/127.0.0.1', '/sni/eve.example'), 'TRANSPORT_UNTRUSTED', /for another name/],
    [client(), `/ip4/127.0.0.1/tcp/${await listening(plain)}/tls`, 'TRANSPORT_HANDSHAKE', /TLS/],
  ] as const)
    await assert.rejects(transport.dial(target), { code, message })
  plain.close()
  for (const right of [at('dns4/localhost'), at('ip4/127.0.0.1', '/sni/bob.example')])
    (await client().dial(right)).destroy()
})

test('a pinned key is let in and another is not, whoever vouches for it', { skip }, async () => {
  await using listener = await greeting()
  const target = listener.addresses[0] ?? ''
  const own = { rejectUnauthorized: false }
  ;(await client({ pins: [alice.pin, bob.pin] }).dial(target)).destroy()
  ;(await tls({ pins: [bob.pin], ...own }).dial(target)).destroy()
  const refusal = { code: 'TRANSPORT_UNTRUSTED', message: /not among the pins/ }
  await assert.rejects(client({ pins: [alice.pin] }).dial(target), refusal)
  await assert.rejects(tls({ pins: [alice.pin], ...own }).dial(target), refusal)
})

test('a listener asks for certificates and checks them, and the pins, if told to', {
  skip,
}, async () => {
  const streams: ByteStream[] = []
  const options = { requestCert: true, pins: [alice.pin] }
  await using listener = await server(options).listen(address, (stream) => {
    stream.attach(open)
    streams.push(stream)
    stream.write(Uint8Array.of(1))
    stream.end()
  })
  const target = listener.addresses[0] ?? ''
  const outcome = async (transport: ReturnType<typeof tls>) => {
    const stream = await transport.dial(target)
    let bytes = 0
    const error = await new Promise<Error | undefined>((closed) => {
      const data = (chunk: Uint8Array) => {
        bytes += chunk.length
        stream.end()
      }
      stream.attach({ ...open, data, end: () => stream.end(), closed })
    })
    return [bytes, (error as { code?: string } | undefined)?.code]
  }
  assert.deepEqual(await outcome(client(credentialsOf(alice))), [1, undefined])
  assert.equal(streams.length, 1)
  assert.deepEqual(await outcome(client()), [0, 'TRANSPORT_UNTRUSTED'])
  assert.deepEqual(await outcome(client(credentialsOf(bob))), [0, 'TRANSPORT_RESET'])
  const stranger = openssl([
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=x',
    '-keyout',
    '-',
    '-days',
    '2',
  ]).toString()
  assert.equal((await outcome(client({ key: stranger, cert: stranger })))[0], 0)
  assert.equal(streams.length, 1, 'no stream of theirs arrived')
})

/** A logger that keeps what an event told. */
function recorder(wanted: string) {
  const seen: LogFields[] = []
  const log = (_level: string, event: string, fields: LogFields = {}) => {
    if (event === wanted) seen.push(fields)
  }
  return { seen, logger: { ...silentLogger, log } }
}

test('a connection resumes an earlier one to its address while there are tickets', {
  skip,
}, async () => {
  await using listener = await greeting()
  for (const [options, resumed] of [
    [{ pins: [bob.pin] }, [false, true, true]],
    [{ ticketsMax: 0 }, [false, false, false]],
  ] as const) {
    const { seen, logger } = recorder('transport_tls_connected')
    const transport = client({ ...options, logger })
    for (let i = 0; i < 3; i += 1) {
      const stream = await transport.dial(listener.addresses[0] ?? '')
      const closed = whenClosed(stream)
      stream.end()
      await closed
    }
    assert.deepEqual(
      seen.map(({ isResumed }) => isResumed),
      resumed,
    )
  }
})

test('connections that stay silent are dropped in time, and no more of them wait than allowed', {
  skip,
}, async () => {
  const { seen, logger } = recorder('transport_handshake_failed')
  const options = { handshakesPendingMax: 2, handshakeTimeoutMs: 200, logger }
  await using listener = await greeting(options)
  const dial = () => connectTcp(portOf(listener), '127.0.0.1')
  const isGone = (socket: Socket) =>
    new Promise<void>((resolve) => {
      socket.on('error', () => {}).on('close', () => resolve())
    })
  const [first, second, third] = [dial(), dial(), dial()]
  const gone = [first, second, third].map(isGone)
  await Promise.race(gone)
  assert.deepEqual(
    [first, second, third].filter(({ closed }) => closed),
    [third],
  )
  assert.match(String(seen[0]?.reason), /too many/)
  // A byte now and then buys no time.
  const trickle = setInterval(() => first.writable && first.write(Uint8Array.of(22)), 20)
  await Promise.all(gone)
  clearInterval(trickle)
  ;(await client().dial(listener.addresses[0] ?? '')).destroy()
})

test('a listener that closes ends the handshakes that wait', { skip }, async () => {
  const listener = await greeting()
  const waiting = connectTcp(portOf(listener), '127.0.0.1')
  await new Promise((resolve) => waiting.once('connect', resolve))
  const gone = new Promise((resolve) => waiting.on('error', () => {}).on('close', resolve))
  await listener.close()
  waiting.resume()
  await gone
})

test('options and addresses that cannot work are refused when they are given', {
  skip,
}, async () => {
  for (const options of [
    { key: bob.key },
    { key: bob.key, cert: alice.cert },
    { ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' },
    { pins: [] },
    { pins: ['sha256/abc'] },
    { pins: [Buffer.alloc(32).toString('hex')] },
    { ticketsMax: -1 },
    { handshakesPendingMax: 0 },
    { handshakeTimeoutMs: 0.5 },
    { versionMin: '1.1' as '1.2' },
  ])
    assert.throws(() => tls(options), isCode('TRANSPORT_OPTION'), JSON.stringify(options))
  const ignore = () => {}
  await assert.rejects(client().listen(address, ignore), isCode('TRANSPORT_OPTION'))
  for (const wrong of [`${address}/sni/bob.example`, '/dns4/localhost/tcp/0/tls', '/memory/a'])
    await assert.rejects(server().listen(wrong, ignore), isCode('TRANSPORT_ADDRESS'), wrong)
  await assert.rejects(client().dial(address), isCode('TRANSPORT_ADDRESS'))
})
