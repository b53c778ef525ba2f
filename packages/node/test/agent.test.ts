import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ok } from '@myelin/base'
import { memoryStore, systemClock } from '@myelin/base/system'
import { fasterAead } from '@myelin/crypto'
import { Refusal, reply } from '@myelin/fabric'
import { createAgent, type NodeAgent } from '@myelin/node'
import { VirtualClock, verifies } from '@myelin/testkit'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (payload: unknown) => new TextDecoder().decode(payload as Uint8Array)
let doors = 0

/** Two agents that trust each other and know where the first one is. */
async function couple(
  options: Parameters<typeof createAgent>[0] = {},
): Promise<{ alice: NodeAgent; bob: NodeAgent }> {
  doors += 1
  const alice = await createAgent({ name: 'alice', listen: [`/memory/door-${doors}`], ...options })
  const bob = await createAgent({ name: 'bob' })
  await bob.join(await alice.issueJoinToken())
  return { alice, bob }
}

test('the six kinds of messages and the four of the network protocol reach their handlers', async () => {
  verifies('R033', 'R137', 'R139')
  const { alice, bob } = await couple()
  const seen: string[] = []
  const nonce = new Uint8Array(8)
  const sent = {
    'task-assignment': {
      taskId: 't',
      kind: 'k',
      round: 1,
      parameters: { rate: 0.5 },
      body: bytes('b'),
    },
    'status-update': { state: 'busy', progress: 0.5, metrics: { loss: 1 } },
    'neural-update': {
      model: 'm',
      round: 1,
      kind: 'weights',
      examples: 3,
      shapes: [[2]],
      data: new Uint8Array(8),
    },
    coordination: { action: 'vote', body: bytes('x') },
    discovery: { action: 'query', records: [] },
    heartbeat: { sequence: 1, sentMs: 2 },
    data: bytes('raw'),
    echo: bytes('echo'),
    ping: { nonce },
    pong: { nonce },
  } as const
  const all = Promise.withResolvers<void>()
  for (const [type, payload] of Object.entries(sent)) {
    alice.handle(type, (message) => {
      assert.deepEqual(message.payload, payload)
      assert.equal(message.from, bob.id)
      seen.push(type)
      if (seen.length === 10) all.resolve()
    })
  }
  for (const [type, payload] of Object.entries(sent)) await bob.send(alice.id, type, payload)
  await all.promise
  assert.deepEqual(seen, Object.keys(sent))
  await Promise.all([alice.close(), bob.close()])
})

test('a custom type is registered, used and removed; an unknown one is refused cleanly', async () => {
  verifies('R013', 'R139')
  const { alice, bob } = await couple()
  const word = {
    name: 'word',
    encode: (payload: string) => bytes(payload),
    decode: (payload: Uint8Array) => ok(text(payload)),
  }
  bob.types.register(word)
  await assert.rejects(bob.request(alice.id, 'word', 'hi'), { code: 'FABRIC_TYPE_UNKNOWN' })
  alice.types.register(word)
  alice.handle<string>('word', ({ payload }) => payload.toUpperCase())
  assert.equal((await bob.request(alice.id, 'word', 'hi')).payload, 'HI')
  bob.types.unregister('word')
  await assert.rejects(bob.send(alice.id, 'word', 'hi'), { code: 'FABRIC_TYPE_UNKNOWN' })
  await Promise.all([alice.close(), bob.close()])
})

test('handlers that throw, refuse or are missing fail their request alone, each with its code', async () => {
  const { alice, bob } = await couple()
  alice.handle('echo', ({ payload }) => payload)
  alice.handle('data', () => {
    throw new Error('a secret detail')
  })
  alice.handle('coordination', () => Promise.reject(new Refusal('not on Sundays')))
  await assert.rejects(
    bob.request(alice.id, 'data', bytes('x')),
    (error: Error & { code: string }) => {
      assert.equal(error.code, 'FABRIC_HANDLER_FAILED')
      assert.ok(!error.message.includes('secret'))
      return true
    },
  )
  await assert.rejects(bob.request(alice.id, 'coordination', { action: 'a', body: bytes('') }), {
    code: 'FABRIC_HANDLER_REFUSED',
    message: /not on Sundays/,
  })
  await assert.rejects(bob.request(alice.id, 'heartbeat', { sequence: 1, sentMs: 1 }), {
    code: 'FABRIC_NO_HANDLER',
  })
  assert.equal(
    text((await bob.request(alice.id, 'echo', bytes('still here'))).payload),
    'still here',
  )
  await Promise.all([alice.close(), bob.close()])
})

