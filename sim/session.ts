// Two agents that talk while the network fails: messages, requests and streams in both directions over
// sessions that break, rekey and come back.

import { createHash } from 'node:crypto'
import { createAgent, type NodeAgent } from '@myelin/node'
import { type SeededRandom, Simulation } from '@myelin/testkit'
import {
  cutOneWay,
  must,
  resultOf,
  roughLink,
  type Scenario,
  Violation,
  Watch,
} from './scenario.ts'

const operations = 40
const faultsMax = 6
const sizes = [0, 10, 500, 5_000, 70_000, 300_000] as const
/** An agent asks for so long, in ms of simulated time; nothing may wait longer. */
const requestTimeoutMs = 20_000
const patienceMs = 120_000

interface Side {
  readonly name: string
  readonly agent: NodeAgent
  /** Sessions that have opened: messages of one must arrive in order. */
  session: number
  /** Number of each message that arrived, with the session it came in. */
  readonly arrived: Map<number, number>
  readonly lastInSession: Map<number, number>
  readonly handled: Map<number, number>
  readonly acknowledged: Set<number>
  failed: number
  /** Digest of each stream that was sent to its end, and of each that arrived to its end. */
  readonly sent: Map<number, string>
  readonly streams: Map<number, string>
  readonly watch: Watch
}

/** Beyond its window a session holds what it is putting together. */
const reassemblyBytesMax = 1024 * 1024

export const sessionScenario: Scenario = {
  name: 'session',
  describes: 'two agents talk over a failing network',
  run: async (seed) => {
    const simulation = new Simulation({ seed })
    const link = roughLink(simulation)
    simulation.network.setLink('alice', 'bob', link)
    simulation.network.setLink('bob', 'alice', link)
    const [alice, bob] = await simulation.complete(
      connect(simulation),
      patienceMs,
      'the first connection',
    )
    const work = [workload(simulation, alice, bob), workload(simulation, bob, alice)]
    const faults = injectFaults(simulation)
    for (const part of work) await simulation.complete(part, 20 * patienceMs, 'the workload')
    await simulation.complete(faults, 20 * patienceMs, 'the faults')
    simulation.network.healAll()
    await simulation.complete(
      alive(simulation, alice, bob),
      patienceMs,
      'the answer after the faults',
    )
    for (const [from, to] of [
      [alice, bob],
      [bob, alice],
    ] as const)
      checkDelivery(simulation, from, to)
    await checkNothingHeld(simulation, [alice, bob])
    await simulation.complete(
      Promise.all([alice.agent.close(), bob.agent.close()]),
      patienceMs,
      'closing',
    )
    const facts = {
      arrived: alice.arrived.size + bob.arrived.size,
      acknowledged: alice.acknowledged.size + bob.acknowledged.size,
      failed: alice.failed + bob.failed,
      streams: alice.streams.size + bob.streams.size,
      sessions: alice.session,
    }
    return resultOf(simulation, facts)
  },
}

async function connect(simulation: Simulation): Promise<[Side, Side]> {
  const random = simulation.random('options')
  const limits = { windowBytes: random.pick([256 * 1024, 1024 * 1024, 4 * 1024 * 1024]) }
  const session = {
    rekeyMessages: random.pick([1, 5, 1_000_000]),
    rekeyBytes: random.pick([10_000, 1_000_000, 2 ** 36]),
  }
  const make = async (name: string): Promise<Side> => {
    const { clock, random: secrets, store, transports } = simulation.host(name).ports
    const listen = [`/memory/${name}.1`]
    const agent = await createAgent({
      name,
      listen,
      limits,
      session,
      clock,
      random: secrets,
      store,
      transports,
    })
    return sideOf(simulation, name, agent)
  }
  const [alice, bob] = [await make('alice'), await make('bob')]
  const token = await alice.agent.issueJoinToken()
  // The network may lose the first attempts; a token is used up only by a handshake that succeeded.
  for (let attempt = 0; ; attempt += 1) {
    try {
      await bob.agent.join(token)
      break
    } catch (error) {
      must(attempt < 20, `bob cannot join: ${error}`, simulation)
    }
  }
  return [alice, bob]
}

