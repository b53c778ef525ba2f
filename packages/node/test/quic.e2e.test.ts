// Agents over QUIC, as configured, and what a man in the middle of it achieves.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAgent } from '@myelin/node'
import { verifies } from '@myelin/testkit'
import { type ByteStream, quic } from '@myelin/transport'

const listen = ['/ip4/127.0.0.1/udp/0/quic-v1']

test('agents talk over QUIC without any configuration of it', async () => {
  verifies('R011', 'R017')
  await using alice = await createAgent({ listen })
  await using bob = await createAgent()
  alice.handle('echo', ({ payload }) => payload)
  assert.match(alice.addresses.join(), /^\/ip4\/127\.0\.0\.1\/udp\/\d+\/quic-v1\/p2p\//)
  await bob.join(await alice.issueJoinToken())
  const large = new Uint8Array(300_000).fill(7)
  assert.deepEqual((await bob.request(alice.id, 'echo', large)).payload, large)
})

test('settings of QUIC that cannot work are faults of the configuration', async () => {
  const fault = { code: 'NODE_CONFIGURATION', message: /quic\.idleTimeoutMs/ }
  await assert.rejects(createAgent({ quic: { idleTimeoutMs: 1_000, keepAliveMs: 1_000 } }), fault)
})

/** Carries bytes on as they come: all that a relay can do with a session. */
function carry(from: ByteStream, to: ByteStream): void {
  from.attach({
    data: (chunk) => void to.write(chunk),
    drain: () => {},
    end: () => to.end(),
    closed: () => to.destroy(),
  })
}

test('who ends QUIC on the way and opens it anew is found out by the session', async () => {
  verifies('R001')
  await using alice = await createAgent({ listen })
  await using bob = await createAgent()
  const [target = ''] = alice.addresses
  const relay = quic()
  await using middle = await relay.listen(listen[0] ?? '', (near) => {
    near.pause()
    void relay.dial(target).then((far) => {
      carry(near, far)
      carry(far, near)
      near.resume()
    })
  })
  const { addresses } = middle
  const joining = bob.join(await alice.issueJoinToken({ addresses }))
  await assert.rejects(joining, { code: 'SESSION_HANDSHAKE_DECRYPT' })
  assert.equal(await bob.join(await alice.issueJoinToken()), alice.id)
})
