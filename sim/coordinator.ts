// A coordinator and its workers: tasks are handed out, workers crash, links fail, and every task is done once.

import { silentLogger } from '@myelin/base'
import { Coordinator, type CoordinatorEvent, workLoop } from '@myelin/fabric'
import type { AgentId } from '@myelin/identity'
import { createAgent, type NodeAgent } from '@myelin/node'
import { Simulation } from '@myelin/testkit'
import { cutOneWay, must, resultOf, roughLink, type Scenario, Watch } from './scenario.ts'

const workerNames = ['w1', 'w2', 'w3'] as const
const tasks = 12
const patienceMs = 600_000

export const coordinatorScenario: Scenario = {
  name: 'coordinator',
  describes: 'tasks are done once although workers crash and links fail',
  run: async (seed) => {
    const simulation = new Simulation({ seed })
    const link = roughLink(simulation)
    for (const name of workerNames) {
      simulation.network.setLink('chief', name, link)
      simulation.network.setLink(name, 'chief', link)
    }
    const run = new Run(simulation)
    await simulation.complete(run.start(), patienceMs, 'the start')
    const faults = run.injectFaults()
    await simulation.complete(run.settled(), patienceMs, 'the tasks')
    run.isOver = true
    await simulation.complete(faults, patienceMs, 'the faults')
    run.check()
    await simulation.complete(run.stop(), patienceMs, 'closing')
    return resultOf(simulation, run.facts())
  },
}

class Run {
  isOver = false
  readonly #simulation: Simulation
  readonly #stop = new AbortController()
  readonly #accepted: string[] = []
  readonly #acknowledged = new Map<string, number>()
  readonly #assigned = new Map<string, AgentId[]>()
  /** Who works on a task now, as the coordinator has told. */
  readonly #holders = new Map<string, AgentId>()
  readonly #watch: Watch
  #agent!: NodeAgent
  #coordinator!: Coordinator
  #crashes = 0
  #worked = 0

  constructor(simulation: Simulation) {
    this.#simulation = simulation
    this.#watch = new Watch(simulation)
  }

