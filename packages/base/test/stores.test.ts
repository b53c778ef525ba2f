// The stores, in memory and on a real disk: the same answers from both, and what a crash leaves on the second.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Store } from '@myelin/base'
import {
  fileStore,
  memoryStore,
  systemClock,
  systemRandom,
  writeFileAtomic,
} from '@myelin/base/system'

let root = ''
let folders = 0
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'myelin-'))
})
after(() => rm(root, { recursive: true, force: true }))

function fresh(): string {
  folders += 1
  return join(root, `f${folders}`)
}

const bytes = (text: string) => new TextEncoder().encode(text)
const isWindows = process.platform === 'win32'
const makers: Readonly<Record<string, () => Store>> = {
  memory: memoryStore,
  file: () => fileStore(fresh()),
  'file with a slash behind': () => fileStore(`${fresh()}${sep}`),
  'file with a relative path': () => fileStore(relative(process.cwd(), fresh())),
  'file with a dotted path': () =>
    fileStore(`${root}${sep}.${sep}..${sep}${relative(join(root, '..'), fresh())}`),
}

for (const [name, make] of Object.entries(makers)) {
  test(`${name}: what was put is got, listed and deleted`, async () => {
    const store = make()
    assert.equal(await store.get('a'), undefined)
    assert.deepEqual(await store.list(''), [])
    await store.delete('a')
    await store.put('peers/b', bytes('2'))
    await store.put('peers/a.json', bytes('1'))
    await store.put('c', new Uint8Array(0))
    await store.put('peers/b', bytes('3'))
    assert.deepEqual(await store.list(''), ['c', 'peers/a.json', 'peers/b'])
    assert.deepEqual(await store.list('peers/'), ['peers/a.json', 'peers/b'])
    assert.deepEqual(await store.list('peers/b'), ['peers/b'])
    assert.deepEqual(Buffer.from((await store.get('peers/b')) as Uint8Array), Buffer.from('3'))
    assert.equal((await store.get('c'))?.length, 0)
    assert.equal(await store.get('c/d'), undefined, 'below a key there is none')
    await store.delete('peers/b')
    assert.equal(await store.get('peers/b'), undefined)
    assert.deepEqual(await store.list(''), ['c', 'peers/a.json'])
  })

  test(`${name}: what is stored is a copy`, async () => {
    const store = make()
    const value = bytes('abc')
    await store.put('k', value)
    value.fill(0)
    const got = (await store.get('k')) as Uint8Array
    assert.equal(Buffer.from(got).toString(), 'abc')
    got.fill(0)
    assert.equal(Buffer.from((await store.get('k')) as Uint8Array).toString(), 'abc')
  })
}

test('a key that leaves the folder is refused, whatever the call', async () => {
  const folder = fresh()
  const store = fileStore(join(folder, 'inner'))
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'secret'), 'x')
  const keys = [
    '../secret',
    '..',
    '.',
    '',
    '/etc/passwd',
    'a/../../secret',
    'a//b',
    'a/',
    '/a',
    '.hidden',
    'a/.b',
    'a\\..\\b',
    'a b',
    'a\0',
    'ä',
    'C:x',
    'x.tmp',
    'a/b.tmp',
    '~',
    '%2e%2e',
  ]
  for (const key of keys) {
    const refused = { code: 'BASE_STORE', message: /is not a key/ }
    await assert.rejects(async () => store.get(key), refused, `get ${key}`)
    await assert.rejects(async () => store.put(key, bytes('y')), refused, `put ${key}`)
    await assert.rejects(async () => store.delete(key), refused, `delete ${key}`)
  }
  assert.equal(await readFile(join(folder, 'secret'), 'utf8'), 'x')
  assert.deepEqual(await readdir(folder), ['secret'])
})

test('files and folders are private', { skip: isWindows }, async () => {
  const folder = fresh()
  const store = fileStore(folder)
  await store.put('a/b', bytes('x'))
  const modes = await Promise.all(
    [folder, join(folder, 'a'), join(folder, 'a', 'b')].map(
      async (path) => (await stat(path)).mode & 0o777,
    ),
  )
  assert.deepEqual(modes, [0o700, 0o700, 0o600])
})

test('a link in the place of a file is replaced, not followed', { skip: isWindows }, async () => {
  const folder = fresh()
  await mkdir(folder)
  await writeFile(join(folder, 'target'), 'old')
  await symlink(join(folder, 'target'), join(folder, 'k'))
  await fileStore(folder).put('k', bytes('new'))
  assert.equal(await readFile(join(folder, 'target'), 'utf8'), 'old')
  assert.equal(await readFile(join(folder, 'k'), 'utf8'), 'new')
})

