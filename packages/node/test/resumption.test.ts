// Agents that were connected a moment ago: they resume, unless something about their trust has changed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAgent, type NodeAgent } from '@myelin/node'
import { verifies } from '@myelin/testkit'

const bytes = (text: string) => new TextEncoder().encode(text)

interface Two extends AsyncDisposable {
  readonly alice: NodeAgent
  readonly bob: NodeAgent
  /** Ends the session, opens it anew by a request, and tells how it was opened. */
  again(): Promise<string>
}

let pairs = 0

/** Bob has joined alice and calls her. */
async function joined(resumption = true): Promise<Two> {
  pairs += 1
  const session = { resumption }
  const listen = [`/memory/resumption-${pairs}`]
  const alice = await createAgent({ name: 'alice', listen, session })
  const bob = await createAgent({ name: 'bob', session })
  alice.handle('echo', ({ payload }) => payload)
  await bob.join(await alice.issueJoinToken())
  const again = async () => {
    await bob.disconnect(alice.id)
    const answer = await bob.request(alice.id, 'echo', bytes('hello'))
    assert.deepEqual(answer.payload, bytes('hello'))
    return bob.peers()[0]?.security ?? ''
  }
  const close = async () => {
    await bob.close()
    await alice.close()
  }
  return { alice, bob, again, [Symbol.asyncDispose]: close }
}

test('an agent that comes back resumes its session, and both ends say so', async () => {
  await using two = await joined()
  for (let i = 0; i < 3; i += 1)
    assert.match(await two.again(), /^resumed \(NNpsk0\) \S*aes-256-gcm /)
  assert.match(two.alice.peers()[0]?.security ?? '', /^resumed /)
})

test('session.resumption: false makes every handshake a full one', async () => {
  await using two = await joined(false)
  assert.match(await two.again(), /^X[KX]hfs /)
})

test('an agent whose trust was removed does not come back, ticket or not', async () => {
  verifies('R003')
  await using two = await joined()
  const { alice, bob } = two
  await two.again()
  const [entry] = alice.trust.list()
  assert.ok(entry !== undefined && entry.agent === bob.id)
  await alice.trust.remove(bob.id)
  await assert.rejects(two.again(), { code: 'SESSION_NOT_TRUSTED' })
  // Its tickets went with its trust: once it is trusted again, it has to prove anew who it is.
  await alice.trust.add(entry)
  await bob.disconnect(alice.id)
  assert.match(await two.again(), /^X[KX]hfs /)
})

test('the roles of an agent that comes back are those that it has now', async () => {
  await using two = await joined()
  const { alice, bob } = two
  const [entry] = alice.trust.list()
  assert.ok(entry !== undefined)
  await alice.trust.add({ ...entry, roles: ['observer'] })
  await bob.disconnect(alice.id)
  const connected = Promise.withResolvers<readonly string[]>()
  alice.watchPeers((event) => {
    if (event.kind === 'connected') connected.resolve(event.peer.roles)
  })
  await bob.connect(alice.id)
  assert.deepEqual(await connected.promise, ['observer'])
  assert.match(bob.peers()[0]?.security ?? '', /^resumed /)
})
