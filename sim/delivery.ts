// Two agents that send each other acknowledged messages while the network fails and sessions are replaced: each
// message has its effect once, in its order, and its sender learns of it. One of the two may restart; then, and
// only then, a message may come twice.

import { createAgent, type NodeAgent } from '@myelin/node'
import { type SeededRandom, Simulation } from '@myelin/testkit'
import { cutOneWay, must, resultOf, roughLink, type Scenario, Watch } from './scenario.ts'

const messages = 40
const faultsMax = 8
const ttlMs = 1_800_000
const patienceMs = 7_200_000
const outboxMessagesMax = 100

interface Side {
  readonly name: string
  agent: NodeAgent
  /** Boots of its host. */
  life: number
  /** Numbers in the order in which they were handled, for each of its lives. */
  readonly handled: number[][]
  readonly settled: Map<number, string>
}

export const deliveryScenario: Scenario = {
  name: 'delivery',
  describes: 'acknowledged messages have their effect once and in order over a failing network',
  run: async (seed) => {
    const simulation = new Simulation({ seed })
    const link = roughLink(simulation)
    simulation.network.setLink('alice', 'bob', link)
    simulation.network.setLink('bob', 'alice', link)
    const watch = new Watch(simulation)
    const [alice, bob] = await simulation.complete(meet(simulation, watch), patienceMs, 'the start')
    const restarts = simulation.random('restarts').chance(0.3)
    const work = Promise.all([
      workload(simulation, alice, bob),
      // What is in the memory of a process that restarts is gone: the other side alone sends then.
      restarts ? Promise.resolve() : workload(simulation, bob, alice),
    ])
    const faults = injectFaults(simulation, bob, restarts, watch)
    await simulation.complete(faults, patienceMs, 'the faults')
    await simulation.complete(work, patienceMs, 'the workload')
    watch.check()
    check(simulation, alice, bob)
    if (!restarts) check(simulation, bob, alice)
    const { duplicates } = bob.agent.deliveryCounts
    const facts = {
      acknowledged: count(alice, 'ok') + count(bob, 'ok'),
      failures: count(alice, 'FABRIC_HANDLER_FAILED') + count(bob, 'FABRIC_HANDLER_FAILED'),
      duplicates,
      sessions: alice.agent.poolStats().created + bob.agent.poolStats().created,
      replaced: bob.agent.poolStats().evicted.lifetime,
      restarts: bob.life - 1,
    }
    const closing = Promise.all([alice.agent.close(), bob.agent.close()])
    await simulation.complete(closing, patienceMs, 'closing')
    return resultOf(simulation, facts)
  },
}

async function meet(simulation: Simulation, watch: Watch): Promise<[Side, Side]> {
  const alice = await boot(simulation, 'alice', watch)
  const bob = await boot(simulation, 'bob', watch)
  const token = await alice.agent.issueJoinToken()
  for (let attempt = 0; ; attempt += 1) {
    try {
      await bob.agent.join(token)
      alice.agent.learn({ agent: bob.agent.id, addresses: ['/memory/bob.1'] })
      return [alice, bob]
    } catch (error) {
      must(attempt < 20, `bob cannot join: ${error}`, simulation)
    }
  }
}

async function boot(simulation: Simulation, name: string, watch: Watch, old?: Side): Promise<Side> {
  const { clock, random, store, transports } = simulation.host(name).ports
  const side: Partial<Side> = old ?? {
    name,
    life: 0,
    handled: [],
    settled: new Map(),
  }
  const made = side as Side
  made.life += 1
  const { life } = made
  const handled: number[] = []
  made.handled.push(handled)
  const pace = simulation.random(`pace/${name}/${life}`)
  const pool = { sessionsMin: 0, lifetimeMs: 4_000, idleMs: 2_000, checkMs: 500, sessionsMax: 3 }
  made.agent = await createAgent({
    name,
    listen: [`/memory/${name}.1`],
    session: { heartbeatIntervalMs: 2_000 },
    pool,
    delivery: { outboxMessagesMax },
    clock,
    random,
    store,
    transports,
    prepare: (agent) => {
      agent.handle('data', ({ payload }) => {
        const number = new DataView(payload.buffer, payload.byteOffset).getUint32(0)
        handled.push(number)
        simulation.trace.add(simulation.nowMs, name, 'handles', number)
        if (number % 17 === 0) throw new Error('as the test wishes')
        if (pace.chance(0.5)) return undefined
        return new Promise<void>((resolve) => void clock.setTimer(pace.exponential(300), resolve))
      })
      agent.watchPeers((event) => {
        simulation.trace.add(simulation.nowMs, name, event.kind)
        if (event.kind === 'disconnected') watch.sessionEnded(name, event.code)
      })
    },
  })
  return made
}

