import assert from 'node:assert/strict'
import { test } from 'node:test'
import { datagramTransportCompliance, streamTransportCompliance, verifies } from '@myelin/testkit'
import {
  type ByteStream,
  type ByteStreamHandlers,
  MemoryNetwork,
  memory,
  memoryDatagram,
} from '@myelin/transport'

verifies('R051')

let names = 0
const subject = <Kind>(transport: Kind) => ({
  transport,
  address: () => {
    names += 1
    return `/memory/agent-${names}`
  },
  dispose: async () => {},
})

streamTransportCompliance(async () => subject(memory({ network: new MemoryNetwork() })), {
  test,
  name: 'memory',
})

datagramTransportCompliance(async () => subject(memoryDatagram({ network: new MemoryNetwork() })), {
  test,
  name: 'memory datagrams',
})

const open: ByteStreamHandlers = {
  data: () => {},
  drain: () => {},
  end: () => {},
  closed: () => {},
}

/** A network whose deliveries happen when the test says so. */
function handNetwork() {
  const due: (() => void)[] = []
  const network = new MemoryNetwork({ defer: (callback) => void due.push(callback) })
  const settle = () => {
    for (let callback = due.shift(); callback !== undefined; callback = due.shift()) callback()
  }
  return { network, due, settle }
}

async function pair() {
  const { network, due, settle } = handNetwork()
  const servers: ByteStream[] = []
  const transport = memory({ network })
  await transport.listen('/memory/server', (stream) => void servers.push(stream))
  const dialling = transport.dial('/memory/server')
  settle()
  const client = await dialling
  const server = servers[0] ?? assert.fail('no stream arrived')
  return { client, server, due, settle }
}

test('memory: nothing is delivered but by the scheduler, and each stream asks it once', async () => {
  const { client, server, due, settle } = await pair()
  const seen: number[] = []
  server.attach({ ...open, data: (chunk) => void seen.push(chunk[0] ?? -1) })
  settle()
  for (const byte of [1, 2, 3]) client.write(Uint8Array.of(byte))
  assert.deepEqual([seen, due.length], [[], 1])
  settle()
  assert.deepEqual([seen, due.length], [[1, 2, 3], 0])
})

test('memory: write is false from 1 MiB on, and one drain follows below half of it', async () => {
  const { client, server, settle } = await pair()
  let drains = 0
  let read = 0
  client.attach({
    ...open,
    drain: () => {
      drains += 1
    },
  })
  server.attach({
    ...open,
    data: (chunk) => {
      read += chunk.length
      if (read < 524_288) server.pause()
    },
  })
  settle()
  const quarter = 262_144
  const accepted = [1, 2, 3, 4].map(() => client.write(new Uint8Array(quarter)))
  assert.deepEqual(accepted, [true, true, true, false])
  assert.equal(client.bufferedBytes, 1_048_576)
  settle()
  assert.deepEqual([read, drains, client.bufferedBytes], [quarter, 0, 3 * quarter])
  server.resume()
  settle()
  assert.deepEqual([read, drains, client.bufferedBytes], [4 * quarter, 1, 0])
})

test('memory: a chunk reaches the reader without a copy', async () => {
  const { client, server, settle } = await pair()
  const sent = Uint8Array.of(1, 2, 3)
  const received: Uint8Array[] = []
  server.attach({ ...open, data: (chunk) => void received.push(chunk) })
  client.write(sent)
  settle()
  assert.equal(received[0], sent)
})

test('memory: two streams that answer each other without end do not hold the process', async () => {
  const transport = memory({ network: new MemoryNetwork() })
  const echo = (stream: ByteStream) =>
    stream.attach({ ...open, data: (chunk) => void stream.write(chunk) })
  await transport.listen('/memory/a', echo)
  const client = await transport.dial('/memory/a')
  echo(client)
  client.write(Uint8Array.of(1))
  await new Promise((resolve) => setTimeout(resolve, 0))
  client.destroy()
})

test('memory: networks are apart, and a dialling end has a name that nobody can listen on', async () => {
  const network = new MemoryNetwork()
  const transport = memory({ network })
  await transport.listen('/memory/a', () => {})
  const client = await transport.dial('/memory/a')
  assert.match(client.localAddress, /^\/memory\/~\d+$/)
  await assert.rejects(
    transport.listen(client.localAddress, () => {}),
    { code: 'TRANSPORT_ADDRESS' },
  )
  await assert.rejects(memory({ network: new MemoryNetwork() }).dial('/memory/a'), {
    code: 'TRANSPORT_REFUSED',
  })
})

test('memory: a full datagram queue drops the newest, and says so', async () => {
  const { network, settle } = handNetwork()
  const transport = memoryDatagram({ network })
  const [a, b] = [await transport.bind('/memory/a'), await transport.bind('/memory/b')]
  const seen: number[] = []
  b.attach({ message: (bytes) => void seen.push(bytes[0] ?? -1), closed: () => {} })
  const accepted = Array.from({ length: 300 }, (_, i) => a.send(Uint8Array.of(i), '/memory/b'))
  settle()
  assert.equal(accepted.filter(Boolean).length, 256)
  assert.deepEqual(
    seen,
    Array.from({ length: 256 }, (_, i) => i),
  )
})

test('memory: the sender of a datagram may use its buffer again', async () => {
  const { network, settle } = handNetwork()
  const transport = memoryDatagram({ network })
  const [a, b] = [await transport.bind('/memory/a'), await transport.bind('/memory/b')]
  const buffer = Uint8Array.of(1)
  const seen: Uint8Array[] = []
  b.attach({ message: (bytes) => void seen.push(bytes), closed: () => {} })
  a.send(buffer, '/memory/b')
  buffer[0] = 2
  settle()
  assert.deepEqual(seen, [Uint8Array.of(1)])
})

test('memory: a writer that ignores false without end breaks its stream, not the process', async () => {
  const { client, server, settle } = await pair()
  const errors: (Error | undefined)[] = []
  client.attach({ ...open, closed: (error) => void errors.push(error) })
  server.attach({ ...open, closed: (error) => void errors.push(error) })
  server.pause()
  const byte = Uint8Array.of(1)
  for (let i = 0; i < 2 ** 20; i += 1) client.write(byte)
  assert.equal(client.bufferedBytes, 2 ** 20)
  client.write(byte)
  assert.equal(client.bufferedBytes, 0)
  settle()
  assert.deepEqual(
    errors.map((error) => (error as { code?: unknown } | undefined)?.code),
    ['TRANSPORT_EXHAUSTED', 'TRANSPORT_RESET'],
  )
})
