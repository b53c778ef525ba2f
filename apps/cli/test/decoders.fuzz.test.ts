// Every decoder of fuzz/targets: what was found once, and some thousands of new inputs. The seed is fixed, so that
// a failure here is one of this change; `npm run fuzz` looks further with a seed of its own.

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { suite, test } from 'node:test'
import { describeFailure, fuzzTarget, judge, parseRegression, verifies } from '@myelin/testkit'
import { fuzzTargets } from '../../../fuzz/targets/index.ts'

verifies('R010', 'R104')

const seed = 20_260_101
/** Of a cheap target; dearer ones say how many times dearer they are. */
const runs = 20_000
const regressions = resolve(import.meta.dirname, '../../../fuzz/regressions')

function regressionsOf(name: string): string[] {
  const folder = join(regressions, name)
  return existsSync(folder) ? readdirSync(folder).map((file) => join(folder, file)) : []
}

suite('no input makes a decoder throw, stall, take too much or read one thing as two', () => {
  for (const target of fuzzTargets) {
    test(target.name, async () => {
      const report = await fuzzTarget(target, { runs: Math.ceil(runs / (target.cost ?? 1)), seed })
      const found = report.failures.map((failure) => describeFailure(target.name, failure))
      assert.equal(found.join('\n\n'), '', `seed ${seed}`)
      assert.ok(report.samplesAccepted > 0, 'no sample is valid')
    })
  }
})

suite('what was found once is not found again', () => {
  for (const target of fuzzTargets) {
    for (const path of regressionsOf(target.name)) {
      test(`${target.name}: ${path.slice(path.lastIndexOf('/') + 1)}`, async () => {
        const input = parseRegression(readFileSync(path, 'utf8'))
        assert.ok(input !== undefined, 'a regression is hex')
        const { failure } = await judge(target, input)
        assert.equal(failure === undefined ? '' : describeFailure(target.name, failure), '')
      })
    }
  }
})

test('every folder of regressions belongs to a target', () => {
  const names = new Set(fuzzTargets.map(({ name }) => name))
  for (const folder of readdirSync(regressions)) assert.ok(names.has(folder), folder)
})
