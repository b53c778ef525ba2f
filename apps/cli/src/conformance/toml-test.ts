// toml-test for TOML 1.0.0: every file below `valid/` must parse to the tagged values of the .json beside it,
// every file below `invalid/` must be refused.

import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseToml } from '@myelin/node'
import type { CaseOutcome, Suite } from './suite.ts'

export const tomlTest: Suite = {
  name: 'toml-test',
  describes: 'the TOML 1.0.0 reader of the configuration',
  *run(directory) {
    for (const file of filesBelow(directory, 'valid')) yield checkValid(directory, file)
    for (const file of filesBelow(directory, 'invalid')) yield checkInvalid(directory, file)
  },
}

function filesBelow(directory: string, folder: string): string[] {
  return globSync(`${folder}/**/*.toml`, { cwd: directory })
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
}

function checkValid(directory: string, file: string): CaseOutcome {
  const name = 'valid'
  const expectedPath = join(directory, file.replace(/\.toml$/, '.json'))
  if (!existsSync(expectedPath)) {
    return {
      file,
      name,
      outcome: 'skipped',
      reason: 'the .json with the expected values is missing',
    }
  }
  const parsed = parseToml(readFileSync(join(directory, file)), { integersAsBigInt: true })
  if (!parsed.ok) return { file, name, outcome: 'failed', reason: `refused: ${parsed.detail}` }
  const expected: unknown = JSON.parse(readFileSync(expectedPath, 'utf8'))
  const reason = difference(parsed.value, expected, '')
  return reason === undefined
    ? { file, name, outcome: 'passed' }
    : { file, name, outcome: 'failed', reason }
}

function checkInvalid(directory: string, file: string): CaseOutcome {
  const parsed = parseToml(readFileSync(join(directory, file)))
  return parsed.ok
    ? { file, name: 'invalid', outcome: 'failed', reason: 'accepted, must be refused' }
    : { file, name: 'invalid', outcome: 'passed' }
}

/** Where two trees differ first, or undefined where they are the same. */
function difference(actual: unknown, expected: unknown, path: string): string | undefined {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return `${path} is no array`
    if (actual.length !== expected.length) {
      return `${path} has ${actual.length} items, must have ${expected.length}`
    }
    return firstOf(expected.keys(), (i) => difference(actual[i], expected[i], `${path}[${i}]`))
  }
  const wanted = expected as Readonly<Record<string, unknown>>
  if (isTagged(wanted)) return differenceOfScalar(actual, wanted, path)
  if (typeof actual !== 'object' || actual === null) return `${path} is no table`
  const table = actual as Readonly<Record<string, unknown>>
  const names = new Set([...Object.keys(table), ...Object.keys(wanted)])
  return firstOf(names, (name) => {
    const inner = `${path}.${name}`
    if (!Object.hasOwn(table, name)) return `${inner} is missing`
    if (!Object.hasOwn(wanted, name)) return `${inner} is there and must not be`
    return difference(table[name], wanted[name], inner)
  })
}

function firstOf<Item>(
  items: Iterable<Item>,
  find: (item: Item) => string | undefined,
): string | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}

interface Tagged {
  readonly type: string
  readonly value: string
}

/** A table may have keys `type` and `value` too; its values are then tagged and no strings. */
function isTagged(
  node: Readonly<Record<string, unknown>>,
): node is Readonly<Record<string, unknown>> & Tagged {
  const isPair = Object.keys(node).length === 2
  return isPair && typeof node.type === 'string' && typeof node.value === 'string'
}

function differenceOfScalar(actual: unknown, expected: Tagged, path: string): string | undefined {
  const type = typeOf(actual)
  if (type !== expected.type) return `${path} is ${type}, must be ${expected.type}`
  const isSame = isSameScalar[expected.type]?.(actual, expected.value) ?? false
  return isSame ? undefined : `${path} is ${String(actual)}, must be ${expected.value}`
}

/** The types of toml-test by what the reader returns; `[object …]` names stand for Temporal's classes. */
const typeOfClass: Readonly<Record<string, string>> = {
  '[object Temporal.ZonedDateTime]': 'datetime',
  '[object Temporal.PlainDateTime]': 'datetime-local',
  '[object Temporal.PlainDate]': 'date-local',
  '[object Temporal.PlainTime]': 'time-local',
}

function typeOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'bigint':
      return 'integer'
    case 'number':
      return 'float'
    case 'boolean':
      return 'bool'
    default:
      return typeOfClass[Object.prototype.toString.call(value)] ?? 'something else'
  }
}

type SameScalar = (actual: unknown, expected: string) => boolean

const isSameScalar: Readonly<Record<string, SameScalar>> = {
  string: (actual, expected) => actual === expected,
  integer: (actual, expected) => actual === BigInt(expected),
  bool: (actual, expected) => String(actual) === expected,
  float: (actual, expected) => Object.is(withoutSign(actual), withoutSign(readFloat(expected))),
  datetime: (actual, expected) => canonicalTime(actual) === canonicalTime(expected),
  'datetime-local': (actual, expected) => canonicalTime(actual) === canonicalTime(expected),
  'date-local': (actual, expected) => String(actual) === expected,
  'time-local': (actual, expected) => canonicalTime(actual) === canonicalTime(expected),
}

function readFloat(written: string): number {
  if (/^[+-]?inf$/.test(written)) return written.startsWith('-') ? -Infinity : Infinity
  return written === 'nan' ? Number.NaN : Number(written)
}

/** -0 and 0 are one value to toml-test, and so are all NaN. */
function withoutSign(value: unknown): unknown {
  return value === 0 ? 0 : value
}

/**
 * One spelling for one time: no zone name, `Z` for a zero offset, seconds always, no zeros at the end of a
 * fraction. The offset stays: toml-test compares it.
 */
function canonicalTime(value: unknown): string {
  return String(value)
    .replace(/\[.*\]$/, '')
    .replace(/[+-]00:00$/, 'Z')
    .replace(/(\.\d*?)0+(?=$|[Z+-])/, '$1')
    .replace(/\.(?=$|[Z+-])/, '')
}