test('an answer may have another type than its question', async () => {
  const { alice, bob } = await couple()
  alice.handle('coordination', () => reply('heartbeat', { sequence: 7, sentMs: 8 }))
  const answer = await bob.request(alice.id, 'coordination', { action: 'a', body: bytes('') })
  assert.deepEqual([answer.type, answer.payload], ['heartbeat', { sequence: 7, sentMs: 8 }])
  await Promise.all([alice.close(), bob.close()])
})

test('messages() hands over in order, and a reader that stops reading stops its sender', async () => {
  verifies('R023', 'R050')
  const { alice, bob } = await couple({ limits: { windowBytes: 256 * 1024 } })
  const reader = alice.messages('data')
  const payload = new Uint8Array(32 * 1024)
  let sent = 0
  const sending = (async () => {
    for (; sent < 200; sent += 1) await bob.send(alice.id, 'data', payload)
  })()
  const first = await reader.next()
  assert.equal(first.value?.payload.length, payload.length)
  // Nobody reads: what is under way is the window and the sender's queue, and no more.
  for (let turns = 0; turns < 200; turns += 1) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(sent < 60, `${sent} messages of 32 KiB accepted without a reader`)
  for (let received = 1; received < 200; received += 1) await reader.next()
  await sending
  await reader.return?.()
  await Promise.all([alice.close(), bob.close()])
})

test('streams go to the handler of their type; a type without one is reset', async () => {
  const { alice, bob } = await couple()
  alice.handleStream('shout', async (stream) => {
    for await (const chunk of stream) stream.write(bytes(text(chunk).toUpperCase()))
    stream.finish()
  })
  const stream = await bob.stream(alice.id, 'shout')
  stream.write(bytes('hello'))
  stream.finish()
  const parts: string[] = []
  for await (const chunk of stream) parts.push(text(chunk))
  assert.equal(parts.join(''), 'HELLO')
  const nobody = (await bob.stream(alice.id, 'whisper'))[Symbol.asyncIterator]()
  await assert.rejects(nobody.next(), { code: 'SESSION_STREAM_RESET' })
  await Promise.all([alice.close(), bob.close()])
})

test('a broadcast reaches every connected peer that may receive it, and says who did not', async () => {
  verifies('R047')
  const alice = await createAgent({ name: 'alice', listen: ['/memory/broadcast'] })
  const members = await Promise.all(['b', 'c', 'd'].map((name) => createAgent({ name })))
  const observer = await createAgent({ name: 'observer' })
  for (const member of members) await member.join(await alice.issueJoinToken())
  await observer.join(await alice.issueJoinToken({ roles: ['observer'] }))
  while (alice.peers().length < 4) await new Promise((resolve) => setImmediate(resolve))
  const heard = members.map((member) => member.messages('data').next())
  const { delivered, failed } = await alice.broadcast('data', bytes('all'))
  assert.deepEqual(new Set(delivered), new Set(members.map((member) => member.id)))
  assert.deepEqual(
    failed.map(({ agent }) => agent),
    [observer.id],
  )
  for (const { value } of await Promise.all(heard)) assert.equal(text(value?.payload), 'all')
  await Promise.all([alice, observer, ...members].map((agent) => agent.close()))
})

test('a role limits what its holder may send, whatever it tries', async () => {
  verifies('R071', 'R072')
  const alice = await createAgent({ name: 'alice', listen: ['/memory/roles'] })
  const watcher = await createAgent({ name: 'watcher' })
  await watcher.join(await alice.issueJoinToken({ roles: ['observer'] }))
  alice.handle('echo', ({ payload }) => payload)
  alice.handle('data', ({ payload }) => payload)
  assert.equal(text((await watcher.request(alice.id, 'echo', bytes('ok'))).payload), 'ok')
  await assert.rejects(watcher.request(alice.id, 'data', bytes('no')), { code: 'FABRIC_FORBIDDEN' })
  assert.equal(alice.securityLog.counts['message-forbidden'], 1)
  await Promise.all([alice.close(), watcher.close()])
})

test('a peer over its rate is refused, counted, and served again later', async () => {
  const { alice, bob } = await couple({ rates: { messagesPerSecond: 1, burst: 3 } })
  alice.handle('echo', ({ payload }) => payload)
  const outcomes = await Promise.allSettled(
    Array.from({ length: 5 }, () => bob.request(alice.id, 'echo', bytes('x'))),
  )
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'],
  )
  const refused = outcomes.find((outcome) => outcome.status === 'rejected')
  assert.equal(refused?.reason.code, 'FABRIC_RATE_LIMITED')
  assert.equal(alice.securityLog.counts['rate-limited'], 2)
  await Promise.all([alice.close(), bob.close()])
})

