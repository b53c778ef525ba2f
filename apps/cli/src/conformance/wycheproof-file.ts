// The frame of a Wycheproof file and the way its verdicts are read.
//
// `valid` must succeed to the byte and `invalid` must be refused; `acceptable` is read strictly:
// what the standard lets a strict implementation refuse may be refused, and what is accepted must
// give the vector's bytes.

import { judge, readJson, type Verdict } from './crypto-vectors.ts'
import type { CaseOutcome } from './suite.ts'

export interface WycheproofCase {
  readonly tcId: number
  readonly comment?: string
  readonly flags?: readonly string[]
  readonly result: 'valid' | 'invalid' | 'acceptable'
}

interface WycheproofFile<Group, Case> {
  readonly testGroups: readonly (Group & { readonly tests: readonly Case[] })[]
}

/** Runs all cases of one file. */
export type FileRunner = (path: string, file: string) => Iterable<CaseOutcome>

export function cases<Group, Case extends WycheproofCase>(
  check: (test: Case, group: Group) => Verdict,
): FileRunner {
  return function* (path, file) {
    for (const group of readJson<WycheproofFile<Group, Case>>(path).testGroups) {
      for (const test of group.tests) {
        yield judge(file, `${test.tcId}`, () => check(test, group))
      }
    }
  }
}

export function hasFlag(test: WycheproofCase, flag: string): boolean {
  return test.flags?.includes(flag) === true
}
