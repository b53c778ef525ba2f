import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifies } from '@myelin/testkit'
import { scenarios } from '../../../sim/scenarios.ts'

verifies('R090', 'R091', 'R092', 'R101', 'R102')

/** In the test suite; `npm run sim -- --seeds 1000` runs more. */
const seeds = 200
/** Seeds that run twice, to see that they leave the same trace. */
const repeated = 10

for (const scenario of scenarios) {
  test(`${seeds} seeds: ${scenario.describes}`, async () => {
    const facts = new Map<string, number>()
    for (let seed = 0; seed < seeds; seed += 1) {
      const result = await scenario.run(seed)
      for (const [fact, value] of Object.entries(result.facts))
        facts.set(fact, (facts.get(fact) ?? 0) + value)
      if (seed < repeated) {
        const again = await scenario.run(seed)
        assert.equal(again.traceHash, result.traceHash, `seed ${seed} left two different traces`)
      }
    }
    // A scenario in which nothing happens proves nothing.
    for (const [fact, value] of facts)
      if (fact !== 'failed') assert.ok(value > 0, `no ${fact} in ${seeds} seeds`)
  })
}
