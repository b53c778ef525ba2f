// The QUIC packages of npm beside each other, for docs/decisions/0010-quic.md: two processes over the loopback, one
// stream each. `node --conditions=@myelin/source bench/quic-packages.ts` prints the table; it needs openssl, and
// `npm run bench:rivals` for @matrixai/quic. A package that does not run says so in its row.

import { type ChildProcess, fork } from 'node:child_process'
import { generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto'
import { once } from 'node:events'
import { describeError, kib, mib } from '@myelin/base'
import { makeCertificate } from './peers/kinds.ts'
import type { Certificate } from './peers/sockets.ts'

/** One bidirectional stream, as all packages can give it. */
interface Pipe {
  write(bytes: Uint8Array): Promise<void>
  /** What has come, or undefined at the end. */
  read(): Promise<Uint8Array | undefined>
}

interface Party {
  listen(onPipe: (pipe: Pipe) => void): Promise<number>
  dial(port: number): Promise<Pipe>
}

/** A package is used through `unknown`: none of them declares the types of what is used here. */
// biome-ignore lint/suspicious/noExplicitAny: see above
type Foreign = any

const host = '127.0.0.1'
const roundTrips = 2_000
const warmUps = 500
const messageBytes = kib
const bulkBytes = 32 * mib
const writeBytes = 64 * kib
const idleConnections = 100
const windowBytes = 16 * mib
/** The largest packet that the search for the path's size of quinn tries. */
const packetBytes = 1_452

const parties: Readonly<Record<string, (certificate: Certificate) => Promise<Party>>> = {
  '@chainsafe/libp2p-quic, its native layer': () => chainsafe(64 * kib),
  '… with reads of 4 KiB, as its libp2p wrapper does': () => chainsafe(4 * kib),
  '@matrixai/quic, as it comes': (certificate) => matrixai(certificate, {}),
  '@matrixai/quic, tuned': (certificate) =>
    matrixai(certificate, {
      initialMaxData: windowBytes,
      initialMaxStreamDataBidiLocal: windowBytes,
      initialMaxStreamDataBidiRemote: windowBytes,
      maxRecvUdpPayloadSize: 65_527,
      maxSendUdpPayloadSize: packetBytes,
      readableChunkSize: 64 * kib,
      grease: false,
    }),
}

// ── The packages ─────────────────────────────────────────────────────────────────────────────────────────

async function chainsafe(readBytes: number): Promise<Party> {
  const entry = import.meta.resolve('@chainsafe/libp2p-quic')
  const native: Foreign = await import(new URL('napi.js', entry).href)
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  const pair = [jwk.d, jwk.x].map((part) => Buffer.from(part ?? '', 'base64url'))
  const config = new native.QuinnConfig({
    privateKeyProto: Buffer.concat([Buffer.of(8, 1, 18, 64), ...pair]),
    handshakeTimeout: 5_000,
    maxIdleTimeout: 30_000,
    keepAliveInterval: 5_000,
    maxConcurrentStreamLimit: 100,
    maxStreamData: windowBytes,
    maxConnectionData: windowBytes,
    receiveBufferSize: mib,
    sendBufferSize: mib,
  })
  const pipe = (stream: Foreign, connection: Foreign): Pipe & { connection: Foreign } => ({
    connection,
    write: (bytes) => stream.write(bytes),
    read: async () => (await stream.read(readBytes)) ?? undefined,
  })
  let client: Foreign
  return {
    listen: async (onPipe) => {
      const server = new native.Server(config, host, 0)
      const accept = async () => {
        for (;;) {
          const connection = await server.inboundConnection()
          connection.inboundStream().then((stream: Foreign) => onPipe(pipe(stream, connection)))
        }
      }
      void accept()
      return server.port()
    },
    dial: async (port) => {
      client ??= new native.Client(config, native.SocketFamily.Ipv4)
      const connection = await client.outboundConnection(host, port)
      return pipe(await connection.outboundStream(), connection)
    },
  }
}

async function matrixai({ key, cert }: Certificate, config: object): Promise<Party> {
  const load = (name: string): Promise<Foreign> =>
    import(new URL(`rivals/node_modules/@matrixai/${name}/dist/index.js`, import.meta.url).href)
  const quic = await load('quic')
  const { default: Logger } = await load('logger')
  const logger = new Logger('bench', 4)
  const common = { maxIdleTimeout: 30_000, ...config }
  const pipe = ({ readable, writable }: Foreign): Pipe => {
    const reader = readable.getReader()
    const writer = writable.getWriter()
    return {
      write: (bytes) => writer.write(bytes),
      read: async () => (await reader.read()).value,
    }
  }
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  const keyOf = (bytes: ArrayBuffer) =>
    webcrypto.subtle.importKey('raw', bytes, hmac, false, ['sign', 'verify'])
  return {
    listen: async (onPipe) => {
      const server = new quic.QUICServer({
        crypto: {
          key: new Uint8Array(randomBytes(32)).buffer,
          ops: {
            sign: async (secret: ArrayBuffer, data: ArrayBuffer) =>
              webcrypto.subtle.sign(hmac, await keyOf(secret), data),
            verify: async (secret: ArrayBuffer, data: ArrayBuffer, mac: ArrayBuffer) =>
              webcrypto.subtle.verify(hmac, await keyOf(secret), mac, data),
          },
        },
        config: { ...common, key, cert },
        logger,
      })
      const { EventQUICServerConnection, EventQUICConnectionStream } = quic.events
      server.addEventListener(EventQUICServerConnection.name, ({ detail }: Foreign) => {
        detail.addEventListener(EventQUICConnectionStream.name, (event: Foreign) =>
          onPipe(pipe(event.detail)),
        )
      })
      await server.start({ host, port: 0 })
      return Number(server.port)
    },
    dial: async (port) => {
      const client = await quic.QUICClient.createQUICClient({
        host,
        port,
        localHost: host,
        crypto: {
          ops: {
            randomBytes: async (data: ArrayBuffer) =>
              void webcrypto.getRandomValues(new Uint8Array(data)),
          },
        },
        config: { ...common, verifyPeer: false },
        logger,
      })
      return pipe(client.connection.newStream())
    },
  }
}

// ── The far process: echoes, or counts and answers when all is there ────────────────────────────────────

async function serve(name: string, certificate: Certificate): Promise<void> {
  const party = await (parties[name] as (typeof parties)[string])(certificate)
  const pipes = new Set<Pipe>()
  const port = await party.listen((pipe) => {
    pipes.add(pipe)
    answer(pipe).catch(() => {})
  })
  process.on('message', () => {
    globalThis.gc?.()
    process.send?.({ rss: process.memoryUsage.rss() })
  })
  process.send?.({ port })
}

async function answer(pipe: Pipe): Promise<void> {
  let isEcho: boolean | undefined
  let counted = 0
  for (;;) {
    const bytes = await pipe.read()
    if (bytes === undefined) return
    isEcho ??= bytes[0] === 1
    if (isEcho) await pipe.write(bytes.slice())
    else counted += bytes.length
    if (!isEcho && counted >= bulkBytes) await pipe.write(Uint8Array.of(1))
  }
}

// ── The near process ─────────────────────────────────────────────────────────────────────────────────────

interface Row {
  readonly name: string
  readonly figures?: readonly (number | string)[]
  readonly fault?: string
}

async function measure(name: string, certificate: Certificate): Promise<Row> {
  const far = fork(import.meta.filename, [name, JSON.stringify(certificate)], {
    execArgv: [...process.execArgv, '--expose-gc'],
  })
  try {
    const { port } = await report<{ port: number }>(far)
    const party = await (parties[name] as (typeof parties)[string])(certificate)
    const dials: number[] = []
    const dial = async () => {
      const began = performance.now()
      const pipe = await party.dial(port)
      dials.push(performance.now() - began)
      return pipe
    }
    const times = await echo(await dial())
    const before = await rss(far)
    const kept = []
    for (let i = 0; i < idleConnections; i += 1) {
      const pipe = await dial()
      await pipe.write(Uint8Array.of(1))
      await pipe.read()
      kept.push(pipe)
    }
    const perConnection = ((await rss(far)) - before) / kept.length / kib
    const bulk = [await push(await dial()), await push(await dial())]
    return {
      name,
      figures: [
        times[Math.floor(times.length / 2)] ?? 0,
        times[Math.floor(times.length * 0.99)] ?? 0,
        Math.max(...bulk),
        dials.sort((a, b) => a - b)[Math.floor(dials.length / 2)] ?? 0,
        perConnection,
      ],
    }
  } catch (error) {
    return { name, fault: describeError(error) }
  } finally {
    far.kill()
  }
}

/** Microseconds of each round trip, sorted. */
async function echo(pipe: Pipe): Promise<number[]> {
  const message = new Uint8Array(messageBytes).fill(1)
  const times: number[] = []
  for (let i = 0; i < warmUps + roundTrips; i += 1) {
    const began = performance.now()
    await pipe.write(message.slice())
    for (let got = 0; got < messageBytes; ) got += (await next(pipe)).length
    if (i >= warmUps) times.push((performance.now() - began) * 1_000)
  }
  return times.sort((a, b) => a - b)
}

/** MB/s of one stream. */
async function push(pipe: Pipe): Promise<number> {
  const chunk = new Uint8Array(writeBytes)
  const began = performance.now()
  for (let sent = 0; sent < bulkBytes; sent += writeBytes) await pipe.write(chunk.slice())
  await next(pipe)
  return bulkBytes / 1e3 / (performance.now() - began)
}

async function next(pipe: Pipe): Promise<Uint8Array> {
  const bytes = await pipe.read()
  if (bytes === undefined) throw new Error('the stream ended early')
  return bytes
}

async function rss(far: ChildProcess): Promise<number> {
  const answered = report<{ rss: number }>(far)
  far.send({})
  return (await answered).rss
}

async function report<Report>(far: ChildProcess): Promise<Report> {
  const gone = once(far, 'exit').then(() => Promise.reject(new Error('its process ended')))
  const [message] = await Promise.race([once(far, 'message'), gone])
  return message as Report
}

function print(row: Row): void {
  const [p50 = 0, p99 = 0, bulk = 0, dial = 0, memory = 0] = (row.figures ?? []).map(Number)
  const cells =
    row.fault === undefined
      ? [
          `${p50.toFixed(0)} / ${p99.toFixed(0)} µs`,
          `${bulk.toFixed(0)} MB/s`,
          `${dial.toFixed(1)} ms`,
          `${memory.toFixed(0)} KiB`,
        ]
      : [`does not run: ${row.fault}`, '', '', '']
  process.stdout.write(`| ${[row.name, ...cells].join(' | ')} |\n`)
}

const [, , farName, farCertificate] = process.argv
if (farName !== undefined && farCertificate !== undefined) {
  await serve(farName, JSON.parse(farCertificate))
} else {
  const certificate = makeCertificate()
  if (certificate === undefined) throw new Error('openssl is missing; install it and try again')
  process.stdout.write(
    '| | 1 KiB there and back p50 / p99 | bulk | dial | server RSS per connection |\n',
  )
  process.stdout.write('|---|---|---|---|---|\n')
  for (const name of Object.keys(parties)) print(await measure(name, certificate))
  process.exit(0)
}
