// Runs the scenarios under many seeds: `npm run sim -- --seeds 1000 [--from SEED] [--scenario NAME]`. Stops at
// the first violation of a scenario and prints its seed. With --twice each seed runs twice and must leave the
// same trace.

import { parseArgs } from 'node:util'
import { scenarios } from '../sim/scenarios.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '0' },
    scenario: { type: 'string', multiple: true },
    twice: { type: 'boolean', default: false },
  },
})
const first = Number(values.from)
const count = Number(values.seeds)
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || count < 1) {
  console.error('sim: --seeds and --from take whole numbers')
  process.exit(2)
}
const chosen = scenarios.filter(({ name }) => values.scenario?.includes(name) ?? true)
let [passed, failed] = [0, 0]
for (const scenario of chosen) {
  const startedMs = performance.now()
  const totals = new Map<string, number>()
  let ran = 0
  for (let seed = first; seed < first + count; seed += 1) {
    try {
      const result = await scenario.run(seed)
      if (values.twice) {
        const again = await scenario.run(seed)
        if (again.traceHash !== result.traceHash)
          throw new Error(`seed ${seed} left two different traces`)
      }
      for (const [fact, value] of Object.entries(result.facts))
        totals.set(fact, (totals.get(fact) ?? 0) + value)
      ran += 1
      passed += 1
    } catch (error) {
      failed += 1
      console.error(
        `\n${scenario.name}, seed ${seed}: ${error instanceof Error ? error.message : error}`,
      )
      console.error(`again: npm run sim -- --scenario ${scenario.name} --from ${seed} --seeds 1`)
      break
    }
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  const facts = [...totals].map(([fact, value]) => `${fact} ${value}`).join(', ')
  console.log(`${scenario.name}: ${ran} seeds in ${seconds} s: ${facts}`)
}
console.log(`${passed} passed, ${failed} failed, 0 skipped`)
process.exit(failed > 0 ? 1 : 0)
