// What a scenario is: a workload on simulated hosts, faults, and what must hold whatever the seed. A violation
// throws; its message names the seed, and the same seed fails again in the same way.

import type { SeededRandom, Simulation } from '@myelin/testkit'

export interface ScenarioResult {
  /** Identity of the run. */
  readonly traceHash: string
  readonly events: number
  readonly simulatedMs: number
  /** What happened, in numbers: that faults really struck shows here. */
  readonly facts: Readonly<Record<string, number>>
}

export interface Scenario {
  readonly name: string
  readonly describes: string
  run(seed: number): Promise<ScenarioResult>
}

export class Violation extends Error {}

/** Throws a violation with the seed and the latest events. */
export function must(condition: boolean, what: string, simulation: Simulation): asserts condition {
  if (!condition) throw violation(what, simulation)
}

function violation(what: string, simulation: Simulation): Violation {
  const when = `seed ${simulation.seed}, ${Math.round(simulation.nowMs)} ms`
  return new Violation(`${what} (${when})\n${simulation.trace.tail(30).join('\n')}`)
}

/**
 * What must hold where a throw would not end the run: in a handler, whose error stays with its message, or in a
 * watcher. The first violation is kept until `check`.
 */
export class Watch {
  readonly #simulation: Simulation
  #first: Violation | undefined

  constructor(simulation: Simulation) {
    this.#simulation = simulation
  }

  must(condition: boolean, what: string): void {
    if (!condition) this.#first ??= violation(what, this.#simulation)
  }

  /** Sessions end for reasons that faults of the network explain; nobody here breaks the protocol. */
  sessionEnded(name: string, code: string): void {
    this.must(naturalEnds.has(code), `a session of ${name} ended with ${code}`)
  }

  check(): void {
    if (this.#first !== undefined) throw this.#first
  }
}

const naturalEnds: ReadonlySet<string> = new Set([
  'SESSION_LOST',
  'SESSION_CLOSED',
  'SESSION_GOING_AWAY',
  'SESSION_PEER_DEAD',
  // The last word of our handshake did not arrive in time.
  'SESSION_HANDSHAKE_TIMEOUT',
])

export function resultOf(
  simulation: Simulation,
  facts: Readonly<Record<string, number>>,
): ScenarioResult {
  for (const [name, value] of Object.entries(facts))
    simulation.trace.add(simulation.nowMs, 'fact', name, value)
  return {
    traceHash: simulation.trace.digest(),
    events: simulation.eventCount,
    simulatedMs: Math.round(simulation.nowMs),
    facts,
  }
}

/** A link that is anything from a cable to a bad radio. */
export function roughLink(simulation: Simulation) {
  const random = simulation.random('link quality')
  return {
    delayMs: random.pick([0.1, 1, 5, 20, 80]),
    jitterMs: random.pick([0, 1, 10, 50]),
    loss: random.pick([0, 0, 0.01, 0.05, 0.1]),
    duplication: 0.02,
    reordering: 0.05,
    bandwidth: random.pick([50, 500, 5_000, Number.POSITIVE_INFINITY]),
  }
}

/** Cuts one direction between two hosts: which, the seed decides. */
export function cutOneWay(
  simulation: Simulation,
  random: SeededRandom,
  a: string,
  b: string,
): void {
  if (random.chance(0.5)) simulation.network.cut(a, b)
  else simulation.network.cut(b, a)
}
