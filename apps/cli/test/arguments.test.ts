import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationOption, numberOption } from '../src/arguments.ts'

test('a number within its bounds is taken, anything else is named with what would be right', () => {
  const bounds = { min: 1, max: 100 }
  assert.equal(numberOption('count', '100', bounds), 100)
  assert.equal(numberOption('count', undefined, bounds), undefined)
  for (const text of ['0', '101', '1.5', '-1', '0x10', '1e1', '', ' 1', '1'.repeat(50)]) {
    assert.throws(() => numberOption('count', text, bounds), {
      code: 'CLI_USAGE',
      message: /^--count ".*" is no whole number from 1 to 100$/,
    })
  }
})

test('a time is a number and a unit', () => {
  const week = 7 * 86_400_000
  const times = { '90s': 90_000, '30m': 1_800_000, '12h': 43_200_000, '7d': week }
  for (const [text, ms] of Object.entries(times)) assert.equal(durationOption('t', text, week), ms)
  for (const text of ['8d', '0m', '1w', '5', '1.5h', 'm', '-1h', '9999999d']) {
    assert.throws(() => durationOption('t', text, week), {
      code: 'CLI_USAGE',
      message: /^--t ".*" is no time such as 30m, 12h or 7d, at most 7d$/,
    })
  }
})