test('strangers are refused, and a token opens the door once', async () => {
  verifies('R002', 'R068')
  const alice = await createAgent({ name: 'alice', listen: ['/memory/strangers'] })
  const token = await alice.issueJoinToken()
  const [bob, mallory] = [
    await createAgent({ name: 'bob' }),
    await createAgent({ name: 'mallory', trust: [{ agent: alice.id }] }),
  ]
  await assert.rejects(mallory.connect(alice.addresses[0] as string), {
    code: 'SESSION_NOT_TRUSTED',
  })
  await bob.join(token)
  await assert.rejects(mallory.join(token), { code: 'SESSION_TOKEN_UNKNOWN' })
  assert.deepEqual(
    alice.peers().map(({ agent }) => agent),
    [bob.id],
  )
  await Promise.all([alice, bob, mallory].map((agent) => agent.close()))
})

test('who is trusted no more, or in other roles, has no session left', async () => {
  verifies('R067')
  const alice = await createAgent({ name: 'alice', listen: ['/memory/fallen'] })
  const bob = await createAgent({ name: 'bob' })
  await bob.join(await alice.issueJoinToken())
  const lost = () =>
    new Promise<void>((resolve) => {
      const watching = bob.watchPeers((event) => {
        if (event.kind !== 'disconnected') return
        watching[Symbol.dispose]()
        resolve()
      })
    })
  const entry = alice.trust.get(bob.id)
  assert.ok(entry)
  const demoted = lost()
  await alice.trust.add({ ...entry, roles: ['observer'] })
  await demoted
  await bob.ping(alice.id)
  assert.deepEqual(alice.peers()[0]?.roles, ['observer'])
  // The same roles again, in another order or not, end nothing.
  await alice.trust.add({ ...entry, roles: ['observer'], name: 'b' })
  await bob.ping(alice.id)
  const removed = lost()
  await alice.trust.remove(bob.id)
  await removed
  assert.deepEqual(alice.peers(), [])
  await assert.rejects(bob.connect(alice.id), { code: 'SESSION_NOT_TRUSTED' })
  await Promise.all([alice.close(), bob.close()])
})

test('a peer that is gone costs its senders nothing for a while, and one that returns is heard at once', async () => {
  verifies('R088')
  const clock = new VirtualClock()
  const bob = await createAgent({ name: 'bob', clock })
  const store = memoryStore()
  const alice = await createAgent({ name: 'alice', clock, store })
  await bob.trust.add({ agent: alice.id, roles: ['member'], source: 'manual', addedMs: 0 })
  await alice.trust.add({ agent: bob.id, roles: ['member'], source: 'manual', addedMs: 0 })
  await alice.close()
  bob.learn({ agent: alice.id, addresses: ['/memory/breaker'] })
  const gone = { code: 'TRANSPORT_REFUSED' }
  const send = () => bob.send(alice.id, 'data', bytes('x'))
  for (let i = 0; i < 5; i += 1) await assert.rejects(send(), gone)
  await assert.rejects(send(), { code: 'FABRIC_CIRCUIT_OPEN', kind: 'recoverable' })
  // Who asks to connect is not held back.
  await assert.rejects(bob.connect(alice.id), gone)
  await clock.advance(10_000)
  // One attempt may try, and it fails: open again.
  await assert.rejects(send(), gone)
  await assert.rejects(send(), { code: 'FABRIC_CIRCUIT_OPEN' })
  const returned = await createAgent({ name: 'alice', listen: ['/memory/breaker'], clock, store })
  returned.handle('echo', ({ payload }) => payload)
  await clock.advance(10_000)
  const { payload } = await bob.request(alice.id, 'echo', bytes('back'))
  assert.equal(text(payload), 'back')
  await Promise.all([returned.close(), bob.close()])
})

test('closing lets running handlers answer first', async () => {
  verifies('R144')
  const { alice, bob } = await couple()
  const started = Promise.withResolvers<void>()
  const finish = Promise.withResolvers<void>()
  alice.handle('echo', async ({ payload }) => {
    started.resolve()
    await finish.promise
    return payload
  })
  const asking = bob.request(alice.id, 'echo', bytes('late'))
  await started.promise
  const closing = alice.close()
  finish.resolve()
  assert.equal(text((await asking).payload), 'late')
  await closing
  await assert.rejects(alice.send(bob.id, 'data', bytes('x')), { code: 'FABRIC_CLOSED' })
  await bob.close()
})