async function workload(simulation: Simulation, from: Side, to: Side): Promise<void> {
  const random = simulation.random(`workload/${from.name}`)
  const { clock } = simulation.host(from.name)
  const waiting: Promise<void>[] = []
  for (let number = 1; number <= messages; number += 1) {
    const payload = new Uint8Array(random.pick([4, 4, 40, 2_000, 100_000]))
    new DataView(payload.buffer).setUint32(0, number)
    const options = { delivery: 'at-least-once', ttlMs } as const
    const sent = from.agent.send(to.agent.id, 'data', payload, options).then(
      () => 'ok',
      (error: { code?: string }) => error.code ?? String(error),
    )
    waiting.push(
      sent.then((outcome) => {
        simulation.trace.add(simulation.nowMs, from.name, 'settled', number, outcome)
        from.settled.set(number, outcome)
      }),
    )
    const { pending } = from.agent.deliveryCounts
    must(pending <= outboxMessagesMax, `${pending} messages pend at ${from.name}`, simulation)
    if (random.chance(0.6))
      await new Promise<void>((resolve) => void clock.setTimer(random.exponential(400), resolve))
  }
  await Promise.all(waiting)
}

async function injectFaults(
  simulation: Simulation,
  bob: Side,
  restarts: boolean,
  watch: Watch,
): Promise<void> {
  const random: SeededRandom = simulation.random('faults')
  const { network } = simulation
  const pause = (ms: number) =>
    new Promise<void>((resolve) => void simulation.schedule(ms, resolve))
  for (let faults = random.between(1, faultsMax); faults > 0; faults -= 1) {
    await pause(random.between(5, 3_000))
    const kind = random.pick(['break', 'break', 'break', 'partition', 'one-way', 'restart'])
    if (kind === 'restart') {
      if (!restarts) continue
      simulation.host('bob').crash()
      await pause(random.between(10, 3_000))
      await boot(simulation, 'bob', watch, bob)
    } else if (kind === 'break') network.breakOne()
    else {
      if (kind === 'partition') network.partition('alice', 'bob')
      else cutOneWay(simulation, random, 'alice', 'bob')
      await pause(random.pick([100, 3_000, 25_000]))
      network.healAll()
    }
  }
  network.healAll()
}

function check(simulation: Simulation, from: Side, to: Side): void {
  must(from.settled.size === messages, `${from.name} never learned of some`, simulation)
  for (const handled of to.handled) {
    for (const [i, number] of handled.entries()) {
      const before = handled[i - 1] ?? 0
      must(number > before, `${to.name} handled ${number} after ${before}`, simulation)
    }
  }
  for (let number = 1; number <= messages; number += 1) {
    const times = to.handled.filter((handled) => handled.includes(number)).length
    const outcome = from.settled.get(number)
    const expected = number % 17 === 0 ? 'FABRIC_HANDLER_FAILED' : 'ok'
    must(outcome === expected, `message ${number} of ${from.name}: ${outcome}`, simulation)
    // Twice only across a restart of the receiver.
    must(times >= 1 && times <= to.life, `message ${number} handled ${times} times`, simulation)
  }
  must(from.agent.deliveryCounts.pending === 0, `messages pend at ${from.name}`, simulation)
}

function count({ settled }: Side, outcome: string): number {
  return [...settled.values()].filter((other) => other === outcome).length
}
