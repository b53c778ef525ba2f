import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sharedPath, skipWithout } from '@myelin/testkit'
import { msgpackSuite } from '../src/conformance/msgpack.ts'

const folder = 'vectors/msgpack'

test('all 57 cases of msgpack-test-suite pass', { skip: skipWithout(folder) }, () => {
  const directory = sharedPath(folder)
  assert.ok(directory)
  const outcomes = [...msgpackSuite.run(directory)]
  assert.deepEqual(
    outcomes.filter(({ outcome }) => outcome !== 'passed'),
    [],
  )
  assert.equal(outcomes.length, 57)
})

test('a case that does not hold fails, one of an unknown type is skipped, no file is no case', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'myelin-msgpack-'))
  t.after(() => rmSync(directory, { recursive: true }))
  assert.deepEqual([...msgpackSuite.run(directory)], [])
  const cases = [
    { number: 1, msgpack: ['02'] },
    { number: 1, msgpack: ['cc-01'] },
    { nil: null, msgpack: ['c1'] },
    { colour: 'red', msgpack: ['c0'] },
    { nil: null, msgpack: ['c0'] },
  ]
  writeFileSync(join(directory, 'msgpack-test-suite.json'), JSON.stringify({ sample: cases }))
  assert.deepEqual(
    [...msgpackSuite.run(directory)].map(({ name, outcome }) => `${name} ${outcome}`),
    [
      'sample#0 failed',
      'sample#1 failed',
      'sample#2 failed',
      'sample#3 skipped',
      'sample#4 passed',
    ],
  )
})
