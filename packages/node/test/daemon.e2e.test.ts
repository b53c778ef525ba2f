import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { kib, type LogFields, type Logger } from '@myelin/base'
import type { Agent, PeerEvent } from '@myelin/fabric'
import {
  connectControl,
  createAgent,
  type Daemon,
  type DaemonOptions,
  loadConfiguration,
  type NodeAgent,
  type PartialConfiguration,
  startDaemon,
} from '@myelin/node'
import { verifies } from '@myelin/testkit'

const root = mkdtempSync(join(tmpdir(), 'myelin-daemon-'))
after(() => rmSync(root, { recursive: true }))
let scenes = 0

const bytes = (text: string) => new TextEncoder().encode(text)

function recorder() {
  const events: (LogFields & { readonly event: string })[] = []
  const logger: Logger = {
    log: (_level, event, fields) => void events.push({ ...fields, event }),
    child: () => logger,
  }
  return { events, logger }
}

type Start = PartialConfiguration & Partial<Pick<DaemonOptions, 'prepare' | 'logger'>>

function start({ prepare, logger = recorder().logger, ...code }: Start): Promise<Daemon> {
  scenes += 1
  const home = code.home ?? join(root, String(scenes))
  const listen = code.listen ?? [`/memory/daemon-${scenes}`]
  const loaded = loadConfiguration({ code: { name: 'alice', ...code, listen } })
  assert.ok(loaded.ok)
  const prepared = prepare === undefined ? {} : { prepare }
  return startDaemon({ configuration: loaded.value, home, logger, ...prepared })
}

/** A new agent that has joined the daemon and is connected. */
async function joined({ agent }: Daemon, name = 'bob'): Promise<NodeAgent> {
  const created = await createAgent({ name })
  await created.join(await agent.issueJoinToken())
  await created.ping(agent.id)
  return created
}

function nextEvent(agent: Agent, kind: PeerEvent['kind']): Promise<PeerEvent> {
  return new Promise((resolve) => {
    const watch = agent.watchPeers((event) => {
      if (event.kind !== kind) return
      watch[Symbol.dispose]()
      resolve(event)
    })
  })
}

/** A handler that waits until the test lets it go on. */
function gated() {
  const gate = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const handler = async <Payload>({ payload }: { readonly payload: Payload }): Promise<Payload> => {
    begun.resolve()
    await gate.promise
    return payload
  }
  return { handler, begun: begun.promise, open: gate.resolve }
}

test('a daemon answers echo and ping, and its handlers are there before its doors', async () => {
  verifies('R144')
  await using daemon = await start({ prepare: (agent) => agent.handle('echo', () => bytes('own')) })
  await using bob = await joined(daemon)
  const { payload } = await bob.request(daemon.agent.id, 'echo', bytes('x'))
  assert.deepEqual(payload, bytes('own'))
  const nonce = new Uint8Array(8).fill(7)
  const pong = await bob.request(daemon.agent.id, 'ping', { nonce })
  assert.deepEqual([pong.type, pong.payload], ['pong', { nonce }])
})

test('at its end a daemon lets nobody in and answers what it has begun', async () => {
  verifies('R144')
  const { handler, begun, open } = gated()
  const daemon = await start({ prepare: (agent) => agent.handle('data', handler) })
  await using bob = await joined(daemon)
  const token = await daemon.agent.issueJoinToken()
  const answer = bob.request(daemon.agent.id, 'data', bytes('slow work'))
  await begun
  const ended = nextEvent(bob, 'disconnected')
  const closed = daemon.close()
  await using carol = await createAgent({ name: 'carol' })
  await assert.rejects(carol.join(token), { code: 'TRANSPORT_REFUSED' })
  open()
  assert.deepEqual((await answer).payload, bytes('slow work'))
  await closed
  const event = await ended
  assert.equal(event.kind === 'disconnected' && event.code, 'SESSION_GOING_AWAY')
  assert.equal(daemon.close(), closed)
})

