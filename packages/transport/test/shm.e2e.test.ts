import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstat, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { streamTransportCompliance, verifies } from '@myelin/testkit'
import {
  type ByteStream,
  type ByteStreamHandlers,
  type ShmOptions,
  shm,
  shmAddress,
  TransportError,
} from '@myelin/transport'
import { ShmStream } from '../src/shm-stream.ts'

verifies('R098')

const skip = shm.isAvailable() ? false : 'no shared memory here'

if (skip === false) {
  comply('shm', {})
  // Rings that are always full or empty, and sides that sleep whenever they can.
  comply('shm, small and sleepy', { ringBytes: 4_096, spinUs: 0, pollUs: 0 })
}

function comply(name: string, options: ShmOptions): void {
  streamTransportCompliance(
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'myelin-shm-'))
      let sockets = 0
      return {
        transport: shm(options),
        address: () => {
          sockets += 1
          return shmAddress(join(folder, `${sockets}.sock`))
        },
        dispose: () => rm(folder, { recursive: true, force: true }),
      }
    },
    { test, name },
  )
}

const handlers: ByteStreamHandlers = { data() {}, drain() {}, end() {}, closed() {} }
const isCode = (error: unknown, code: string) =>
  error instanceof TransportError && error.code === code

async function atPath(body: (path: string, address: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'myelin-shm-'))
  const path = join(folder, 'a.sock')
  try {
    await body(path, shmAddress(path))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs `body` in a process of its own; `shm`, `address` and `say` (a message to us) are in scope there. */
function inChild(address: string, body: string, flags: readonly string[] = []): ChildProcess {
  const source = `
    const { shm } = await import(${JSON.stringify(import.meta.resolve('@myelin/transport'))})
    const address = ${JSON.stringify(address)}
    const say = (message) => process.send(message);
    ${body}`
  const nodeFlags = ['--conditions=@myelin/source', ...flags, '--input-type=module', '-e', source]
  return spawn(process.execPath, nodeFlags, { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
}

const echoInChild = (address: string, options: ShmOptions = {}) =>
  inChild(
    address,
    `const listener = await shm(${JSON.stringify(options)}).listen(address, (stream) => stream.attach({
       data: (chunk) => stream.write(chunk), drain() {}, end: () => stream.end(),
       closed: () => { listener.close(); process.disconnect() } }))
     say('listening')`,
  )

test('the end of a killed process closes the stream, and nothing of it is left', { skip }, () =>
  atPath(async (_path, address) => {
    const child = echoInChild(address)
    await once(child, 'message')
    const before = await readdir('/dev/shm')
    const stream = await shm().dial(address)
    const closed = new Promise<Error | undefined>((resolve) => {
      stream.attach({ ...handlers, data: () => child.kill('SIGKILL'), closed: resolve })
    })
    stream.write(new Uint8Array(10))
    assert.ok(isCode(await closed, 'TRANSPORT_RESET'))
    assert.deepEqual(await readdir('/dev/shm'), before)
    assert.deepEqual(await ownSegments(), [])
  }),
)

test('so does the end of a killed dialler', { skip }, () =>
  atPath(async (_path, address) => {
    const { promise: closed, resolve } = Promise.withResolvers<Error | undefined>()
    await using _listener = await shm().listen(address, (stream) => {
      stream.attach({ ...handlers, data: () => child.kill('SIGKILL'), closed: resolve })
    })
    const child = inChild(address, `(await shm().dial(address)).write(new Uint8Array(10))`)
    assert.ok(isCode(await closed, 'TRANSPORT_RESET'))
    assert.deepEqual(await ownSegments(), [])
  }),
)

test('a process killed before it answered leaves nothing either', { skip }, () =>
  atPath(async (path, address) => {
    await using listener = await shm().listen(address, () => assert.fail('nobody agreed'))
    const body = `(await import('node:net')).connect(${JSON.stringify(path)}).once('data', () => say('hello'))`
    const child = inChild(address, body)
    await once(child, 'message')
    assert.notDeepEqual(await ownSegments(), [], 'the memory waits for its dialler')
    child.kill('SIGKILL')
    await until(async () => (await ownSegments()).length === 0)
    await listener.close()
  }),
)

test('what a process wrote and ended arrives, though it is gone before we read', { skip }, () =>
  atPath(async (_path, address) => {
    const arrival = Promise.withResolvers<ByteStream>()
    await using _listener = await shm().listen(address, (stream) => {
      stream.pause()
      arrival.resolve(stream)
    })
    const child = inChild(
      address,
      `const stream = await shm().dial(address)
       stream.write(new Uint8Array(100_000).fill(7))
       stream.end()
       process.exit()`,
    )
    await once(child, 'exit')
    const stream = await arrival.promise
    let bytes = 0
    const events: string[] = []
    const error = await new Promise<Error | undefined>((resolve) => {
      const data = (chunk: Uint8Array) => {
        bytes += chunk.filter((byte) => byte === 7).length
      }
      stream.attach({ ...handlers, data, end: () => events.push('end'), closed: resolve })
      stream.resume()
    })
    assert.equal(bytes, 100_000)
    assert.deepEqual(events, ['end'])
    assert.ok(isCode(error, 'TRANSPORT_RESET'), 'it did not wait for our end')
  }),
)

const patiences: readonly (readonly [string, ShmOptions])[] = [
  ['always sleep', { spinUs: 0, pollUs: 0 }],
  ['hardly sleep', { spinUs: 50, pollUs: 1_000 }],
  ['sleep at the wrong moment', { spinUs: 0, pollUs: 15 }],
]
for (const [manner, options] of patiences) {
  test(`no wake-up is lost between two processes that ${manner}`, { skip }, () =>
    atPath(async (_path, address) => {
      const child = echoInChild(address, options)
      await once(child, 'message')
      const stream = await shm(options).dial(address)
      await exchange(stream, 5_000)
      stream.end()
      await once(child, 'exit')
    }),
  )
}

test('idle, both sides sleep: nobody looks and nobody is woken', { skip }, () =>
  atPath(async (_path, address) => {
    const servers: ByteStream[] = []
    await using _listener = await shm().listen(address, (stream) => {
      servers.push(stream)
      stream.attach({ ...handlers, data: (chunk) => void stream.write(chunk) })
    })
    const stream = await shm().dial(address)
    await exchange(stream, 100)
    const sides = [stream, ...servers].map((side) => {
      assert.ok(side instanceof ShmStream)
      return side
    })
    assert.equal(sides.length, 2)
    await until(() => sides.every((side) => side.isAsleep))
    const before = sides.map(({ counts }) => counts)
    await turns(2_000)
    assert.deepEqual(
      sides.map(({ counts }) => counts),
      before,
    )
    for (const { counts } of sides)
      assert.ok(counts.wakesSent <= 101 && counts.wakesReceived <= 101)
    for (const side of sides) side.destroy()
  }),
)

test('the socket is for its owner alone, and the memory has no name', { skip }, () =>
  atPath(async (path, address) => {
    const umask = process.umask(0)
    try {
      await using _listener = await shm().listen(address, (stream) => stream.attach(handlers))
      assert.equal((await lstat(path)).mode & 0o777, 0o600)
      const stream = await shm().dial(address)
      assert.equal((await ownSegments()).length, 2, 'one mapping per side')
      assert.deepEqual(await openSegments(), [], 'nobody can open it any more')
      stream.destroy()
    } finally {
      process.umask(umask)
    }
    await until(async () => (await ownSegments()).length === 0)
  }),
)

test('without node:ffi the error says so, and with it nothing is printed', { skip }, () =>
  atPath(async (_path, address) => {
    const body = `say(await shm().dial(address).catch(({ code, message }) => ({ code, message, is: shm.isAvailable() })))
      process.disconnect()`
    const without = inChild(address, body, ['--no-experimental-ffi'])
    const [refusal] = await once(without, 'message')
    assert.deepEqual([refusal.code, refusal.is], ['TRANSPORT_UNAVAILABLE', false])
    assert.match(refusal.message, /no node:ffi.*use \/unix/)
    const withIt = inChild(address, body)
    const printed = withIt.stderr?.toArray()
    const [nobody] = await once(withIt, 'message')
    assert.deepEqual([nobody.code, nobody.is], ['TRANSPORT_REFUSED', true])
    assert.equal((await printed)?.join(''), '')
  }),
)

test('options out of range are refused with their mend', () => {
  for (const options of [{ ringBytes: 5_000 }, { ringBytes: 2_048 }, { ringBytes: 2 ** 27 }])
    assert.throws(() => shm(options), { code: 'TRANSPORT_OPTION', message: /power of two/ })
  for (const options of [{ spinUs: -1 }, { spinUs: 2_000 }, { pollUs: 1.5 }])
    assert.throws(() => shm(options), { code: 'TRANSPORT_OPTION' })
})

/** Sends 1 KiB there and back again, `count` times. */
function exchange(stream: ByteStream, count: number): Promise<void> {
  let [received, rounds] = [0, 0]
  return new Promise((resolve, reject) => {
    const closed = (error?: Error) => reject(error ?? new Error('closed'))
    const data = (chunk: Uint8Array) => {
      received += chunk.length
      if (received < 1_024) return
      received = 0
      rounds += 1
      if (rounds === count) resolve()
      else stream.write(new Uint8Array(1_024))
    }
    stream.attach({ ...handlers, data, closed })
    stream.write(new Uint8Array(1_024))
  })
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await turns(1)
}

/** Shared memory of this library that this process has mapped. */
async function ownSegments(): Promise<string[]> {
  const maps = await readFile('/proc/self/maps', 'utf8')
  return maps.split('\n').filter((line) => line.includes('memfd:myelin-shm'))
}

/** Shared memory of this library that this process has open. */
async function openSegments(): Promise<string[]> {
  const names = await readdir('/proc/self/fd')
  const links = names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => ''))
  return (await Promise.all(links)).filter((link) => link.includes('memfd:myelin-shm'))
}
