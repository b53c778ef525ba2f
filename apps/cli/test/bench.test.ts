import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { verifies } from '@myelin/testkit'
import {
  type Contender,
  type Contest,
  defineBench,
  measure,
  median,
  percentile,
  rowsOf,
} from '../../../bench/harness.ts'
import { bench as micro } from '../../../bench/micro.bench.ts'
import { benchNames, linesOf, type RunnableBench } from '../src/commands/bench.ts'

/** A contender that gives these numbers, one a turn, and writes its name down each time. */
function scripted(name: string, turns: readonly number[], log: string[] = []): Contender {
  const rest = [...turns]
  const sample = async () => {
    log.push(name)
    return [rest.shift() ?? Number.NaN]
  }
  return { name, sample }
}

function contestOf(...contenders: readonly Contender[]): Contest {
  return { title: 'speed', metrics: [{ metric: 'speed', unit: 'm/s' }], contenders }
}

test('the median is the middle value, or the mean of the two middle ones', () => {
  assert.equal(median([9, 1, 5]), 5)
  assert.equal(median([4, 1, 3, 100]), 3.5)
  assert.ok(Number.isNaN(median([])))
})

test('a percentile lies between the values around it', () => {
  const values = Array.from({ length: 101 }, (_, i) => 100 - i)
  assert.equal(percentile(values, 0.99), 99)
  assert.equal(percentile([0, 10], 0.25), 2.5)
})

test('contenders take turns, each begins in its round, and the warm-up does not count', async () => {
  const log: string[] = []
  const us = scripted('us', [1000, 2, 4, 6], log)
  const peer = scripted('peer', [2000, 1, 1, 1], log)
  const samples = await measure(contestOf(us, peer), { rounds: 3 })
  assert.deepEqual(log, ['us', 'peer', 'peer', 'us', 'us', 'peer', 'peer', 'us'])
  assert.deepEqual(samples.get('us'), [[2, 4, 6]])
  assert.deepEqual(samples.get('peer'), [[1, 1, 1]])
})

test('a contest with long turns has fewer rounds', async () => {
  const log: string[] = []
  await measure({ ...contestOf(scripted('us', [], log)), roundsMax: 2 }, { rounds: 9 })
  assert.equal(log.length, 3)
})

test('a run that is aborted stops before the next turn', async () => {
  const controller = new AbortController()
  const log: string[] = []
  const us: Contender = {
    name: 'us',
    sample: async () => {
      log.push('us')
      controller.abort(new Error('enough'))
      return [1]
    },
  }
  const running = measure(contestOf(us), { rounds: 5, signal: controller.signal })
  await assert.rejects(running, /enough/)
  assert.equal(log.length, 1)
})

test('a row without a peer carries the goal on the value, a row with one the goal on the ratio', () => {
  const goals = [
    { atLeast: 1_000_000 },
    { peer: 'slow', atLeast: 2 },
    { peer: 'fast', atMost: 0.5 },
  ]
  const contest = {
    ...contestOf(scripted('us', []), scripted('slow', []), scripted('fast', [])),
    metrics: [{ metric: 'speed', unit: 'm/s', goals }],
  }
  const samples = new Map([
    ['us', [[600_000, 900_000, 700_000]]],
    ['slow', [[350_000, 350_000, 350_000]]],
    ['fast', [[1_000_000, 900_000, 2_000_000]]],
  ])
  const us = { metric: 'speed', value: 700_000, unit: 'm/s' }
  assert.deepEqual(rowsOf(contest, samples), [
    { ...us, goal: '≥ 1,000,000 m/s', met: false },
    { ...us, peer: 'slow', peerValue: 350_000, ratio: 2, goal: '≥ 2 × slow', met: true },
    { ...us, peer: 'fast', peerValue: 1_000_000, ratio: 0.7, goal: '≤ 0.5 × fast', met: false },
  ])
})

test('a bench gives one document of medians, and closes its arena', async () => {
  verifies('R103')
  let isClosed = false
  const bench = defineBench({
    name: 'trial',
    summary: 'Two contests.',
    open: async () => ({
      contests: [
        contestOf(scripted('us', [9, 3, 1, 2])),
        { ...contestOf(scripted('us', [])), title: 'not asked for' },
      ],
      [Symbol.asyncDispose]: async () => {
        isClosed = true
      },
    }),
  })
  // The command knows a bench by its own declaration of it: that this compiles proves that they agree.
  const runnable: RunnableBench = bench
  const result = await runnable.run({ rounds: 3, only: 'speed' })
  const { machine, date, commit, ...rest } = result as typeof result & { readonly date: string }
  assert.deepEqual(rest, {
    name: 'trial',
    rounds: 3,
    rows: [{ metric: 'speed', value: 2, unit: 'm/s' }],
  })
  assert.match(machine, /^\d+ cores, .+, Node \d+\./)
  assert.equal(new Date(date).toISOString(), date)
  assert.ok(commit === undefined || /^[0-9a-f]{40}(-dirty)?$/.test(commit))
  assert.ok(isClosed)
})

test('the table names what was missed', () => {
  const row = {
    metric: 'speed',
    value: 1234.5,
    unit: 'm/s',
    peer: 'net',
    peerValue: 4938,
    ratio: 0.25,
  }
  const rows = [{ ...row, goal: '≥ 0.5 × net', met: false }]
  const lines = linesOf({ name: 'trial', machine: 'a machine', rounds: 3, rows })
  assert.equal(lines[0], 'trial: median of 3 rounds; a machine')
  assert.match(lines.at(-1) ?? '', /^speed +1,235 +m\/s +net +4,938 +0\.25 +MISSED: ≥ 0\.5 × net$/)
})

test('a folder without the harness is an installed package, and that is said', () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-bench-'))
  try {
    assert.throws(() => benchNames(folder), { code: 'CLI_INPUT', message: /clone the repository/ })
    for (const name of ['harness.ts', 'b.bench.ts', 'a.bench.ts', 'notes.md'])
      writeFileSync(join(folder, name), '')
    assert.deepEqual(benchNames(folder), ['a', 'b'])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the repository has its benches, and a part of micro runs', async () => {
  verifies('R155')
  const folder = join(import.meta.dirname, '../../../bench')
  assert.deepEqual(benchNames(folder), ['micro', 'scaling', 'session', 'speed'])
  const { rows } = await micro.run({ isQuick: true, only: 'sequence check' })
  assert.equal(rows.length, 3)
  for (const { metric, value, unit } of rows) {
    assert.match(metric, /^sequence check/)
    assert.equal(unit, 'µs')
    assert.ok(value > 0)
  }
})
