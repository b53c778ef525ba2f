// The attacker's process: runs one attack after another as it is told.

import type { AgentId } from '@myelin/identity'
import { type AttackOutcome, attacks } from './attacks.ts'
import { serve } from './child.ts'
import { rogue } from './rogue.ts'

export interface AttackOrder {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly agent: string
  readonly connections: number
  readonly perSecond: number
  readonly from?: string
}

const self = rogue()
let stop = new AbortController()
let running: Promise<void> = Promise.resolve()
let outcome: AttackOutcome = { opened: 0, closed: 0, sent: 0, codes: {} }

serve({
  who: () => ({ id: self.keys.agent }),
  begin: ({ name, host, port, agent, connections, perSecond, from }: AttackOrder) => {
    const attack = attacks.find((one) => one.name === name)
    if (attack === undefined) throw new Error(`no attack ${name}`)
    stop = new AbortController()
    outcome = { opened: 0, closed: 0, sent: 0, codes: {} }
    const target = { host, port, agent: agent as AgentId, from }
    const { signal } = stop
    running = attack.run({ target, rogue: self, connections, perSecond, signal }, outcome)
    return {}
  },
  outcome: () => outcome,
  end: async () => {
    stop.abort()
    await running
    return outcome
  },
})