function sideOf(simulation: Simulation, name: string, agent: NodeAgent): Side {
  const side: Side = {
    name,
    agent,
    session: 0,
    arrived: new Map(),
    lastInSession: new Map(),
    handled: new Map(),
    acknowledged: new Set(),
    failed: 0,
    sent: new Map(),
    streams: new Map(),
    watch: new Watch(simulation),
  }
  const { watch } = side
  const heldMax = agent.configuration.limits.windowBytes + reassemblyBytesMax
  agent.watchPeers((event) => {
    if (event.kind === 'connected') side.session += 1
    else if (event.kind === 'disconnected') watch.sessionEnded(name, event.code)
    simulation.trace.add(
      simulation.nowMs,
      name,
      event.kind,
      event.kind === 'disconnected' ? event.code : '',
    )
  })
  agent.handle('data', ({ payload }) => {
    const number = new DataView(payload.buffer, payload.byteOffset).getUint32(0)
    watch.must(!side.arrived.has(number), `message ${number} arrived twice at ${name}`)
    side.arrived.set(number, side.session)
    watch.must(isIntact(payload, number), `message ${number} arrived altered at ${name}`)
    simulation.trace.add(simulation.nowMs, name, 'got', number, payload.length)
  })
  agent.handle('echo', async ({ payload }) => {
    const number = new DataView(payload.buffer, payload.byteOffset).getUint32(0)
    side.handled.set(number, (side.handled.get(number) ?? 0) + 1)
    return payload
  })
  agent.handleStream('flow', async (stream) => {
    const digest = createHash('sha256')
    let number = -1
    let bytes = 0
    for await (const chunk of stream) {
      if (number < 0) number = chunk[0] as number
      digest.update(chunk)
      bytes += chunk.length
      for (const { stats } of agent.peers())
        watch.must(
          stats.heldBytes >= 0 && stats.heldBytes <= heldMax,
          `${name} holds ${stats.heldBytes} bytes of a peer`,
        )
    }
    simulation.trace.add(simulation.nowMs, name, 'stream', number, bytes)
    side.streams.set(number, digest.digest('hex'))
    stream.finish()
  })
  return side
}

async function workload(simulation: Simulation, from: Side, to: Side): Promise<void> {
  const random = simulation.random(`workload/${from.name}`)
  const waiting: Promise<void>[] = []
  const { clock } = simulation.host(from.name)
  for (let number = 1; number <= operations; number += 1) {
    const kind = random.pick(['message', 'message', 'request', 'request', 'stream'])
    const payload = payloadOf(number, random.pick(sizes))
    const act =
      kind === 'message'
        ? send(from, to, payload)
        : kind === 'request'
          ? ask(simulation, from, to, payload, number)
          : flow(from, to, number, random)
    waiting.push(
      act.catch((error: unknown) => {
        if (error instanceof Violation) throw error
        from.failed += 1
        simulation.trace.add(
          simulation.nowMs,
          from.name,
          'failed',
          number,
          String((error as { code?: string }).code),
        )
      }),
    )
    const queued = from.agent.peers().reduce((sum, peer) => sum + peer.stats.queuedBytes, 0)
    must(queued <= 40 * 1024 * 1024, `${queued} bytes queued at ${from.name}`, simulation)
    await new Promise<void>((resolve) => void clock.setTimer(random.exponential(150), resolve))
  }
  await Promise.all(waiting)
}

async function send(from: Side, to: Side, payload: Uint8Array): Promise<void> {
  await from.agent.send(to.agent.id, 'data', payload)
}

async function ask(
  simulation: Simulation,
  from: Side,
  to: Side,
  payload: Uint8Array,
  number: number,
): Promise<void> {
  const answer = await from.agent.request(to.agent.id, 'echo', payload, {
    timeoutMs: requestTimeoutMs,
  })
  must(
    Buffer.compare(answer.payload as Uint8Array, payload) === 0,
    `request ${number} got another's answer`,
    simulation,
  )
  from.acknowledged.add(number)
}

