import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { verifies } from '@myelin/testkit'
import {
  type ByteStream,
  ipc,
  ipcAddress,
  MemoryNetwork,
  memory,
  type StreamTransport,
  shm,
  shmAddress,
  tcp,
} from '@myelin/transport'

verifies('R023')

const mib = 1024 * 1024
const totalBytes = 192 * mib
/** Half of what flows: well above what buffers and garbage take, well below an unbounded queue. */
const growthBytesMax = totalBytes / 2
/** Bytes between two collections, so that RSS shows what is held and not what is dropped. */
const gcBytes = 8 * mib

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const before = process.memoryUsage.rss()

/** Writes all as fast as the stream takes it, to a reader that rests after every chunk; the largest RSS. */
async function peakRss(transport: StreamTransport, address: string): Promise<number> {
  let peak = 0
  let arrive: (stream: ByteStream) => void = () => {}
  const arrival = new Promise<ByteStream>((resolve) => {
    arrive = resolve
  })
  await using listener = await transport.listen(address, (stream) => {
    arrive(stream)
    let read = 0
    let collections = 0
    stream.attach({
      data: (chunk) => {
        read += chunk.length
        if (Math.floor(read / gcBytes) > collections) {
          collections += 1
          collectGarbage()
          peak = Math.max(peak, process.memoryUsage.rss())
        }
        stream.pause()
        setImmediate(() => stream.resume())
      },
      drain: () => {},
      end: () => {
        assert.equal(read, totalBytes)
        stream.end()
      },
      closed: () => {},
    })
  })
  const stream = await transport.dial(listener.addresses[0] ?? '')
  await arrival
  let written = 0
  const fill = () => {
    while (written < totalBytes) {
      written += 65_536
      if (!stream.write(new Uint8Array(65_536).fill(1))) return
    }
    stream.end()
  }
  await new Promise<void>((resolve, reject) => {
    const closed = (error?: Error) => (error === undefined ? resolve() : reject(error))
    stream.attach({ data: () => {}, drain: fill, end: () => {}, closed })
    fill()
  })
  return peak
}

const folder = await mkdtemp(join(tmpdir(), 'myelin-rss-'))
const subjects: readonly (readonly [string, StreamTransport, string])[] = [
  ['tcp', tcp(), '/ip4/127.0.0.1/tcp/0'],
  ['ipc', ipc(), ipcAddress(join(folder, 'a.sock'))],
  ...(shm.isAvailable() ? [['shm', shm(), shmAddress(join(folder, 'b.sock'))] as const] : []),
  ['memory', memory({ network: new MemoryNetwork() }), '/memory/a'],
]
for (const [name, transport, address] of subjects) {
  test(`${name}: a slow reader bounds the memory of a sender with more to say`, async () => {
    const growth = (await peakRss(transport, address)) - before
    assert.ok(growth < growthBytesMax, `the process grew by ${Math.round(growth / mib)} MiB`)
  })
}

after(() => rm(folder, { recursive: true, force: true }))
