import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Random } from '@myelin/base'
import { backoffMs } from '@myelin/fabric'
import { verifies } from '@myelin/testkit'

const always = (byte: number): Random => ({ fill: (target) => target.fill(byte) as typeof target })

test('the bound doubles with each attempt up to its maximum, and the wait is spread below it', () => {
  verifies('R087')
  const bounds = [1, 2, 3, 4, 10, 40].map((attempt) =>
    Math.round(backoffMs(attempt, always(255), { firstMs: 100, maxMs: 1000 })),
  )
  assert.deepEqual(bounds, [100, 200, 400, 800, 1000, 1000])
  assert.equal(backoffMs(5, always(0)), 0)
  assert.equal(backoffMs(3, always(128), { firstMs: 100, maxMs: 1000 }) > 200, true)
})