test('a handler that does not end keeps the end for shutdown.drainMs and no longer', async () => {
  verifies('R144')
  const { handler, begun, open } = gated()
  const prepare = (agent: NodeAgent) => void agent.handle('data', handler)
  const daemon = await start({ shutdown: { drainMs: 50 }, prepare })
  await using bob = await joined(daemon)
  const answer = bob.request(daemon.agent.id, 'data', bytes('endless work'))
  await begun
  const failed = assert.rejects(answer, { code: 'SESSION_GOING_AWAY' })
  await daemon.close()
  await failed
  open()
})

test('a slow handler holds up its own sender, who is granted no more bytes, and no other peer', async () => {
  verifies('R144')
  const { handler, begun, open } = gated()
  const arrived = Promise.withResolvers<void>()
  let left = 32
  const prepare = (agent: NodeAgent) => {
    agent.handle('data', async (message) => {
      await handler(message)
      left -= 1
      if (left === 0) arrived.resolve()
    })
  }
  const windowBytes = 256 * kib
  await using daemon = await start({ limits: { windowBytes }, prepare })
  await using bob = await joined(daemon)
  await using carol = await joined(daemon, 'carol')
  const sending = Array.from({ length: left }, () =>
    bob.send(daemon.agent.id, 'data', new Uint8Array(64 * kib)),
  )
  await begun
  // The pong comes behind all that the window let through.
  await bob.ping(daemon.agent.id)
  const held = daemon.agent.peers().find((peer) => peer.agent === bob.id)?.stats.heldBytes ?? 0
  // A message in parts counts when it is whole: one may stand above the window.
  assert.ok(held > 64 * kib && held <= windowBytes + 65 * kib, `${held} bytes are held`)
  assert.ok((bob.peers()[0]?.stats.queuedBytes ?? 0) > kib * kib)
  const { payload } = await carol.request(daemon.agent.id, 'echo', bytes('quick'))
  assert.deepEqual(payload, bytes('quick'))
  open()
  await Promise.all(sending)
  await arrived.promise
})

test('a peer beyond limits.sessionsMax is refused and told that the agent is busy', async () => {
  verifies('R144')
  const { events, logger } = recorder()
  await using daemon = await start({
    limits: { sessionsMax: 1, handshakesPendingMax: 1 },
    logger,
  })
  await using _bob = await joined(daemon)
  const token = await daemon.agent.issueJoinToken()
  await using carol = await createAgent({ name: 'carol' })
  await assert.rejects(carol.join(token), { code: 'SESSION_BUSY' })
  assert.ok(events.some(({ event, kind }) => event === 'security' && kind === 'session-refused'))
})

test('a daemon connects to its configured peers and to no others', async () => {
  verifies('R040')
  const { events, logger } = recorder()
  await using alice = await start({})
  await using carol = await start({ name: 'carol' })
  const [address = ''] = alice.agent.addresses
  const home = join(root, 'static')
  await using bob = await startBob()
  assert.equal((await connected(bob)).agent, alice.agent.id)
  // Time enough for a session with carol, were one begun together with this one.
  for (let i = 0; i < 50; i += 1) await bob.agent.ping(alice.agent.id)
  assert.deepEqual(
    bob.agent.peers().map((peer) => peer.agent),
    [alice.agent.id],
  )
  assert.deepEqual(carol.agent.peers(), [])
  assert.equal(events.filter(({ event }) => event === 'peer-connected').length, 1)

  /** Bob trusts and knows carol too, and is not told to call her. */
  async function startBob(): Promise<Daemon> {
    await using first = await createAgent({ name: 'bob', home, peers: [address] })
    await alice.agent.trust.add(trusted(first.id))
    await carol.agent.trust.add(trusted(first.id))
    await first.trust.add(trusted(carol.agent.id))
    await first.connect(carol.agent.addresses[0] ?? '')
    await first.close()
    return await start({ name: 'bob', home, peers: [address], logger })
  }
})