test('options with faults are refused with all of them at once', async () => {
  const options = { name: '!', session: { handshakeTimeoutMs: -1 }, listen: ['nonsense'] }
  await assert.rejects(createAgent(options), (error: Error & { code: string }) => {
    assert.equal(error.code, 'NODE_CONFIGURATION')
    for (const path of ['name', 'session.handshakeTimeoutMs', 'listen'])
      assert.ok(error.message.includes(path), path)
    return true
  })
})

test('too many sessions are refused as busy, and those that exist go on', async () => {
  const alice = await createAgent({
    name: 'alice',
    listen: ['/memory/busy'],
    limits: { sessionsMax: 1, handshakesPendingMax: 1 },
  })
  const [bob, carol] = [await createAgent({ name: 'bob' }), await createAgent({ name: 'carol' })]
  alice.handle('echo', ({ payload }) => payload)
  await bob.join(await alice.issueJoinToken())
  await assert.rejects(carol.join(await alice.issueJoinToken()), { code: 'SESSION_BUSY' })
  assert.equal(text((await bob.request(alice.id, 'echo', bytes('me'))).payload), 'me')
  await Promise.all([alice, bob, carol].map((agent) => agent.close()))
})

test('the cipher is the one this machine does faster, unless the list is to be taken as it stands', async () => {
  verifies('R025')
  const secured = async (session: NonNullable<Parameters<typeof createAgent>[0]>['session']) => {
    doors += 1
    const alice = await createAgent({ listen: [`/memory/door-${doors}`] })
    const bob = await createAgent({ session: session ?? {} })
    await bob.join(await alice.issueJoinToken())
    const suite = bob.peers()[0]?.security.split(' ')[1]
    await Promise.all([alice.close(), bob.close()])
    return suite
  }
  const listed = { cipherOrder: 'listed' } as const
  assert.equal(
    await secured({ ...listed, ciphers: ['chacha20-poly1305', 'aes-256-gcm'] }),
    'chacha20-poly1305',
  )
  assert.equal(
    await secured({ ...listed, ciphers: ['aes-256-gcm', 'chacha20-poly1305'] }),
    'aes-256-gcm',
  )
  assert.equal(await secured({ ciphers: ['chacha20-poly1305'] }), 'chacha20-poly1305')
  // A clock in which AES takes longer than ChaCha, and one in which it does not.
  for (const [slow, expected] of [
    [0, 'chacha20-poly1305'],
    [1, 'aes-256-gcm'],
  ] as const) {
    let calls = 0
    const now = () => {
      calls += 1
      return calls * 10 + (calls % 3 === (slow === 0 ? 2 : 0) ? 5 : 0)
    }
    const clock = { ...systemClock, monotonicMs: () => now() }
    assert.equal(fasterAead({ clock, rounds: 3 }), expected)
  }
})

test('a batch arrives in order, however many it holds, and to a peer without a session too', async () => {
  verifies('R085')
  const { alice, bob } = await couple({ rates: { messagesPerSecond: 1e6, burst: 1e6 } })
  await bob.disconnect(alice.id)
  const numbers: number[] = []
  let total = 0
  const all = Promise.withResolvers<void>()
  alice.handle('data', ({ payload }) => {
    const { buffer, byteOffset, length } = payload as Uint8Array
    numbers.push(new DataView(buffer, byteOffset).getUint32(0))
    total += length
    if (numbers.length === 40_020) all.resolve()
  })
  const payloads = Array.from({ length: 40_020 }, (_, i) => {
    const payload = new Uint8Array(i % 2_000 === 1_999 ? 400_000 : 20)
    new DataView(payload.buffer).setUint32(0, i)
    return payload
  })
  await bob.sendMany(alice.id, 'data', payloads)
  await all.promise
  assert.deepEqual(
    numbers,
    payloads.map((_, i) => i),
  )
  assert.equal(total, 40_000 * 20 + 20 * 400_000)
  await bob.sendMany(alice.id, 'data', [])
  await assert.rejects(bob.sendMany(alice.id, 'nothing-known', [1]), {
    code: 'FABRIC_TYPE_UNKNOWN',
  })
  for (const agent of [alice, bob]) await agent.close()
})
