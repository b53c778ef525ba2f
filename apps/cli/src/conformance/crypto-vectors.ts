// What the suites of cryptographic vectors share: reading their JSON, hex, and one way to judge a
// case.

import { readFileSync } from 'node:fs'
import { describeError, equalBytes, hexDecode } from '@myelin/base'
import { CryptoError } from '@myelin/crypto'
import type { CaseOutcome } from './suite.ts'

/** What a check finds: true when the product does what the case asks, else why not. */
export type Verdict = true | { readonly failed: string } | { readonly skipped: string }

export function failed(reason: string): Verdict {
  return { failed: reason }
}

export function skipped(reason: string): Verdict {
  return { skipped: reason }
}

export function readJson<Shape>(path: string): Shape {
  return JSON.parse(readFileSync(path, 'utf8')) as Shape
}

/** The bytes of a hex field of a vector. */
export function hex(text: string): Uint8Array {
  const bytes = hexDecode(text)
  if (bytes === undefined)
    throw new TypeError(`a vector holds "${text.slice(0, 20)}", which is not hex`)
  return bytes
}

/** The outcome of one case; an error that the check did not expect is a failure, never a pass. */
export function judge(file: string, name: string, check: () => Verdict): CaseOutcome {
  let verdict: Verdict
  try {
    verdict = check()
  } catch (error) {
    verdict = failed(`threw ${describeError(error)}`)
  }
  if (verdict === true) return { file, name, outcome: 'passed' }
  return 'failed' in verdict
    ? { file, name, outcome: 'failed', reason: verdict.failed }
    : { file, name, outcome: 'skipped', reason: verdict.skipped }
}

export function expectBytes(
  what: string,
  actual: Uint8Array | undefined,
  expected: Uint8Array,
): Verdict {
  if (actual === undefined) return failed(`${what}: refused, though valid`)
  return equalBytes(actual, expected) ? true : failed(`${what}: differs from the vector`)
}

/** The first verdict that is not true, else true. */
export function all(...verdicts: readonly Verdict[]): Verdict {
  return verdicts.find((verdict) => verdict !== true) ?? true
}

/**
 * Whether `attempt` refuses: by undefined or false, or by the error that is declared for wrong
 * lengths.
 */
export function expectRefusal(what: string, attempt: () => unknown): Verdict {
  try {
    const result = attempt()
    return result === undefined || result === false
      ? true
      : failed(`${what}: accepted, though invalid`)
  } catch (error) {
    if (error instanceof CryptoError && error.code === 'CRYPTO_LENGTH') return true
    throw error
  }
}
