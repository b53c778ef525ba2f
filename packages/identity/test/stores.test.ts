// What identity keeps: the trust store, the book of join tokens, and the order in which documents are written.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { base64urlDecode, base64urlEncode, type Store, utf8Encode } from '@myelin/base'
import { memoryStore, systemRandom } from '@myelin/base/system'
import {
  AgentKeys,
  decodeJoinToken,
  encodeJoinToken,
  type IssueOptions,
  JoinTokenBook,
  type TrustEntry,
  TrustStore,
} from '@myelin/identity'
import fc from 'fast-check'
import { tokensOpenMax } from '../src/limits.ts'
import { StoredDocument } from '../src/stored-document.ts'

const [alice, bob] = [AgentKeys.generate(systemRandom), AgentKeys.generate(systemRandom)]
const entry = (keys: AgentKeys, roles: readonly string[] = ['worker']): TrustEntry => ({
  agent: keys.agent,
  roles,
  source: 'manual',
  addedMs: 1,
})

test('nobody is trusted until added, and trust survives a restart', async () => {
  const store = memoryStore()
  const trust = await TrustStore.open(store)
  assert.equal(trust.get(alice.agent), undefined)
  assert.equal(trust.size, 0)
  await trust.add({ ...entry(alice), name: 'alice' })
  await trust.add(entry(bob))
  const again = await TrustStore.open(store)
  assert.deepEqual(again.list(), trust.list())
  assert.deepEqual(again.get(alice.agent), { ...entry(alice), name: 'alice' })
  assert.equal(await again.remove(alice.agent), true)
  assert.equal(await again.remove(alice.agent), false)
  assert.deepEqual((await TrustStore.open(store)).list(), [entry(bob)])
})

test('adding an agent again replaces what was known', async () => {
  const store = memoryStore()
  const trust = await TrustStore.open(store)
  await trust.add(entry(alice, ['worker']))
  await trust.add(entry(alice, []))
  assert.deepEqual((await TrustStore.open(store)).get(alice.agent)?.roles, [])
  assert.equal(trust.size, 1)
})

test('a damaged trust store is an error, not an empty one', async () => {
  const good = entry(alice)
  const damages: unknown[] = [
    {},
    null,
    [null],
    [{ ...good, agent: 'bob' }],
    [{ ...good, roles: 'worker' }],
    [{ ...good, roles: [7] }],
    [{ ...good, roles: Array.from({ length: 17 }, () => 'x') }],
    [{ ...good, source: 'magic' }],
    [{ ...good, addedMs: '1' }],
    [{ ...good, name: 7 }],
    [good, {}],
  ]
  const texts = [...damages.map((value) => JSON.stringify(value)), '', '[', '\0']
  for (const text of texts) {
    const store = memoryStore()
    await store.put('trust.json', utf8Encode(text))
    await assert.rejects(
      TrustStore.open(store),
      { code: 'IDENTITY_TRUST', message: /trust\.json/ },
      text,
    )
  }
})

test('an agent has a bounded number of roles', async () => {
  const trust = await TrustStore.open(memoryStore())
  await assert.rejects(
    trust.add(
      entry(
        alice,
        Array.from({ length: 17 }, (_, i) => `r${i}`),
      ),
    ),
    { code: 'IDENTITY_TRUST' },
  )
  assert.equal(trust.size, 0)
})

const nowMs = 1_700_000_000_000
const issue: IssueOptions = {
  issuer: alice.agent,
  staticKey: alice.staticKey.publicKey,
  addresses: ['/ip4/127.0.0.1/tcp/4001'],
  roles: ['worker'],
  nowMs,
  lifetimeMs: 1_000,
  random: systemRandom,
}

function secretOf(text: string): Uint8Array {
  const token = decodeJoinToken(text)
  assert.ok(token.ok)
  return token.value.secret
}

