// The attacker's process: one attack after another, as it is told.

import { type AttackOutcome, noOutcome } from './attack.ts'
import { attackOf } from './attacks.ts'
import { serve } from './child.ts'
import { rogue, type Target } from './rogue.ts'

export interface AttackOrder {
  readonly name: string
  readonly target: Target
  readonly connections: number
  readonly perSecond: number
}

const self = rogue()
let stop = new AbortController()
let running: Promise<void> = Promise.resolve()
let outcome: AttackOutcome = noOutcome()

serve({
  who: () => ({ id: self.keys.agent }),
  begin: ({ name, ...order }: AttackOrder) => {
    stop = new AbortController()
    outcome = noOutcome()
    running = attackOf(name).run({ ...order, rogue: self, signal: stop.signal }, outcome)
  },
  outcome: () => outcome,
  end: async () => {
    stop.abort()
    await running
    return outcome
  },
})
