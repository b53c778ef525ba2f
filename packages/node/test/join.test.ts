import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAgent } from '@myelin/node'

test('a token that fails leaves the trust store as it was', async () => {
  const { token, aliceId, addresses } = await tokenOfAGoneAgent()
  await using bob = await createAgent({ name: 'bob' })
  await assert.rejects(bob.join(token), { code: 'TRANSPORT_REFUSED' })
  assert.deepEqual(bob.trust.list(), [])
  const before = {
    agent: aliceId,
    name: 'al',
    roles: ['observer'],
    source: 'manual',
    addedMs: 1,
  } as const
  await bob.trust.add(before)
  await assert.rejects(bob.join(token), { code: 'TRANSPORT_REFUSED' })
  assert.deepEqual(bob.trust.list(), [before])
  assert.deepEqual(bob.known(aliceId)?.addresses, addresses)
})

async function tokenOfAGoneAgent() {
  const addresses = ['/memory/join-gone']
  await using alice = await createAgent({ name: 'alice', listen: addresses })
  return { token: await alice.issueJoinToken(), aliceId: alice.id, addresses }
}

test('who joined keeps the name it was given, and the roles of the token’s issuer are its own choice', async () => {
  await using alice = await createAgent({ name: 'alice', listen: ['/memory/join-named'] })
  await using bob = await createAgent({ name: 'bob' })
  await bob.trust.add({ agent: alice.id, name: 'al', roles: [], source: 'manual', addedMs: 1 })
  await bob.join(await alice.issueJoinToken({ roles: ['observer'] }), { roles: ['worker'] })
  const [entry] = bob.trust.list()
  assert.deepEqual([entry?.name, entry?.roles, entry?.source], ['al', ['worker'], 'token'])
  assert.deepEqual(alice.trust.get(bob.id)?.roles, ['observer'])
  assert.equal(bob.memory.get(alice.id)?.isJoined, true)
})

test('an agent remembers where its peers were, across its own restart', async () => {
  const { memoryStore } = await import('@myelin/base/system')
  const store = memoryStore()
  await using alice = await createAgent({ name: 'alice', listen: ['/memory/join-remembered'] })
  const first = await createAgent({ name: 'bob', store })
  await first.join(await alice.issueJoinToken())
  await first.close()
  await using again = await createAgent({ name: 'bob', store })
  assert.equal(again.id, first.id)
  assert.equal((await again.connect('alice')).agent, alice.id)
})
