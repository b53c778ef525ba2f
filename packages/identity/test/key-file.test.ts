// The key file on a real disk: its mode, its seal, and that damage is named.

import assert from 'node:assert/strict'
import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { base64urlEncode, type Store, utf8Encode } from '@myelin/base'
import { fileStore, memoryStore, systemRandom } from '@myelin/base/system'
import { AgentKeys, loadAgentKeys, saveAgentKeys } from '@myelin/identity'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'myelin-'))
})
after(() => rm(folder, { recursive: true, force: true }))

const random = systemRandom

function sameSecrets(a: AgentKeys, b: AgentKeys): boolean {
  const [one, other] = [a.exportSecrets(), b.exportSecrets()]
  return (
    Buffer.from(one.seed).equals(other.seed) &&
    Buffer.from(one.staticSecret).equals(other.staticSecret)
  )
}

test('keys survive the file, and only their owner can read it', async () => {
  const store = fileStore(join(folder, 'home'))
  const keys = AgentKeys.generate(random)
  assert.equal(await loadAgentKeys({ store, random }), undefined)
  await saveAgentKeys(keys, { store, random })
  const loaded = await loadAgentKeys({ store, random })
  assert.ok(loaded !== undefined && sameSecrets(keys, loaded))
  assert.equal(loaded.agent, keys.agent)
  if (process.platform === 'win32') return
  assert.equal((await stat(join(folder, 'home', 'agent.key'))).mode & 0o777, 0o600)
  assert.equal((await stat(join(folder, 'home'))).mode & 0o777, 0o700)
})

test('replacing a file that was readable by all makes it private', {
  skip: process.platform === 'win32',
}, async () => {
  const store = fileStore(join(folder, 'open'))
  await store.put('agent.key', utf8Encode('{}'))
  await chmod(join(folder, 'open', 'agent.key'), 0o644)
  await saveAgentKeys(AgentKeys.generate(random), { store, random })
  assert.equal((await stat(join(folder, 'open', 'agent.key'))).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(join(folder, 'open')), ['agent.key'])
})

test('a sealed file opens with its passphrase, not with another, and not without', async () => {
  const store = fileStore(join(folder, 'sealed'))
  const keys = AgentKeys.generate(random)
  const passphrase = 'correct horse battery staple'
  await saveAgentKeys(keys, { store, random, passphrase })
  const loaded = await loadAgentKeys({ store, random, passphrase })
  assert.ok(loaded !== undefined && sameSecrets(keys, loaded))
  await assert.rejects(
    loadAgentKeys({ store, random, passphrase: 'Correct horse battery staple' }),
    { code: 'IDENTITY_PASSPHRASE' },
  )
  await assert.rejects(loadAgentKeys({ store, random }), {
    code: 'IDENTITY_PASSPHRASE',
    message: /MYELIN_PASSPHRASE/,
  })
  // Nothing secret in it, in any form that a file could hold it.
  const text = await readFile(join(folder, 'sealed', 'agent.key'), 'utf8')
  const { seed, staticSecret } = keys.exportSecrets()
  for (const secret of [seed, staticSecret, utf8Encode(passphrase)]) {
    const raw = Buffer.from(secret)
    for (const form of ['hex', 'base64', 'base64url', 'latin1'] as const) {
      assert.equal(text.includes(raw.toString(form).slice(0, 16)), false)
    }
  }
  // The same keys and passphrase give another file each time.
  await saveAgentKeys(keys, { store, random, passphrase })
  assert.notEqual(await readFile(join(folder, 'sealed', 'agent.key'), 'utf8'), text)
})

type File = Record<string, unknown> & { argon2id?: Record<string, unknown> }

async function written(passphrase?: string): Promise<{ store: Store; file: File }> {
  const store = memoryStore()
  await saveAgentKeys(AgentKeys.generate(random), { store, random, passphrase })
  return {
    store,
    file: JSON.parse(Buffer.from((await store.get('agent.key')) as Uint8Array).toString()) as File,
  }
}

async function loadChanged(change: (file: File) => unknown, passphrase?: string): Promise<unknown> {
  const { store, file } = await written(passphrase)
  await store.put('agent.key', utf8Encode(JSON.stringify(change(file))))
  return await loadAgentKeys({ store, random, passphrase })
}

test('a damaged file is an error that names it, never another key', async () => {
  const other = AgentKeys.generate(random).agent
  const damages: ((file: File) => unknown)[] = [
    () => null,
    () => 'text',
    (file) => ({ ...file, format: 'other' }),
    (file) => ({ ...file, version: 2 }),
    (file) => ({ ...file, secrets: 7 }),
    (file) => ({ ...file, secrets: '***' }),
    (file) => ({ ...file, secrets: base64urlEncode(new Uint8Array(63)) }),
    (file) => ({ ...file, secrets: base64urlEncode(new Uint8Array(65)) }),
    (file) => ({ ...file, agent: other }),
    (file) => ({ ...file, secrets: base64urlEncode(new Uint8Array(64).fill(1)) }),
    (file) => ({ ...file, argon2id: {} }),
  ]
  for (const damage of damages)
    await assert.rejects(loadChanged(damage), { code: 'IDENTITY_KEY_FILE', message: /agent\.key/ })
  const { store } = await written()
  for (const bytes of [utf8Encode('{'), new Uint8Array(0), Uint8Array.of(0xff, 0xfe)]) {
    await store.put('agent.key', bytes)
    await assert.rejects(loadAgentKeys({ store, random }), { code: 'IDENTITY_KEY_FILE' })
  }
})

test('a damaged sealed file does not open, and asks for no more work than is allowed', async () => {
  const cheap = { memoryKib: 8, passes: 1, parallelism: 1 }
  const sealed: ((file: File) => unknown)[] = [
    (file) => ({ ...file, secrets: base64urlEncode(new Uint8Array(3)) }),
    (file) => ({ ...file, secrets: '' }),
    (file) => ({ ...file, argon2id: { ...file.argon2id, salt: 'AA' } }),
    (file) => ({ ...file, argon2id: { ...file.argon2id, memoryKib: 2 ** 30 } }),
    (file) => ({ ...file, argon2id: { ...file.argon2id, memoryKib: 8, parallelism: 4 } }),
    (file) => ({ ...file, argon2id: { ...file.argon2id, passes: 0 } }),
    (file) => ({ ...file, argon2id: { ...file.argon2id, passes: 1e9 } }),
    (file) => ({ ...file, argon2id: { ...file.argon2id, parallelism: 17 } }),
    (file) => ({ ...file, argon2id: { ...file.argon2id, passes: 1.5 } }),
  ]
  for (const damage of sealed)
    await assert.rejects(loadChanged(damage, 'p'), { code: 'IDENTITY_KEY_FILE' })
  const unsealed: ((file: File) => unknown)[] = [
    // Other costs, another agent as associated data, one flipped bit.
    (file) => ({ ...file, argon2id: { ...file.argon2id, ...cheap } }),
    (file) => ({ ...file, agent: AgentKeys.generate(random).agent, argon2id: file.argon2id }),
    (file) => ({ ...file, secrets: flipped(file.secrets as string) }),
  ]
  for (const damage of unsealed)
    await assert.rejects(loadChanged(damage, 'p'), { code: 'IDENTITY_PASSPHRASE' })
})

function flipped(text: string): string {
  const bytes = Buffer.from(text, 'base64url')
  bytes[40] = (bytes[40] as number) ^ 1
  return bytes.toString('base64url')
}
