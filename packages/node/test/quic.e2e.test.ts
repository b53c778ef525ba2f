// Agents over QUIC, as configured, and what a man in the middle of it achieves.

import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
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

/** Hands datagrams on between whoever comes and `port`, and keeps a copy of all. */
async function recorder(port: number): Promise<{ port: number; seen: Buffer[]; close(): void }> {
  const seen: Buffer[] = []
  const onward = new Map<number, Socket>()
  const door = createSocket('udp4')
  door.on('message', (datagram, from) => {
    seen.push(datagram)
    let far = onward.get(from.port)
    if (far === undefined) {
      far = createSocket('udp4')
      onward.set(from.port, far)
      far.on('message', (answer) => {
        seen.push(answer)
        door.send(answer, from.port, from.address)
      })
    }
    far.send(datagram, port, '127.0.0.1')
  })
  door.bind(0, '127.0.0.1')
  await once(door, 'listening')
  const close = () => {
    for (const socket of [door, ...onward.values()]) socket.close()
  }
  return { port: door.address().port, seen, close }
}

test('nothing of what agents say over QUIC can be read on the way, not even who they are', async () => {
  verifies('R001')
  await using alice = await createAgent({ name: 'alice-of-the-marker', listen })
  await using bob = await createAgent({ name: 'bob-of-the-marker' })
  const port = Number(/\/udp\/(\d+)/.exec(alice.addresses[0] ?? '')?.[1])
  const line = await recorder(port)
  const marker = 'MARKER-51d0-of-the-application'
  alice.handle('echo', ({ payload }) => payload)
  const addresses = [`/ip4/127.0.0.1/udp/${line.port}/quic-v1`]
  await bob.join(await alice.issueJoinToken({ addresses }))
  const payload = new TextEncoder().encode(marker.repeat(2_000))
  assert.deepEqual((await bob.request(alice.id, 'echo', payload)).payload, payload)
  await bob.disconnect(alice.id)
  line.close()
  const text = Buffer.concat(line.seen).toString('latin1')
  // The recorder saw all of it: both handshakes, and a payload that compresses well.
  assert.ok(line.seen.length > 10 && text.length > 5_000, `${text.length} bytes seen`)
  for (const word of [marker.slice(0, 11), 'of-the-marker', alice.id.slice(8), bob.id.slice(8)])
    assert.equal(text.includes(word), false, word)
})
