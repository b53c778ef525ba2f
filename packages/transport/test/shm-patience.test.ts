import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Patience } from '../src/shm-patience.ts'

/** Idle from `fromMs` on; how many microseconds it waits. */
function windowUs(patience: Patience, fromMs: number): number {
  if (patience.isOver(fromMs)) return 0
  // Between whole microseconds, where no rounding matters.
  for (let us = 0; us <= 1_000; us += 1) if (patience.isOver(fromMs + (us + 0.5) / 1_000)) return us
  return Number.POSITIVE_INFINITY
}

test('the wait shrinks to nothing while sleeps are long, and grows back when one is cut short', () => {
  const patience = new Patience(160)
  const windows: number[] = []
  for (let second = 0; second < 6; second += 1) {
    patience.restart()
    windows.push(windowUs(patience, second * 1_000))
    patience.woken(second * 1_000 + 999)
  }
  assert.deepEqual(windows, [160, 80, 40, 20, 0, 0])
  assert.equal(patience.isNone, true)
  for (const expected of [20, 80, 160, 160]) {
    patience.restart()
    windowUs(patience, 0)
    patience.woken(0.1)
    patience.restart()
    assert.equal(windowUs(patience, 0), expected)
  }
})

test('who speaks waits for an answer, unless the last one never came', () => {
  const patience = new Patience(100)
  assert.equal(patience.spoke(false), true)
  assert.equal(patience.spoke(false), false)
  patience.heard()
  assert.equal(patience.spoke(true), true)
  assert.equal(windowUs(patience, 0), 50, 'we slept until we spoke: half the patience')
})

test('a stream told never to wait never does', () => {
  const patience = new Patience(0)
  assert.equal(patience.isOver(0), true)
  patience.woken(0)
  assert.equal(patience.isNone, true)
})