  async start(): Promise<void> {
    const simulation = this.#simulation
    const { clock, random, store, transports } = simulation.host('chief').ports
    const session = { heartbeatIntervalMs: 2_000 }
    this.#agent = await createAgent({
      name: 'chief',
      listen: ['/memory/chief.1'],
      session,
      clock,
      random,
      store,
      transports,
    })
    this.#coordinator = new Coordinator({
      agent: this.#agent,
      clock,
      logger: silentLogger,
      taskWaitMs: 5_000,
      onEvent: (event) => {
        simulation.trace.add(simulation.nowMs, 'chief', event.kind)
        this.#noteHolders(event)
      },
    })
    this.#agent.watchPeers((event) => {
      if (event.kind === 'disconnected') this.#watch.sessionEnded('chief', event.code)
    })
    this.#agent.handle('status-update', ({ payload, from }) => {
      const taskId = payload.taskId ?? ''
      const verdict = this.#coordinator.report(from, taskId)
      if (verdict === 'accepted') this.#accepted.push(taskId)
      this.#holders.delete(taskId)
      simulation.trace.add(simulation.nowMs, 'chief', 'report', taskId, verdict)
      return payload
    })
    this.#coordinator.submit(
      Array.from({ length: tasks }, (_, i) => ({
        taskId: `task-${i}`,
        kind: 'work',
        round: 0,
        deadlineMs: 60_000,
        parameters: {},
        body: new Uint8Array(1_000),
      })),
    )
    for (const name of workerNames) await this.#startWorker(name, true)
  }

  settled(): Promise<void> {
    return this.#coordinator.settled()
  }

  async injectFaults(): Promise<void> {
    const simulation = this.#simulation
    const random = simulation.random('faults')
    const { network } = simulation
    const pause = (ms: number) =>
      new Promise<void>((resolve) => void simulation.schedule(ms, resolve))
    for (let faults = random.between(0, 8); faults > 0 && !this.isOver; faults -= 1) {
      await pause(random.between(20, 4_000))
      const name = random.pick(workerNames)
      const kind = random.pick(['crash', 'crash', 'break', 'partition', 'one-way'])
      if (kind === 'crash') {
        this.#crashes += 1
        simulation.host(name).crash()
        await pause(random.between(10, 8_000))
        // Failing here would fail the run: the work loop of a booted worker starts by itself.
        void this.#startWorker(name, false)
      } else if (kind === 'break') network.breakOne()
      else {
        if (kind === 'partition') network.partition('chief', name)
        else cutOneWay(simulation, random, 'chief', name)
        await pause(random.pick([200, 3_000, 20_000]))
        network.healAll()
      }
    }
    network.healAll()
  }

  check(): void {
    const simulation = this.#simulation
    this.#watch.check()
    const { counts } = this.#coordinator
    must(counts.pending + counts.assigned === 0, 'tasks are left over', simulation)
    must(
      new Set(this.#accepted).size === this.#accepted.length,
      'a task was accepted twice',
      simulation,
    )
    must(counts.done === this.#accepted.length, 'done and accepted differ', simulation)
    must(counts.done + counts.failed === tasks, 'a task was lost', simulation)
    for (const [taskId, times] of this.#acknowledged) {
      must(
        times > 0 && this.#accepted.includes(taskId),
        `${taskId} was acknowledged and is not done`,
        simulation,
      )
    }
    for (const [taskId, workers] of this.#assigned)
      must(workers.length <= 6, `${taskId} was handed out ${workers.length} times`, simulation)
  }

  /** A task has one worker at a time, until it is taken from it. */
  #noteHolders(event: CoordinatorEvent): void {
    if (event.kind === 'task-assigned') {
      const { taskId, worker } = event
      const holder = this.#holders.get(taskId)
      this.#watch.must(holder === undefined || holder === worker, `${taskId} has two workers`)
      this.#holders.set(taskId, worker)
      this.#assigned.set(taskId, [...(this.#assigned.get(taskId) ?? []), worker])
    } else if (event.kind !== 'worker-registered') {
      if (event.kind === 'worker-lost') {
        for (const [taskId, worker] of this.#holders)
          this.#watch.must(
            worker !== event.worker || event.freed.includes(taskId),
            `${taskId} stays with a worker that is lost`,
          )
      }
      for (const taskId of event.freed) this.#holders.delete(taskId)
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#coordinator[Symbol.dispose]()
    await this.#agent.close()
  }

  facts(): Record<string, number> {
    const { done, failed } = this.#coordinator.counts
    return {
      done,
      failed,
      worked: this.#worked,
      crashes: this.#crashes,
      reassigned: this.#coordinator.reassigned,
    }
  }

  async #startWorker(name: string, isFirst: boolean): Promise<void> {
    const simulation = this.#simulation
    const host = simulation.host(name)
    const { clock, random, store, transports } = host.ports
    const session = { heartbeatIntervalMs: 2_000 }
    const worker = await createAgent({ name, session, clock, random, store, transports })
    if (isFirst) await this.#join(worker)
    else if (worker.trust.get(this.#agent.id) === undefined) return
    else worker.learn({ agent: this.#agent.id, addresses: ['/memory/chief.1'] })
    const pace = simulation.random(`pace/${name}/${host.incarnation}`)
    void workLoop({
      agent: worker,
      coordinator: this.#agent.id,
      clock,
      random,
      logger: silentLogger,
      signal: this.#stop.signal,
      backoff: { firstMs: 50, maxMs: 2_000 },
      work: async (task, client) => {
        await new Promise<void>((resolve) => void clock.setTimer(pace.between(10, 3_000), resolve))
        this.#worked += 1
        const answer = await worker.request(
          client.coordinator,
          'status-update',
          { state: 'done', taskId: task.taskId },
          { timeoutMs: 10_000 },
        )
        if (answer.type === 'status-update')
          this.#acknowledged.set(task.taskId, (this.#acknowledged.get(task.taskId) ?? 0) + 1)
      },
    })
  }

  async #join(worker: NodeAgent): Promise<void> {
    const token = await this.#agent.issueJoinToken({ roles: ['member'] })
    for (let attempt = 0; ; attempt += 1) {
      try {
        await worker.join(token)
        return
      } catch (error) {
        must(attempt < 20, `a worker cannot join: ${error}`, this.#simulation)
      }
    }
  }
}