test('a token names its issuer and survives its text', async () => {
  const book = await JoinTokenBook.open(memoryStore())
  const text = await book.issue(issue)
  assert.match(text, /^myelin-join-[A-Za-z0-9_-]+$/)
  const token = decodeJoinToken(text)
  assert.ok(token.ok)
  const { issuer, staticKey, addresses, expiresMs } = token.value
  assert.deepEqual(
    { issuer, staticKey, addresses, expiresMs },
    {
      issuer: alice.agent,
      staticKey: issue.staticKey,
      addresses: issue.addresses,
      expiresMs: nowMs + 1_000,
    },
  )
  assert.equal(encodeJoinToken(token.value), text)
})

test('a token is good once, also for one who restarts in between', async () => {
  const store = memoryStore()
  const secret = secretOf(await (await JoinTokenBook.open(store)).issue(issue))
  const book = await JoinTokenBook.open(store)
  assert.equal(book.openCount, 1)
  const first = book.redeem(secret, nowMs)
  assert.ok(first.ok)
  assert.deepEqual(first.value.roles, ['worker'])
  assert.deepEqual(book.redeem(secret, nowMs), { ok: false, fault: 'token_unknown' })
  await first.value.durable
  assert.deepEqual((await JoinTokenBook.open(store)).redeem(secret, nowMs), {
    ok: false,
    fault: 'token_unknown',
  })
})

test('a token expires to the millisecond, and is gone when it was tried too late', async () => {
  const book = await JoinTokenBook.open(memoryStore())
  const [early, late] = [secretOf(await book.issue(issue)), secretOf(await book.issue(issue))]
  assert.ok(book.redeem(early, nowMs + 999).ok)
  assert.deepEqual(book.redeem(late, nowMs + 1_000), { ok: false, fault: 'token_expired' })
  assert.deepEqual(book.redeem(late, nowMs), { ok: false, fault: 'token_unknown' })
})

test('secrets of no token open nothing', async () => {
  const book = await JoinTokenBook.open(memoryStore())
  const secret = secretOf(await book.issue(issue))
  for (const wrong of [
    new Uint8Array(0),
    secret.subarray(1),
    Uint8Array.from(secret, (byte) => byte ^ 1),
  ]) {
    assert.deepEqual(book.redeem(wrong, nowMs), { ok: false, fault: 'token_unknown' })
  }
  assert.ok(book.redeem(secret, nowMs).ok)
})

test('the book holds no secret', async () => {
  const store = memoryStore()
  const secret = secretOf(await (await JoinTokenBook.open(store)).issue(issue))
  const text = Buffer.from((await store.get('join-tokens.json')) as Uint8Array).toString()
  for (const form of ['hex', 'base64', 'base64url'] as const) {
    assert.equal(text.includes(Buffer.from(secret).toString(form).slice(0, 16)), false)
  }
})

test('open tokens are bounded, and expired ones make room', async () => {
  const book = await JoinTokenBook.open(memoryStore())
  for (let i = 0; i < tokensOpenMax; i += 1) await book.issue(issue)
  await assert.rejects(book.issue(issue), { code: 'IDENTITY_TOKEN' })
  await book.issue({ ...issue, nowMs: nowMs + 1_000 })
  assert.equal(book.openCount, 1)
})

test('a token that nobody could decode is not issued', async () => {
  const book = await JoinTokenBook.open(memoryStore())
  await assert.rejects(book.issue({ ...issue, addresses: ['/'.repeat(257)] }), {
    code: 'IDENTITY_TOKEN',
  })
  await assert.rejects(book.issue({ ...issue, roles: Array.from({ length: 17 }, () => 'x') }), {
    code: 'IDENTITY_TOKEN',
  })
  assert.equal(book.openCount, 0)
  const addresses = Array.from({ length: 16 }, (_, i) => `/${'x'.repeat(250)}${i}`)
  assert.ok(decodeJoinToken(await book.issue({ ...issue, addresses })).ok)
})

