import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAgent } from '@myelin/node'
import { verifies } from '@myelin/testkit'

const bytes = (text: string) => new TextEncoder().encode(text)

test('an agent joins by token, asks and is answered', async () => {
  verifies('R049')
  await using alice = await createAgent({ name: 'alice', listen: ['/memory/alice'] })
  await using bob = await createAgent({ name: 'bob' })
  alice.handle('echo', ({ payload }) => payload)
  const issuer = await bob.join(await alice.issueJoinToken())
  assert.equal(issuer, alice.id)
  const answer = await bob.request(alice.id, 'echo', bytes('hello'))
  assert.deepEqual(answer.payload, bytes('hello'))
  assert.equal(bob.peers()[0]?.security, 'XKhfs chacha20-poly1305+aes-256-gcm zstd')
})
