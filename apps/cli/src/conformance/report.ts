// Counts what a suite yields: per file, and the reasons of failures and skips, both bounded.

import type { CaseOutcome } from './suite.ts'

/** Failures told one by one; the rest is counted. */
const failuresShownMax = 50

/** Different reasons for skips that are told. */
const skipReasonsMax = 50

export interface Counts {
  passed: number
  failed: number
  skipped: number
}

export interface Report extends Counts {
  /** Counts by file, in the order of the run. */
  readonly files: Map<string, Counts>
  readonly failures: CaseOutcome[]
  /** Skipped cases by reason. */
  readonly skips: Map<string, number>
}

export function tally(
  outcomes: Iterable<CaseOutcome>,
  progress: (report: Report) => void = () => {},
): Report {
  const report: Report = { ...noCounts(), files: new Map(), failures: [], skips: new Map() }
  for (const outcome of outcomes) {
    let file = report.files.get(outcome.file)
    if (file === undefined) {
      file = noCounts()
      report.files.set(outcome.file, file)
      progress(report)
    }
    report[outcome.outcome] += 1
    file[outcome.outcome] += 1
    if (outcome.outcome === 'failed' && report.failures.length < failuresShownMax)
      report.failures.push(outcome)
    if (outcome.outcome === 'skipped') addSkip(report.skips, outcome.reason ?? 'no reason given')
  }
  return report
}

/** `140 passed, 0 failed, 0 skipped` */
export function formatCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}

function addSkip(skips: Map<string, number>, reason: string): void {
  const isRoom = skips.has(reason) || skips.size < skipReasonsMax
  const name = isRoom ? reason : 'other reasons'
  skips.set(name, (skips.get(name) ?? 0) + 1)
}

function noCounts(): Counts {
  return { passed: 0, failed: 0, skipped: 0 }
}
