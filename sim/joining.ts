// Join tokens and power cuts: a token lets one agent in, whatever crashes when.

import { createAgent, type NodeAgent } from '@myelin/node'
import { Simulation } from '@myelin/testkit'
import { must, resultOf, type Scenario } from './scenario.ts'

const patienceMs = 120_000

export const joiningScenario: Scenario = {
  name: 'joining',
  describes: 'a join token lets one agent in although its issuer crashes',
  run: async (seed) => {
    const simulation = new Simulation({ seed, link: { delayMs: 2, jitterMs: 2 } })
    const random = simulation.random('faults')
    let door = await simulation.complete(boot(simulation, 'door'), patienceMs, 'the boot')
    const token = await simulation.complete(door.issueJoinToken(), patienceMs, 'the token')
    const entered: string[] = []
    let crashes = 0
    for (const name of ['first', 'second', 'third']) {
      const guest = await simulation.complete(boot(simulation, name), patienceMs, 'the boot')
      const attempt = guest.join(token).then(
        () => entered.push(name),
        (error: { code?: string }) =>
          simulation.trace.add(simulation.nowMs, name, 'refused', error.code ?? '?'),
      )
      if (random.chance(0.7)) {
        await simulation.advance(random.fraction() * 40)
        simulation.host('door').crash()
        crashes += 1
        door = await simulation.complete(boot(simulation, 'door'), patienceMs, 'the boot')
      }
      await simulation.complete(attempt, patienceMs, 'the join')
    }
    must(entered.length <= 1, `the token let in ${entered.join(' and ')}`, simulation)
    const trusted = door.trust.list().length
    must(trusted <= 1, `${trusted} agents are trusted by one token`, simulation)
    must(crashes > 0 || entered.length === 1, 'nobody came in although nothing failed', simulation)
    return resultOf(simulation, { entered: entered.length, trusted, crashes })
  },
}

function boot(simulation: Simulation, name: string): Promise<NodeAgent> {
  const { clock, random, store, transports } = simulation.host(name).ports
  return createAgent({
    name,
    listen: [`/memory/${name}.1`],
    session: { handshakeTimeoutMs: 2_000 },
    clock,
    random,
    store,
    transports,
  })
}