const source = pathToFileURL(join(import.meta.dirname, '../src/system.ts')).href

/** A process that writes `new` and is killed at a certain step of node:fs. */
function crash(path: string, step: 'rename' | 'sync'): void {
  const script = `
    import { syncBuiltinESMExports } from 'node:module'
    import promises from 'node:fs/promises'
    const die = () => process.kill(process.pid, 'SIGKILL')
    const open = promises.open
    if (${JSON.stringify(step)} === 'rename') promises.rename = die
    else promises.open = async (...args) => {
      const file = await open(...args)
      file.sync = die
      return file
    }
    syncBuiltinESMExports()
    const { writeFileAtomic } = await import(${JSON.stringify(source)})
    await writeFileAtomic(${JSON.stringify(path)}, new TextEncoder().encode('new'))`
  const outcome = spawnSync(
    process.execPath,
    ['--conditions=@myelin/source', '--input-type=module', '-e', script],
    { encoding: 'utf8' },
  )
  assert.equal(outcome.signal, 'SIGKILL', outcome.stderr)
}

test('a crash before the rename leaves the old content, and the next write succeeds', {
  skip: isWindows,
}, async () => {
  const folder = fresh()
  const store = fileStore(folder)
  await store.put('k', bytes('old'))
  for (const step of ['sync', 'rename'] as const) {
    crash(join(folder, 'k'), step)
    assert.equal(Buffer.from((await store.get('k')) as Uint8Array).toString(), 'old')
    assert.deepEqual(await store.list(''), ['k'], 'what the crash left behind is no key')
  }
  assert.equal((await readdir(folder)).length, 3)
  await store.put('k', bytes('newer'))
  assert.equal(Buffer.from((await store.get('k')) as Uint8Array).toString(), 'newer')
})

test('what a crashed process left is never in the way of another with its number', {
  skip: isWindows,
}, async () => {
  // In a container every process has the number 1, so a name must not repeat from one run to the next.
  const folder = fresh()
  const names = new Set<string>()
  for (let run = 0; run < 3; run += 1) {
    crash(join(folder, 'k'), 'rename')
    for (const name of await readdir(folder)) names.add(name.replace(/\d{2,7}(?=\.)/, 'pid'))
  }
  assert.equal(names.size, 3)
})

test('a write that fails leaves nothing behind', {
  skip: isWindows || process.getuid?.() === 0,
}, async () => {
  const folder = fresh()
  await mkdir(folder)
  await chmod(folder, 0o500)
  await assert.rejects(fileStore(folder).put('k', bytes('x')), {
    code: 'BASE_STORE',
    kind: 'recoverable',
  })
  assert.deepEqual(await readdir(folder), [])
  await chmod(folder, 0o700)
})

test('a write over a folder fails and leaves nothing behind', async () => {
  const folder = fresh()
  await mkdir(join(folder, 'k', 'x'), { recursive: true })
  await assert.rejects(fileStore(folder).put('k', bytes('x')), { code: 'BASE_STORE' })
  await assert.rejects(fileStore(folder).get('k'), { code: 'BASE_STORE' })
  assert.deepEqual(await readdir(folder), ['k'])
})

test('writes at the same time leave one of the contents, whole', async () => {
  const path = join(fresh(), 'k')
  const contents = Array.from({ length: 20 }, (_, i) => bytes(`${i} `.repeat(10_000)))
  await Promise.all(contents.map((content) => writeFileAtomic(path, content)))
  const left = await readFile(path)
  assert.ok(contents.some((content) => left.equals(content)))
  assert.deepEqual(await readdir(join(path, '..')), ['k'])
})

test('the system clock and random source do what the ports say', async () => {
  const before = systemClock.monotonicMs()
  const order: string[] = []
  systemClock.setTimer(0, () => order.push('cancelled')).cancel()
  await new Promise<void>((resolve) => {
    systemClock.setTimer(1, () => {
      order.push('timer')
      resolve()
    })
    systemClock.defer(() => order.push('deferred'))
    order.push('now')
  })
  assert.deepEqual(order, ['now', 'deferred', 'timer'])
  assert.ok(systemClock.monotonicMs() >= before)
  assert.ok(Math.abs(systemClock.wallMs() - Date.now()) < 60_000)
  const target = new Uint8Array(64)
  assert.equal(systemRandom.fill(target), target)
  assert.notDeepEqual(target, new Uint8Array(64))
})

test('a timer does not keep a process alive', () => {
  const script = `const { systemClock } = await import(${JSON.stringify(source)}); systemClock.setTimer(600_000, () => {})`
  execFileSync(
    process.execPath,
    ['--conditions=@myelin/source', '--input-type=module', '-e', script],
    { timeout: 30_000 },
  )
})