async function flow(from: Side, to: Side, number: number, random: SeededRandom): Promise<void> {
  const stream = await from.agent.stream(to.agent.id, 'flow')
  const digest = createHash('sha256')
  for (let parts = random.between(1, 12); parts > 0; parts -= 1) {
    const chunk = new Uint8Array(random.between(1, 60_000)).fill(number)
    digest.update(chunk)
    if (!stream.write(chunk)) await stream.drained()
  }
  from.sent.set(number, digest.digest('hex'))
  stream.finish()
  for await (const _ of stream) {
    // The other side sends nothing but its end.
  }
  await stream.closed()
}

async function injectFaults(simulation: Simulation): Promise<void> {
  const random = simulation.random('faults')
  const { network } = simulation
  const pause = (ms: number) =>
    new Promise<void>((resolve) => void simulation.schedule(ms, resolve))
  for (let faults = random.between(0, faultsMax); faults > 0; faults -= 1) {
    await pause(random.between(50, 3_000))
    const kind = random.pick(['break', 'partition', 'one-way', 'slow', 'skew'])
    simulation.trace.add(simulation.nowMs, 'fault', kind)
    const ms = random.pick([100, 2_000, 25_000])
    if (kind === 'break') network.breakOne()
    else if (kind === 'partition') network.partition('alice', 'bob')
    else if (kind === 'one-way') cutOneWay(simulation, random, 'alice', 'bob')
    else if (kind === 'slow')
      network.setLink('alice', 'bob', {
        delayMs: random.between(1, 400),
        loss: random.fraction() / 5,
      })
    else simulation.host(random.pick(['alice', 'bob'])).skew(random.between(-1_000, 1_000))
    await pause(ms)
    network.healAll()
  }
}

/** Whatever happened before: the two can talk again. */
async function alive(simulation: Simulation, alice: Side, bob: Side): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await bob.agent.request(alice.agent.id, 'echo', payloadOf(1_000_000 + attempt, 10), {
        timeoutMs: 10_000,
      })
      return
    } catch (error) {
      must(attempt < 10, `the network is whole and still: ${error}`, simulation)
    }
  }
}

function checkDelivery(simulation: Simulation, from: Side, to: Side): void {
  for (const number of from.acknowledged) {
    must(
      to.handled.get(number) === 1,
      `request ${number} was acknowledged and handled ${to.handled.get(number) ?? 0} times`,
      simulation,
    )
  }
  for (const [number, times] of to.handled)
    must(times === 1, `request ${number} was handled ${times} times`, simulation)
  let [last, session] = [0, 0]
  for (const [number, inSession] of to.arrived) {
    must(
      inSession !== session || number > last,
      `message ${number} arrived after ${last} in one session`,
      simulation,
    )
    ;[last, session] = [number, inSession]
  }
  for (const [number, digest] of to.streams)
    must(from.sent.get(number) === digest, `stream ${number} arrived altered`, simulation)
  from.watch.check()
  to.watch.check()
}

/** All is said and handled: no session holds on to bytes, whatever it has been through. */
async function checkNothingHeld(simulation: Simulation, both: readonly Side[]): Promise<void> {
  const holds = () =>
    both
      .flatMap(({ agent }) => agent.peers())
      .filter(({ stats }) => stats.heldBytes !== 0 || stats.queuedBytes !== 0)
  // A session whose other end is gone is given up in time, with whatever it holds.
  if (await simulation.until(() => holds().length === 0, 2 * patienceMs)) return
  const [held] = holds()
  must(false, `bytes are held for ever: ${JSON.stringify(held?.stats)}`, simulation)
}

function payloadOf(number: number, size: number): Uint8Array {
  const payload = new Uint8Array(Math.max(4, size)).fill(number & 0xff)
  new DataView(payload.buffer).setUint32(0, number)
  return payload
}

function isIntact(payload: Uint8Array, number: number): boolean {
  return payload.subarray(4).every((byte) => byte === (number & 0xff))
}