test('a damaged book is an error, so that no door opens by itself', async () => {
  const hash = 'a'.repeat(64)
  const damages: unknown[] = [
    null,
    7,
    [1],
    { [hash]: null },
    { [hash]: { roles: 'x', expiresMs: 1 } },
    { [hash]: { roles: [], expiresMs: 'x' } },
    { short: { roles: [], expiresMs: 1 } },
  ]
  for (const text of [...damages.map((value) => JSON.stringify(value)), '{', '']) {
    const store = memoryStore()
    await store.put('join-tokens.json', utf8Encode(text))
    await assert.rejects(
      JoinTokenBook.open(store),
      { code: 'IDENTITY_TOKEN', message: /join-tokens\.json/ },
      text,
    )
  }
})

test('one mistyped character of a token is noticed', async () => {
  const text = await (await JoinTokenBook.open(memoryStore())).issue(issue)
  for (let at = 0; at < text.length; at += 1) {
    const replacement = text[at] === 'A' ? 'B' : 'A'
    const mistyped = text.slice(0, at) + replacement + text.slice(at + 1)
    assert.equal(decodeJoinToken(mistyped).ok, false, `character ${at}`)
  }
})

test('text of any kind is refused or is a token, and never throws', async () => {
  const text = await (await JoinTokenBook.open(memoryStore())).issue(issue)
  const body = base64urlDecode(text.slice('myelin-join-'.length)) as Uint8Array
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 300 }),
      (rest) => !decodeJoinToken(`myelin-join-${rest}`).ok,
    ),
  )
  fc.assert(fc.property(fc.string({ maxLength: 300 }), (any) => !decodeJoinToken(any).ok))
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(body.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (edits) => {
        const changed = body.slice()
        for (const [at, value] of edits) changed[at] = value
        assert.equal(
          decodeJoinToken(`myelin-join-${base64urlEncode(changed)}`).ok,
          Buffer.from(changed).equals(body),
        )
      },
    ),
  )
  assert.deepEqual(decodeJoinToken(`myelin-join-${'A'.repeat(9_000)}`), {
    ok: false,
    fault: 'token_text',
  })
})

/** A store whose writes end when told, in any order. */
function slowStore(): Store & {
  readonly finish: ((error?: Error) => void)[]
  readonly writes: string[]
} {
  const inner = memoryStore()
  const finish: ((error?: Error) => void)[] = []
  const writes: string[] = []
  const put = (key: string, value: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      finish.push((error) => {
        if (error !== undefined) return reject(error)
        writes.push(Buffer.from(value).toString().trim())
        resolve(inner.put(key, value))
      })
    })
  return { ...inner, put, finish, writes }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('a document is written in the order of its changes, one at a time', async () => {
  const store = slowStore()
  const document = new StoredDocument(store, 'd.json')
  const done: number[] = []
  const writing = [1, 2, 3].map((value) => document.write(value).then(() => done.push(value)))
  await settled()
  assert.equal(store.finish.length, 1, 'the second waits for the first')
  for (let i = 0; i < 3; i += 1) {
    store.finish[i]?.()
    await settled()
  }
  await Promise.all(writing)
  assert.deepEqual(
    [store.writes, done],
    [
      ['1', '2', '3'],
      [1, 2, 3],
    ],
  )
})

test('a write holds the value as it was, and a failed one does not stop the next', async () => {
  const store = slowStore()
  const document = new StoredDocument(store, 'd.json')
  const value = { count: 1 }
  const first = document.write(value)
  value.count = 2
  const second = document.write(value)
  await settled()
  store.finish[0]?.(new Error('disk full'))
  await assert.rejects(first, /disk full/)
  await settled()
  store.finish[1]?.()
  await second
  assert.deepEqual(
    store.writes.map((text) => JSON.parse(text)),
    [{ count: 2 }],
  )
})
