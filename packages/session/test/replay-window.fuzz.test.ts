// The replay window against a model that forgets nothing: the set of all counters that were marked.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifies } from '@myelin/testkit'
import fc from 'fast-check'
import { ReplayWindow } from '../src/replay-window.ts'

verifies('R016')

const width = 1_024

class Model {
  readonly seen = new Set<number>()
  highest = -1

  check(counter: number): 'fresh' | 'seen' | 'late' {
    if (counter <= this.highest - width) return 'late'
    return this.seen.has(counter) ? 'seen' : 'fresh'
  }

  mark(counter: number): void {
    this.seen.add(counter)
    this.highest = Math.max(this.highest, counter)
  }
}

/** How far the next counter lies from the highest one: mostly near, at the edges, and far away. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -6, max: 6 }) },
  { weight: 3, arbitrary: fc.integer({ min: -1_100, max: 1_100 }) },
  { weight: 2, arbitrary: fc.constantFrom(-1_024, -1_023, -1_022, 1_023, 1_024, 1_025, 2_048) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 ** 40 }) },
)

test('every counter passes once within the window, in any order, and never below it', () => {
  const judged = { fresh: 0, seen: 0, late: 0 }
  fc.assert(
    fc.property(
      fc.constantFrom(0, 31, 1_023, 2 ** 32 - 5, 2 ** 53 - 2 ** 50),
      fc.array(fc.tuple(step, fc.boolean()), { maxLength: 300, size: 'max' }),
      (first, steps) => {
        const [window, model] = [new ReplayWindow(), new Model()]
        let around = first
        for (const [distance, isAuthentic] of steps) {
          const counter = Math.min(Math.max(0, around + distance), Number.MAX_SAFE_INTEGER)
          const expected = model.check(counter)
          assert.equal(window.check(counter), expected, `${counter}`)
          judged[expected] += 1
          if (expected !== 'fresh' || !isAuthentic) continue
          window.mark(counter)
          model.mark(counter)
          around = model.highest
        }
      },
    ),
    { numRuns: 300 },
  )
  for (const [name, count] of Object.entries(judged)) assert.ok(count > 500, `${name} ${count}`)
})

test('the edges: 1,023 below the highest passes, 1,024 below does not', () => {
  const window = new ReplayWindow()
  window.mark(5_000)
  assert.equal(window.check(3_977), 'fresh')
  assert.equal(window.check(3_976), 'late')
  window.mark(3_977)
  assert.equal(window.check(3_977), 'seen')
  // One further up: the same bit now stands for the counter that came in.
  assert.equal(window.check(5_001), 'fresh')
  window.mark(5_001)
  assert.equal(window.check(3_977), 'late')
  assert.equal(window.check(5_001), 'seen')
})
