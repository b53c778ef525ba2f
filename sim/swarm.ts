// A training whose coordinator crashes and comes back: what it had remembered, it goes on from; it never goes
// back behind a round that it told the world about.

import { silentLogger } from '@myelin/base'
import {
  defaultPlan,
  type RoundResult,
  runSwarmCoordinator,
  runSwarmWorker,
  type SwarmPlan,
  testDigits,
} from '@myelin/learning'
import { createAgent, type NodeAgent } from '@myelin/node'
import { Simulation } from '@myelin/testkit'
import { must, resultOf, roughLink, type Scenario } from './scenario.ts'

const workerNames = ['w1', 'w2'] as const
const plan: SwarmPlan = {
  ...defaultPlan,
  workers: 2,
  rounds: 3,
  shape: [784, 4, 10],
  examples: 40,
  epochs: 1,
  batchSize: 10,
  testExamples: 20,
}
const test = testDigits(plan)
const patienceMs = 900_000

export const swarmScenario: Scenario = {
  name: 'swarm',
  describes: 'a training survives its coordinator and its workers',
  run: async (seed) => {
    const simulation = new Simulation({ seed })
    for (const name of workerNames) {
      const link = roughLink(simulation)
      simulation.network.setLink('chief', name, link)
      simulation.network.setLink(name, 'chief', link)
    }
    const run = new Training(simulation)
    await simulation.complete(run.start(), patienceMs, 'the start')
    const faults = run.injectFaults()
    const rounds = await simulation.complete(run.finished, patienceMs, 'the training')
    run.isOver = true
    await simulation.complete(faults, patienceMs, 'the faults')
    run.check(rounds)
    run.stop()
    return resultOf(simulation, run.facts())
  },
}

class Training {
  isOver = false
  readonly #simulation: Simulation
  readonly #done = Promise.withResolvers<readonly RoundResult[]>()
  readonly #stop = new AbortController()
  /** Rounds that were announced, in order: the world knows them. */
  readonly #announced: number[] = []
  #chief!: NodeAgent
  #crashes = 0
  #resumed = 0

  constructor(simulation: Simulation) {
    this.#simulation = simulation
  }

  get finished(): Promise<readonly RoundResult[]> {
    return this.#done.promise
  }

  async start(): Promise<void> {
    await this.#startChief()
    for (const name of workerNames) await this.#startWorker(name)
  }

  async injectFaults(): Promise<void> {
    const simulation = this.#simulation
    const random = simulation.random('faults')
    const pause = (ms: number) =>
      new Promise<void>((resolve) => void simulation.schedule(ms, resolve))
    for (let faults = random.between(0, 5); faults > 0 && !this.isOver; faults -= 1) {
      await pause(random.between(5, 3_000))
      if (this.isOver) return
      const kind = random.pick(['chief', 'chief', 'worker', 'break', 'partition'])
      if (kind === 'chief') {
        this.#crashes += 1
        simulation.host('chief').crash()
        await pause(random.between(10, 5_000))
        await this.#startChief()
      } else if (kind === 'worker') {
        const name = random.pick(workerNames)
        this.#crashes += 1
        simulation.host(name).crash()
        await pause(random.between(10, 5_000))
        await this.#startWorker(name)
      } else if (kind === 'break') simulation.network.breakOne()
      else {
        simulation.network.partition('chief', random.pick(workerNames))
        await pause(random.pick([200, 3_000, 20_000]))
        simulation.network.healAll()
      }
    }
  }

  check(rounds: readonly RoundResult[]): void {
    const simulation = this.#simulation
    must(rounds.length === plan.rounds, `${rounds.length} rounds of ${plan.rounds}`, simulation)
    must(
      rounds.every(({ round }, i) => round === i + 1),
      'the rounds are not in order',
      simulation,
    )
    must(
      rounds.every(({ accuracy }) => accuracy >= 0 && accuracy <= 1),
      'an accuracy is none',
      simulation,
    )
    // A round that was announced is durable: it is never trained, and announced, again.
    must(
      new Set(this.#announced).size === this.#announced.length,
      `rounds were announced twice: ${this.#announced}`,
      simulation,
    )
  }

  stop(): void {
    this.#stop.abort()
  }

  facts(): Record<string, number> {
    return { rounds: this.#announced.length, crashes: this.#crashes, resumed: this.#resumed }
  }

  async #startChief(): Promise<void> {
    const simulation = this.#simulation
    const host = simulation.host('chief')
    const { clock, random, store, transports } = host.ports
    const session = { heartbeatIntervalMs: 2_000 }
    const chief = await createAgent({
      name: 'chief',
      listen: ['/memory/chief.1'],
      session,
      clock,
      random,
      store,
      transports,
    })
    this.#chief = chief
    const training = runSwarmCoordinator({
      agent: chief,
      clock,
      logger: silentLogger,
      store,
      plan,
      test,
      signal: this.#stop.signal,
      gatherMs: 5_000,
      onEvent: (event) => {
        simulation.trace.add(simulation.nowMs, 'chief', event.kind)
        if (event.kind === 'round-finished') this.#announced.push(event.round)
        if (event.kind === 'resumed') this.#resumed += 1
      },
    })
    training.then(
      (outcome) => host.isUp && this.#done.resolve(outcome.rounds),
      (error) => host.isUp && this.#done.reject(error),
    )
  }

  async #startWorker(name: string): Promise<void> {
    const simulation = this.#simulation
    const { clock, random, store, transports } = simulation.host(name).ports
    const session = { heartbeatIntervalMs: 2_000 }
    const worker = await createAgent({ name, session, clock, random, store, transports })
    const known = worker.trust.list().find((entry) => entry.source === 'token')
    if (known === undefined) await this.#join(worker)
    else worker.learn({ agent: known.agent, addresses: ['/memory/chief.1'] })
    const coordinator = this.#chief.id
    const options = {
      agent: worker,
      coordinator,
      clock,
      random,
      logger: silentLogger,
      signal: this.#stop.signal,
    }
    void runSwarmWorker({ ...options, backoff: { firstMs: 50, maxMs: 2_000 } })
  }

  async #join(worker: NodeAgent): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await worker.join(await this.#chief.issueJoinToken({ roles: ['worker'] }), {
          roles: ['coordinator'],
        })
        return
      } catch (error) {
        must(attempt < 20, `a worker cannot join: ${error}`, this.#simulation)
        const { clock } = this.#simulation.host('chief')
        await new Promise<void>((resolve) => void clock.setTimer(500, resolve))
      }
    }
  }
}
