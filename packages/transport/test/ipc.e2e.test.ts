import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { streamTransportCompliance, verifies } from '@myelin/testkit'
import { ipc, ipcAddress, TransportError } from '@myelin/transport'
import { PrivateFolder, publishSocket } from '../src/socket-file.ts'

verifies('R018')

streamTransportCompliance(
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'myelin-ipc-'))
    let sockets = 0
    return {
      transport: ipc(),
      address: () => {
        sockets += 1
        return ipcAddress(join(folder, `${sockets}.sock`))
      },
      dispose: () => rm(folder, { recursive: true, force: true }),
    }
  },
  { test, name: 'ipc' },
)

const isUnix = process.platform !== 'win32'
const skip = isUnix ? false : 'Windows has pipes, and no files for them'
const isCode = (code: string) => (error: unknown) =>
  error instanceof TransportError && error.code === code

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'myelin-ipc-'))
  try {
    await body(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const listen = (path: string, mode?: number) =>
  ipc(mode === undefined ? {} : { mode }).listen(ipcAddress(path), () => {})
const modeOf = async (path: string) => ((await lstat(path)).mode & 0o777).toString(8)

/** A socket file whose listener was killed, as a crash leaves it. */
async function staleSocket(path: string): Promise<void> {
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' })
  await once(child, 'exit')
  assert.ok((await lstat(path)).isSocket())
}

test('the socket file is for its owner alone, whatever the umask', { skip }, () =>
  inFolder(async (folder) => {
    const umask = process.umask(0)
    try {
      await using _listener = await listen(join(folder, 'a.sock'))
      assert.equal(await modeOf(join(folder, 'a.sock')), '600')
      await using _shared = await listen(join(folder, 'b.sock'), 0o660)
      assert.equal(await modeOf(join(folder, 'b.sock')), '660')
    } finally {
      process.umask(umask)
    }
  }),
)

test('at no moment of its making can others reach the socket', { skip }, () =>
  inFolder(async (folder) => {
    const umask = process.umask(0)
    const seen: string[] = []
    // Looks at every file that appears, between all steps of the listener that the event loop allows.
    let isDone = false
    const watch = async () => {
      while (!isDone) {
        for (const name of readdirSync(folder)) {
          const found = lstatSync(join(folder, name), { throwIfNoEntry: false })
          if (found === undefined) continue
          seen.push(`${name === 'a.sock' ? name : 'private'} ${(found.mode & 0o777).toString(8)}`)
        }
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const watching = watch()
    try {
      await using _listener = await listen(join(folder, 'a.sock'))
      assert.deepEqual(await readdir(folder), ['a.sock'], 'nothing else is left behind')
    } finally {
      isDone = true
      process.umask(umask)
      await watching
    }
    assert.deepEqual([...new Set(seen)].sort(), ['a.sock 600', 'private 700'])
  }),
)

test('closing removes the socket file, but not another that took its place', { skip }, () =>
  inFolder(async (folder) => {
    const path = join(folder, 'a.sock')
    await (await listen(path)).close()
    assert.deepEqual(await readdir(folder), [])
    const first = await listen(path)
    await rm(path)
    await using _second = await listen(path)
    await first.close()
    assert.deepEqual(await readdir(folder), ['a.sock'])
    const stream = await ipc().dial(ipcAddress(path))
    stream.destroy()
  }),
)

test('the socket file of a listener that crashed is replaced', { skip }, () =>
  inFolder(async (folder) => {
    const path = join(folder, 'a.sock')
    await staleSocket(path)
    await assert.rejects(ipc().dial(ipcAddress(path)), isCode('TRANSPORT_REFUSED'))
    await using _listener = await listen(path)
    assert.deepEqual(await readdir(folder), ['a.sock'])
    const stream = await ipc().dial(ipcAddress(path))
    stream.destroy()
  }),
)

test('of several listeners that race for a stale socket exactly one gets it', { skip }, () =>
  inFolder(async (folder) => {
    const path = join(folder, 'a.sock')
    for (let round = 0; round < 5; round += 1) {
      await staleSocket(path)
      const results = await Promise.allSettled(Array.from({ length: 6 }, () => listen(path)))
      const won = results.filter((result) => result.status === 'fulfilled')
      for (const result of results)
        if (result.status === 'rejected') assert.ok(isCode('TRANSPORT_IN_USE')(result.reason))
      assert.equal(won.length, 1)
      const stream = await ipc().dial(ipcAddress(path))
      stream.destroy()
      for (const { value } of won) await value.close()
      assert.deepEqual(await readdir(folder), [])
    }
  }),
)

test('a listener that answers keeps its path', { skip }, () =>
  inFolder(async (folder) => {
    const path = join(folder, 'a.sock')
    await using _listener = await listen(path)
    await assert.rejects(listen(path), isCode('TRANSPORT_IN_USE'))
    assert.deepEqual(await readdir(folder), ['a.sock'])
  }),
)

test('a file, a folder or a link in the way is never touched', { skip }, () =>
  inFolder(async (folder) => {
    await writeFile(join(folder, 'file'), 'precious')
    await mkdir(join(folder, 'folder'))
    await symlink(join(folder, 'nowhere'), join(folder, 'link'))
    for (const name of ['file', 'folder', 'link'])
      await assert.rejects(listen(join(folder, name)), {
        code: 'TRANSPORT_IN_USE',
        message: /no socket is in the way; move it/,
      })
    assert.equal(await readFile(join(folder, 'file'), 'utf8'), 'precious')
    assert.deepEqual((await readdir(folder)).sort(), ['file', 'folder', 'link'])
  }),
)

test('a file system without hard links gets the socket by renaming', { skip }, () =>
  inFolder(async (folder) => {
    const path = join(folder, 'a.sock')
    const publish = async () => {
      await using made = await PrivateFolder.beside(path, 'test')
      const server = createServer().listen(made.socketPath)
      await once(server, 'listening')
      const link = () => Promise.reject(Object.assign(new Error('no links'), { code: 'ENOTSUP' }))
      try {
        const remove = await publishSocket({ folder: made, path, mode: 0o600, what: 'test', link })
        return { server, remove }
      } catch (error) {
        server.close()
        throw error
      }
    }
    await staleSocket(path)
    const { server, remove } = await publish()
    assert.equal(await modeOf(path), '600')
    await assert.rejects(publish(), isCode('TRANSPORT_IN_USE'))
    await remove()
    server.close()
    assert.deepEqual(await readdir(folder), [])
  }),
)

test('a socket path that the system would cut is refused, up to the last byte', { skip }, () =>
  inFolder(async (folder) => {
    // sun_path holds 108 bytes with the closing NUL on Linux and Android, 104 elsewhere (unix(7), unix(4)).
    const max = ['linux', 'android'].includes(process.platform) ? 107 : 103
    const longest = join(folder, 'é'.repeat(10).padEnd(max - folder.length - 1 - 10, 'x'))
    assert.equal(Buffer.byteLength(longest), max)
    await using _listener = await listen(longest)
    const stream = await ipc().dial(ipcAddress(longest))
    stream.destroy()
    const refusal = { code: 'TRANSPORT_ADDRESS', message: /1 bytes too long/ }
    await assert.rejects(listen(`${longest}x`), refusal)
    await assert.rejects(ipc().dial(ipcAddress(`${longest}x`)), refusal)
    // The private folder of the making has to fit as well: /.XXXXXX/s behind the folder of the socket.
    const deep = join(folder, 'd'.repeat(max - folder.length - 8))
    await mkdir(deep)
    const tooDeep = { code: 'TRANSPORT_ADDRESS', message: /3 bytes too long .* shorter folder/ }
    await assert.rejects(listen(join(deep, 'a')), tooDeep)
    assert.deepEqual(await readdir(deep), [])
  }),
)

test('a missing folder is named, with its mend', { skip }, () =>
  inFolder(async (folder) => {
    await assert.rejects(listen(join(folder, 'none', 'a.sock')), {
      code: 'TRANSPORT_ADDRESS',
      message: /none is missing; make it with mode 0700/,
    })
    await assert.rejects(
      ipc().dial(ipcAddress(join(folder, 'none', 'a.sock'))),
      isCode('TRANSPORT_REFUSED'),
    )
  }),
)

test('a listener in a worker thread works like any other', { skip }, () =>
  inFolder(async (folder) => {
    const source = `
      const { ipc } = await import(${JSON.stringify(import.meta.resolve('@myelin/transport'))})
      const { parentPort, workerData } = await import('node:worker_threads')
      const echo = (stream) => stream.attach({
        data: (chunk) => stream.write(chunk), drain() {}, end() {}, closed() {} })
      const listener = await ipc().listen(workerData, echo)
      parentPort.postMessage('listening')
      parentPort.once('message', () => listener.close())
    `
    const workerData = ipcAddress(join(folder, 'a.sock'))
    const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`)
    const worker = new Worker(url, { workerData })
    const left = once(worker, 'exit')
    await once(worker, 'message')
    const stream = await ipc().dial(workerData)
    const echo = new Promise<number>((resolve) => {
      const data = (chunk: Uint8Array) => resolve(chunk.length)
      stream.attach({ data, drain: () => {}, end: () => {}, closed: () => {} })
    })
    stream.write(new Uint8Array(3))
    assert.equal(await echo, 3)
    stream.destroy()
    worker.postMessage('close')
    assert.deepEqual(await left, [0], 'nothing keeps the worker alive')
  }),
)

test(
  'the other side learns that the process of a peer died, and not only that it ended',
  { skip },
  () =>
    inFolder(async (folder) => {
      const path = join(folder, 'a.sock')
      const closed = new Promise<Error | undefined>((resolve) => {
        void ipc()
          .listen(ipcAddress(path), (stream) => {
            const data = () => child.kill('SIGKILL')
            stream.attach({ data, drain: () => {}, end: () => {}, closed: resolve })
          })
          .then((listener) => closed.finally(() => listener.close()))
      })
      while (!existsSync(path)) await new Promise((resolve) => setImmediate(resolve))
      const script = `require('node:net').connect(${JSON.stringify(path)}).write('hello')`
      const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' })
      assert.ok(isCode('TRANSPORT_RESET')(await closed))
    }),
)