test('a session that ends is opened again, when the peer is back', async () => {
  verifies('R040')
  const aliceHome = join(root, 'back')
  const listen = ['/memory/daemon-back']
  const first = await start({ home: aliceHome, listen })
  const home = join(root, 'bob-back')
  await using before = await createAgent({ name: 'bob', home })
  await before.join(await first.agent.issueJoinToken())
  await before.close()
  // Joined once, found again: no address stands in the configuration.
  const { events, logger } = recorder()
  await using bob = await start({ name: 'bob', home, listen: [], logger })
  await connected(bob)
  const lost = nextEvent(bob.agent, 'disconnected')
  await first.close()
  await lost
  const back = nextEvent(bob.agent, 'connected')
  await using second = await start({ home: aliceHome, listen })
  await back
  assert.deepEqual(
    bob.agent.peers().map((peer) => peer.agent),
    [second.agent.id],
  )
  assert.ok(events.some(({ event }) => event === 'peer-lost'))
})

test('a second daemon is refused and the first goes on', async () => {
  const home = join(root, 'twice')
  await using daemon = await start({ home })
  await assert.rejects(start({ home }), { code: 'NODE_DAEMON_RUNS' })
  await using control = await connectControl(home)
  assert.equal((await control.call('status', {})).agent, daemon.agent.id)
})

test('a daemon that cannot open its door leaves nothing behind', async () => {
  const home = join(root, 'no-door')
  await assert.rejects(start({ home, listen: ['/ip4/127.0.0.1/sctp/1'] }), {
    code: 'TRANSPORT_ADDRESS',
  })
  assert.equal(existsSync(join(home, 'control.sock')), false)
  await assert.rejects(connectControl(home), { code: 'NODE_DAEMON_ABSENT' })
})

test('start, sessions, refused handshakes and end are events of the log', async () => {
  verifies('R122')
  const { events, logger } = recorder()
  const daemon = await start({ logger, listen: ['/ip4/127.0.0.1/tcp/0'] })
  await using bob = await joined(daemon)
  const security = bob.peers()[0]?.security
  assert.match(security ?? '', /^XKhfs /)
  await using stranger = await createAgent({ name: 'mallory' })
  const [address = ''] = daemon.agent.addresses
  await stranger.trust.add(trusted(daemon.agent.id))
  await assert.rejects(stranger.connect(address), { code: 'SESSION_NOT_TRUSTED' })
  await daemon.close()
  const of = (name: string) => events.find(({ event }) => event === name)
  const [id, name] = [daemon.agent.id, 'alice']
  assert.deepEqual(pick(of('agent-started'), 'agent', 'name'), { agent: id, name })
  const session = pick(of('peer-connected'), 'agent', 'name', 'direction', 'transport', 'security')
  assert.deepEqual(session, {
    agent: bob.id,
    name: 'bob',
    direction: 'in',
    transport: 'tcp',
    security,
  })
  assert.equal(typeof of('peer-connected')?.handshakeMs, 'number')
  assert.equal(of('handshake-failed')?.code, 'SESSION_NOT_TRUSTED')
  const refusal = events.find(({ kind }) => kind === 'peer-not-trusted')
  assert.equal(refusal?.agent, stranger.id)
  assert.equal(of('peer-disconnected')?.agent, bob.id)
  assert.deepEqual(events.at(-1)?.event, 'agent-stopped')
})

function pick(fields: LogFields | undefined, ...names: readonly string[]): LogFields {
  return Object.fromEntries(names.map((name) => [name, fields?.[name]]))
}

function trusted(agent: NodeAgent['id']) {
  return { agent, roles: ['member'], source: 'manual', addedMs: 0 } as const
}

/** The first peer, now or when it comes. */
async function connected({ agent }: Daemon) {
  const event = nextEvent(agent, 'connected')
  const [peer] = agent.peers()
  if (peer !== undefined) return peer
  const came = await event
  assert.equal(came.kind, 'connected')
  return (came as Extract<PeerEvent, { kind: 'connected' }>).peer
}
