import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sharedPath, skipWithout } from '@myelin/testkit'
import { tally } from '../src/conformance/report.ts'
import { suites } from '../src/conformance/suites.ts'

const path = 'vectors/toml-test'

test('the TOML reader takes all 140 valid files and refuses all 333 invalid ones of TOML 1.0.0', {
  skip: skipWithout(path),
}, async () => {
  const suite = await suites.get('toml-test')?.()
  const outcomes = [...(suite?.run(sharedPath(path) ?? '') ?? [])]
  assert.deepEqual(tally(outcomes).failures, [])
  const passed = outcomes.filter(({ outcome }) => outcome === 'passed')
  assert.equal(passed.filter(({ name }) => name === 'valid').length, 140)
  assert.equal(passed.filter(({ name }) => name === 'invalid').length, 333)
  assert.equal(outcomes.length, 473)
})
