// myelin conformance: the product's own code over test vectors that others wrote.

import { statSync } from 'node:fs'
import { defineCommand } from '../command.ts'
import { formatCounts, type Report, tally } from '../conformance/report.ts'
import { suites } from '../conformance/suites.ts'
import { CliError, usageError } from '../errors.ts'
import { alignColumns, type Output, printable } from '../output.ts'

const suiteNames = [...suites.keys()]

export const conformance = defineCommand({
  name: 'conformance',
  summary: 'Run a suite of test vectors against this build.',
  details: [
    `Suites: ${suiteNames.join(', ')}.`,
    'Fails when a case fails, and when no case passes: an empty folder proves nothing.',
  ],
  options: { quiet: { kind: 'flag', short: 'q', describes: 'Leave out the counts per file.' } },
  operands: {
    suite: { describes: 'The name of the suite.' },
    dir: { describes: 'The folder that holds its files.' },
  },
  examples: ['myelin conformance toml-test vectors/toml-test'],
  run: async ({ operands, options, output }) => {
    const load = suites.get(operands.suite)
    if (load === undefined) {
      const shown = JSON.stringify(printable(operands.suite))
      throw usageError(`unknown suite ${shown}, known are ${suiteNames.join(', ')}`, {
        name: operands.suite,
        known: suiteNames,
      })
    }
    requireFolder(operands.dir)
    const suite = await load()
    const report = tally(suite.run(operands.dir), (current) => {
      output.progress(`${suite.name}: ${formatCounts(current)}`)
    })
    show(output, report, { suite: suite.name, directory: operands.dir, isQuiet: options.quiet })
    return report.failed > 0 || report.passed === 0 ? 1 : 0
  },
})

function requireFolder(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory()) return
  const problem = found === undefined ? 'does not exist' : 'is not a folder'
  throw new CliError('CLI_INPUT', `${path} ${problem}; name the folder of the suite's files`)
}

interface Shown {
  readonly suite: string
  readonly directory: string
  readonly isQuiet: boolean
}

function show(output: Output, report: Report, { suite, directory, isQuiet }: Shown): void {
  const { passed, failed, skipped, files, failures, skips } = report
  const document = {
    suite,
    directory,
    passed,
    failed,
    skipped,
    files: [...files].map(([file, counts]) => ({ file, ...counts })),
    failures: failures.map(({ file, name, reason }) => ({ file, name, reason })),
    failuresOmitted: failed - failures.length,
    skips: [...skips].map(([reason, count]) => ({ reason, count })),
  }
  output.result(document, function* () {
    if (!isQuiet) {
      yield* alignColumns(
        [...files].map(([file, counts]) => [printable(file), formatCounts(counts)]),
      )
    }
    for (const { file, name, reason } of failures) {
      yield `FAILED ${printable(file)} ${printable(name)}: ${printable(reason ?? 'no reason given')}`
    }
    if (failed > failures.length) yield `… and ${failed - failures.length} more failures`
    for (const [reason, count] of skips) yield `skipped ${count}: ${printable(reason)}`
    if (files.size === 0) yield `no file of the suite ${suite} lies in ${directory}`
    yield formatCounts(report)
  })
}
