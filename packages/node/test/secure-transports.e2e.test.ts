// Agents over TLS and WebSocket, as configured, and what a man in the middle of TLS achieves.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createAgent } from '@myelin/node'
import { verifies } from '@myelin/testkit'
import { type ByteStream, type StreamTransport, tcp, tls } from '@myelin/transport'
import { Authority, skipWithoutOpenssl } from '../../transport/test/certificates.ts'

const skip = skipWithoutOpenssl
const folder = mkdtempSync(join(tmpdir(), 'myelin-node-tls-'))
const authority = skip ? undefined : new Authority()
after(() => {
  authority?.dispose()
  rmSync(folder, { recursive: true })
})
const server = authority?.issue('IP:127.0.0.1') ?? { key: '', cert: '', pin: '' }
const ca = authority?.cert ?? ''
const bytes = (text: string) => new TextEncoder().encode(text)

test('agents talk over WebSocket without any configuration of it', async () => {
  verifies('R011')
  await using alice = await createAgent({ listen: ['/ip4/127.0.0.1/tcp/0/ws'] })
  await using bob = await createAgent()
  alice.handle('echo', ({ payload }) => payload)
  assert.match(alice.addresses.join(), /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws\/p2p\//)
  await bob.join(await alice.issueJoinToken())
  const large = new Uint8Array(300_000).fill(7)
  assert.deepEqual((await bob.request(alice.id, 'echo', large)).payload, large)
})

test('agents talk over TLS and secure WebSocket, with keys from files or as PEM', {
  skip,
}, async () => {
  const path = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const keyFile = path('key.pem', server.key)
  const certificateFile = path('cert.pem', server.cert)
  const caFile = path('ca.pem', ca)
  for (const address of ['/ip4/127.0.0.1/tcp/0/tls', '/ip4/127.0.0.1/tcp/0/tls/ws'])
    for (const [own, theirs] of [
      [{ keyFile, certificateFile }, { caFile }],
      [
        { key: server.key, cert: server.cert },
        { ca, pins: [server.pin] },
      ],
    ]) {
      await using alice = await createAgent({ listen: [address], tls: own ?? {} })
      await using bob = await createAgent({ tls: theirs ?? {} })
      alice.handle('echo', ({ payload }) => payload)
      await bob.join(await alice.issueJoinToken())
      const answer = await bob.request(alice.id, 'echo', bytes('hello'))
      assert.deepEqual(answer.payload, bytes('hello'))
      await using stranger = await createAgent()
      await assert.rejects(stranger.join(await alice.issueJoinToken()))
    }
})

test('settings of TLS that cannot work are faults of the configuration', async () => {
  const isFault = { code: 'NODE_CONFIGURATION' }
  const keyFile = join(folder, 'absent.pem')
  await assert.rejects(createAgent({ tls: { keyFile } }), {
    ...isFault,
    message: /belong together/,
  })
  const both = { keyFile, certificateFile: keyFile }
  await assert.rejects(createAgent({ tls: both }), { ...isFault, message: /tls.keyFile cannot be/ })
  await assert.rejects(createAgent({ tls: { pins: ['abc'] } }), isFault)
  await assert.rejects(createAgent({ websocket: { origins: ['example.org'] } }), isFault)
  const listen = ['/ip4/127.0.0.1/tcp/0/tls']
  await assert.rejects(createAgent({ listen }), { message: /TLS needs key and cert/ })
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

test('who ends TLS on the way and opens it anew is found out by the session', {
  skip,
}, async () => {
  verifies('R001')
  const credentials = { key: server.key, cert: server.cert }
  const listen = ['/ip4/127.0.0.1/tcp/0/tls', '/ip4/127.0.0.1/tcp/0']
  await using alice = await createAgent({ listen, tls: credentials })
  const join = async (target: string, relay?: StreamTransport) => {
    // Bob trusts the man in the middle's certificate: what saves him is the session alone.
    await using bob = await createAgent({ tls: { ca } })
    await using middle = await relay?.listen(`/ip4/127.0.0.1/tcp/0${suffixOf(target)}`, (near) => {
      near.pause()
      void relay.dial(target).then((far) => {
        carry(near, far)
        carry(far, near)
        near.resume()
      })
    })
    const addresses = middle?.addresses ?? [target]
    return await bob.join(await alice.issueJoinToken({ addresses }))
  }
  const [secure = '', plain = ''] = alice.addresses
  assert.equal(await join(secure), alice.id)
  assert.equal(await join(plain, tcp()), alice.id, 'over TCP a relay passes')
  const middle = tls({ ...credentials, ca })
  await assert.rejects(join(secure, middle), { code: 'SESSION_HANDSHAKE_DECRYPT' })
})

const suffixOf = (address: string) => (address.includes('/tls') ? '/tls' : '')
