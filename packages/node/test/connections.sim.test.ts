import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PeerEvent } from '@myelin/fabric'
import { type CreateAgentOptions, createAgent, type NodeAgent } from '@myelin/node'
import { Simulation, verifies } from '@myelin/testkit'

const patienceMs = 10_000_000

interface World {
  readonly simulation: Simulation
  readonly hub: NodeAgent
  readonly others: readonly NodeAgent[]
  readonly events: PeerEvent[]
  /** Kinds of events of the hub, in their order. */
  kinds(): string[]
  complete<Value>(work: Promise<Value>): Promise<Value>
  close(): Promise<void>
}

/** A hub that trusts some agents and knows where they are. */
async function world(
  count: number,
  options: CreateAgentOptions = {},
  ofOthers: CreateAgentOptions = {},
): Promise<World> {
  const simulation = new Simulation({ seed: 1 })
  const boot = (name: string, more: CreateAgentOptions) => {
    const { clock, random, store, transports } = simulation.host(name).ports
    const listen = [`/memory/${name}.1`]
    return createAgent({ name, listen, ...more, clock, random, store, transports })
  }
  const complete = <Value>(work: Promise<Value>) =>
    simulation.complete(work, patienceMs, 'the step')
  const events: PeerEvent[] = []
  const others: NodeAgent[] = []
  for (let i = 0; i < count; i += 1) others.push(await complete(boot(`n${i}`, ofOthers)))
  const hub = await complete(
    boot('hub', { ...options, trust: others.map(({ id }) => ({ agent: id })) }),
  )
  hub.watchPeers((event) => events.push(event))
  for (const [i, other] of others.entries()) {
    const addedMs = 0
    const entry = { agent: hub.id, roles: ['member'], source: 'manual', addedMs } as const
    await complete(other.trust.add(entry))
    hub.learn({ agent: other.id, addresses: [`/memory/n${i}.1`] })
    other.learn({ agent: hub.id, addresses: ['/memory/hub.1'] })
  }
  return {
    simulation,
    hub,
    others,
    events,
    kinds: () => events.map(({ kind }) => kind),
    complete,
    close: async () => {
      await complete(Promise.all([hub, ...others].map((agent) => agent.close())))
    },
  }
}

const connected = ({ hub }: World) => hub.peers().map(({ agent }) => agent)
const ids = (agents: readonly NodeAgent[]) => agents.map(({ id }) => id)

test('idle sessions end but for the most recently used, the kept, the used and those of others', async () => {
  verifies('R019', 'R165', 'R197')
  const pool = { sessionsMin: 1, idleMs: 10_000, checkMs: 1000 }
  const scene = await world(6, { pool })
  const { simulation, hub, others, complete } = scene
  const [kept, busy, asking, first, second, third] = others as [
    NodeAgent,
    NodeAgent,
    NodeAgent,
    NodeAgent,
    NodeAgent,
    NodeAgent,
  ]
  busy.handleStream('flow', async (stream) => {
    for await (const _ of stream) {
      // As long as it is open.
    }
  })
  hub.keep(kept.id)
  const stream = await complete(hub.stream(busy.id, 'flow'))
  await complete(asking.connect(hub.id))
  for (const agent of [first, second, third]) {
    await complete(hub.send(agent.id, 'data', new Uint8Array(1)))
    await simulation.advance(2000)
  }
  await simulation.advance(30_000)
  assert.deepEqual(connected(scene).sort(), ids([kept, busy, asking, third]).sort())
  assert.deepEqual(hub.poolStats().evicted, { idle: 2, lifetime: 0, unhealthy: 0, limit: 0 })
  const ends = scene.events.filter(({ kind }) => kind === 'disconnected') as { code: string }[]
  assert.deepEqual(
    ends.map(({ code }) => code),
    ['SESSION_GOING_AWAY', 'SESSION_GOING_AWAY'],
  )
  stream.finish()
  // What was ended is opened again when it is needed.
  await complete(hub.send(first.id, 'data', new Uint8Array(1)))
  const { created, reused, open, dialled } = hub.poolStats()
  assert.deepEqual({ created, open, dialled }, { created: 6, open: 5, dialled: 4 })
  assert.ok(reused >= 0)
  await scene.close()
})

test('a session is used again and again; beyond the most that may be open the one idle longest makes room', async () => {
  verifies('R015', 'R019', 'R165')
  const scene = await world(3, { pool: { sessionsMin: 0, sessionsMax: 2 } })
  const { hub, others, complete } = scene
  const [a, b, c] = others as [NodeAgent, NodeAgent, NodeAgent]
  const got: number[] = []
  a.handle('data', ({ payload }) => void got.push(payload[0] as number))
  for (let i = 0; i < 10; i += 1) await complete(hub.send(a.id, 'data', new Uint8Array([i])))
  await complete(hub.ping(a.id))
  assert.deepEqual(got, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  const { created, reused } = hub.poolStats()
  assert.deepEqual([created, reused], [1, 9])
  await complete(hub.connect(b.id))
  await complete(hub.connect(c.id))
  assert.deepEqual(connected(scene), ids([b, c]))
  assert.equal(hub.poolStats().evicted.limit, 1)
  await scene.close()
})

test('who finds all sessions in use waits for one to end, in line, within bounds of number and time', async () => {
  verifies('R165')
  const pool = { sessionsMin: 0, sessionsMax: 1, waitersMax: 2, waitMs: 5000 }
  const scene = await world(4, { pool })
  const { simulation, hub, others, complete } = scene
  const [busy, one, two, three] = others as [NodeAgent, NodeAgent, NodeAgent, NodeAgent]
  busy.handle('echo', () => new Promise(() => {}))
  hub.request(busy.id, 'echo', new Uint8Array(1), { timeoutMs: 3000 }).catch(() => {})
  await simulation.advance(100)
  const attempts = Promise.allSettled([one, two, three].map(({ id }) => hub.connect(id)))
  await simulation.advance(10)
  assert.equal(hub.poolStats().waiting, 2)
  await simulation.advance(1000)
  await complete(hub.disconnect(busy.id))
  const [first, second, third] = await complete(attempts)
  assert.equal(first?.status, 'fulfilled')
  // The first one's session is idle then, and makes room for the second.
  assert.equal(second?.status, 'fulfilled')
  assert.equal(third?.status === 'rejected' && third.reason.code, 'FABRIC_POOL_FULL')
  hub.keep(two.id)
  const late = await complete(Promise.allSettled([hub.connect(three.id)]))
  assert.equal(late[0]?.status === 'rejected' && late[0].reason.code, 'FABRIC_POOL_TIMEOUT')
  assert.match(
    String(late[0]?.status === 'rejected' && late[0].reason.message),
    /pool\.sessionsMax/,
  )
  assert.equal(hub.poolStats().refused, 2)
  await scene.close()
})

test('an old session is replaced under traffic in both directions: nothing is lost or overtaken', async () => {
  verifies('R015', 'R165')
  const pool = { lifetimeMs: 3000, checkMs: 500 }
  const scene = await world(1, { pool }, { pool })
  const { simulation, hub, others, complete } = scene
  const [other] = others as [NodeAgent]
  simulation.network.setLink('hub', 'n0', { delayMs: 30, jitterMs: 40, bandwidth: 200 })
  simulation.network.setLink('n0', 'hub', { delayMs: 10, jitterMs: 60, bandwidth: 200 })
  const got = { hub: [] as number[], other: [] as number[] }
  const read = (list: number[]) => (message: { payload: Uint8Array }) =>
    void list.push(new DataView(message.payload.buffer, message.payload.byteOffset).getUint32(0))
  hub.handle('data', read(got.hub))
  other.handle('data', read(got.other))
  other.handle('echo', async ({ payload }) => payload)
  const random = simulation.random('sizes')
  const flood = async (from: NodeAgent, to: NodeAgent) => {
    for (let i = 0; i < 400; i += 1) {
      const payload = new Uint8Array(random.pick([4, 100, 20_000]))
      new DataView(payload.buffer).setUint32(0, i)
      await from.send(to.id, 'data', payload)
      if (i % 50 === 0) await from.request(to.id, 'echo', payload).catch(() => {})
      await new Promise<void>(
        (resolve) => void simulation.schedule(random.exponential(40), resolve),
      )
    }
  }
  await complete(hub.connect(other.id))
  await complete(Promise.all([flood(hub, other), flood(other, hub)]))
  await simulation.advance(20_000)
  const all = Array.from({ length: 400 }, (_, i) => i)
  assert.deepEqual(got.other, all)
  assert.deepEqual(got.hub, all)
  const replaced = [hub, other].map((agent) => agent.poolStats().evicted.lifetime)
  assert.ok((replaced[0] ?? 0) + (replaced[1] ?? 0) >= 5, `${replaced} replacements`)
  assert.ok(hub.poolStats().open <= 2)
  for (const event of scene.events)
    if (event.kind === 'disconnected') assert.equal(event.code, 'SESSION_GOING_AWAY')
  await scene.close()
})

test('a session whose pings stay unanswered is unhealthy, is left and replaced', async () => {
  verifies('R089')
  const pool = { checkMs: 1000, missesMax: 3 }
  const session = { heartbeatIntervalMs: 600_000 }
  const scene = await world(1, { pool, session }, { session })
  const { simulation, hub, others, complete, kinds } = scene
  const [other] = others as [NodeAgent]
  await complete(hub.connect(other.id))
  simulation.network.cut('n0', 'hub')
  assert.ok(await simulation.until(() => kinds().includes('unhealthy'), 10_000))
  const sent = hub.send(other.id, 'data', new Uint8Array(1)).catch(() => 'failed')
  await simulation.advance(10_000)
  simulation.network.healAll()
  await complete(sent)
  await complete(hub.send(other.id, 'data', new Uint8Array(1)))
  const { evicted, open } = hub.poolStats()
  assert.deepEqual([evicted.unhealthy, open], [1, 1])
  const fault = scene.events.find((event) => event.kind === 'unhealthy')
  assert.deepEqual([fault?.fault, fault?.agent], ['unresponsive', other.id])
  await scene.close()
})

test('a session whose round trips are long on average is slow, and replaced', async () => {
  verifies('R089')
  const scene = await world(1, { pool: { checkMs: 1000, roundTripMsMax: 100 } })
  const { simulation, hub, others, complete, kinds } = scene
  await complete(hub.connect((others[0] as NodeAgent).id))
  await simulation.advance(20_000)
  assert.ok(!kinds().includes('unhealthy'))
  simulation.network.setLink('hub', 'n0', { delayMs: 300 })
  assert.ok(await simulation.until(() => kinds().includes('unhealthy'), 20_000))
  simulation.network.setLink('hub', 'n0', { delayMs: 1 })
  await simulation.advance(20_000)
  const fault = scene.events.find((event) => event.kind === 'unhealthy')
  assert.ok(fault?.fault === 'slow' && (fault.roundTripMs ?? 0) > 100)
  assert.deepEqual([hub.poolStats().open, hub.poolStats().created], [1, 2])
  await scene.close()
})

test('a peer whose handlers take nothing makes its session unhealthy; messages go on in the next', async () => {
  verifies('R089')
  const limits = { windowBytes: 256 * 1024, messageBytesMax: 64 * 1024 }
  const scene = await world(1, { pool: { checkMs: 1000 }, limits }, { limits })
  const { simulation, hub, others, complete, kinds } = scene
  const [other] = others as [NodeAgent]
  let isStuck = true
  other.handle('data', () => (isStuck ? new Promise(() => {}) : undefined))
  await complete(hub.connect(other.id))
  const flood = Array.from({ length: 20 }, () => hub.send(other.id, 'data', new Uint8Array(60_000)))
  assert.ok(await simulation.until(() => kinds().includes('unhealthy'), 20_000))
  isStuck = false
  await complete(Promise.allSettled(flood))
  await simulation.advance(10_000)
  const fault = scene.events.find((event) => event.kind === 'unhealthy')
  assert.equal(fault?.fault, 'stalled')
  await complete(hub.send(other.id, 'data', new Uint8Array(1)))
  await complete(hub.ping(other.id))
  await scene.close()
})

test('a kept peer is called again and again, which is told; let go of, it is not', async () => {
  verifies('R087')
  const scene = await world(1, {
    pool: { circuitFailuresMax: 3, circuitOpenMs: 60_000 },
    session: { heartbeatIntervalMs: 1000 },
  })
  const { simulation, hub, others, kinds } = scene
  const [other] = others as [NodeAgent]
  const held = hub.keep(other.id)
  await simulation.until(() => kinds().includes('connected'), 10_000)
  simulation.network.breakOne()
  await simulation.until(() => kinds().filter((kind) => kind === 'connected').length === 2, 60_000)
  assert.deepEqual(kinds(), [
    'connecting',
    'connected',
    'disconnected',
    'reconnecting',
    'connecting',
    'connected',
  ])
  simulation.network.partition('hub', 'n0')
  await simulation.until(() => kinds().includes('circuit-open'), 600_000)
  await assert.rejects(hub.send(other.id, 'data', new Uint8Array(1)), {
    code: 'FABRIC_CIRCUIT_OPEN',
  })
  simulation.network.healAll()
  await simulation.until(() => kinds().includes('circuit-closed'), 600_000)
  const again = scene.events.filter((event) => event.kind === 'reconnecting')
  assert.ok(again.some(({ attempt, wasConnected }) => attempt > 1 && !wasConnected))
  held[Symbol.dispose]()
  scene.events.length = 0
  simulation.network.breakOne()
  await simulation.advance(600_000)
  assert.deepEqual(kinds(), ['disconnected'])
  assert.throws(() => hub.keep('nobody'), { code: 'FABRIC_PEER_UNKNOWN' })
  await scene.close()
})

test('a message that is acknowledged has been handled; one that is not says why', async () => {
  verifies('R090')
  const scene = await world(1)
  const { simulation, hub, others, complete } = scene
  const [other] = others as [NodeAgent]
  const acknowledged = { delivery: 'at-least-once' } as const
  const send = (type: string, payload: unknown) =>
    complete(hub.send(other.id, type, payload, acknowledged))
  let isDone = false
  other.handle('data', async () => {
    await new Promise<void>((resolve) => void simulation.schedule(500, resolve))
    isDone = true
  })
  other.handle('echo', () => {
    throw new Error('a secret')
  })
  await send('data', new Uint8Array(1))
  assert.equal(isDone, true)
  await assert.rejects(send('echo', new Uint8Array(1)), {
    code: 'FABRIC_HANDLER_FAILED',
    message: /the handler failed/,
  })
  await assert.rejects(send('heartbeat', { sequence: 1, sentMs: 1 }), { code: 'FABRIC_NO_HANDLER' })
  hub.types.register({
    name: 'own',
    encode: () => new Uint8Array(0),
    decode: () => ({ ok: true, value: 0 }),
  })
  await assert.rejects(send('own', 0), { code: 'FABRIC_TYPE_UNKNOWN' })
  await assert.rejects(
    hub.send(other.id, 'data', new Uint8Array(1), { ...acknowledged, priority: 'high' }),
    {
      code: 'FABRIC_OPTION',
    },
  )
  const reader = other.messages('status-update')
  const read = hub.send(other.id, 'status-update', { state: 'idle' }, acknowledged)
  assert.equal(((await complete(reader.next())).value as { type: string }).type, 'status-update')
  await complete(read)
  const unread = hub.send(other.id, 'status-update', { state: 'idle' }, acknowledged)
  await simulation.advance(1000)
  await reader.return?.()
  await assert.rejects(complete(unread), { code: 'FABRIC_NO_HANDLER' })
  const late = hub.send(
    other.id,
    'coordination',
    { action: 'a', body: new Uint8Array(0) },
    acknowledged,
  )
  await assert.rejects(complete(late), { code: 'FABRIC_NO_HANDLER' })
  await scene.close()
})

test('what a role may not send or receive, it may not send or receive acknowledged either', async () => {
  verifies('R090')
  const scene = await world(1)
  const { simulation, hub, others, complete } = scene
  const [other] = others as [NodeAgent]
  const entry = { agent: hub.id, roles: ['observer'], source: 'manual', addedMs: 0 } as const
  await complete(other.trust.add(entry))
  let handled = 0
  other.handle('data', () => {
    handled += 1
  })
  hub.handle('data', () => {
    handled += 1
  })
  const sent = hub.send(other.id, 'data', new Uint8Array(1), { delivery: 'at-least-once' })
  await assert.rejects(complete(sent), { code: 'FABRIC_FORBIDDEN' })
  const back = other.send(hub.id, 'data', new Uint8Array(1), { delivery: 'at-least-once' })
  await assert.rejects(complete(back), { code: 'FABRIC_FORBIDDEN', message: /may not receive/ })
  await simulation.advance(1000)
  assert.equal(handled, 0)
  await scene.close()
})

test('many messages of one turn are acknowledged by few, and a process that restarts may see them twice', async () => {
  verifies('R090', 'R091')
  const scene = await world(1)
  const { simulation, hub, others, complete } = scene
  const [other] = others as [NodeAgent]
  let handled = 0
  other.handle('data', () => {
    handled += 1
  })
  const acknowledged = { delivery: 'at-least-once' } as const
  await complete(hub.connect(other.id))
  const many = Array.from({ length: 2000 }, () =>
    hub.send(other.id, 'data', new Uint8Array(8), acknowledged),
  )
  await complete(Promise.all(many))
  const [info] = hub.peers()
  assert.equal(handled, 2000)
  assert.ok((info?.stats.messagesReceived ?? 0) <= 40, `${info?.stats.messagesReceived} came back`)
  // The receiver loses power when it has handled a message and nobody knows.
  simulation.network.cut('n0', 'hub')
  const last = hub.send(other.id, 'data', new Uint8Array(8), acknowledged)
  assert.ok(await simulation.until(() => handled === 2001, 10_000))
  simulation.host('n0').crash()
  simulation.network.healAll()
  const { clock, random, store, transports } = simulation.host('n0').ports
  const again = await complete(
    createAgent({
      name: 'n0',
      listen: ['/memory/n0.1'],
      clock,
      random,
      store,
      transports,
      prepare: (agent) =>
        void agent.handle('data', () => {
          handled += 1
        }),
    }),
  )
  await complete(last)
  assert.equal(handled, 2002)
  assert.equal(again.deliveryCounts.delivered, 1)
  assert.equal(again.id, other.id)
  await complete(Promise.all([hub.close(), again.close()]))
})
