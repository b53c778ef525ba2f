// Runs the tests with node:test and closes with one line of counts: `N passed, N failed, N skipped`.
//
//   node scripts/test.ts            everything
//   node scripts/test.ts unit       what needs no process of its own
//   node scripts/test.ts apart      real sockets and processes, simulations, long fuzzing: a process per file
//   node scripts/test.ts FILE …     these files

import { globSync } from 'node:fs'
import { resolve } from 'node:path'
import { run } from 'node:test'

const root = resolve(import.meta.dirname, '..')
process.chdir(root)

const everything = [
  ...globSync('{packages,apps,sdks}/*/test/**/*.test.ts'),
  ...globSync('examples/*/*.test.ts'),
].sort()
/** Real processes, and long computations: a process per file, two at a time. */
const isApart = (path: string) => /\.(?:e2e|sim)\.test\.ts$|^apps\/.*\.fuzz\.test\.ts$/.test(path)
const selections: Readonly<Record<string, () => string[]>> = {
  unit: () => everything.filter((path) => !isApart(path)),
  apart: () => everything.filter(isApart),
}

const counts = { passed: 0, failed: 0, skipped: 0 }
const failures: string[] = []
const skips: string[] = []

const words = process.argv.slice(2)
const select = words.length === 1 ? selections[words[0] ?? ''] : undefined
const files = select?.() ?? (words.length > 0 ? words : everything)
const startedMs = performance.now()
await runFiles(
  files.filter((path) => !isApart(path)),
  'none',
)
await runFiles(files.filter(isApart), 'process')

for (const skip of skips) console.log(`skipped: ${skip}`)
for (const failure of failures) console.error(`\n${failure}`)
console.log(`\ntests took ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
if (counts.passed + counts.failed === 0) console.error('no test ran: check the file names')
process.exit(counts.failed > 0 || counts.passed === 0 ? 1 : 0)

async function runFiles(paths: string[], isolation: 'none' | 'process'): Promise<void> {
  if (paths.length === 0) return
  const stream = run({
    files: paths.map((path) => resolve(path)),
    isolation,
    concurrency: isolation === 'process' ? 2 : false,
    execArgv: ['--conditions=@myelin/source'],
    timeout: 240_000,
  })
  stream.on('test:pass', (event) => {
    if (event.details.type === 'suite') return
    if (event.skip !== undefined) {
      counts.skipped += 1
      skips.push(`${event.name}${typeof event.skip === 'string' ? ` (${event.skip})` : ''}`)
    } else if (isRealTest(event)) counts.passed += 1
  })
  stream.on('test:fail', (event) => {
    if (event.details.type === 'suite') return
    counts.failed += 1
    failures.push(`FAILED ${event.file ?? ''}\n  ${event.name}\n${explain(event.details.error)}`)
  })
  stream.on('test:stderr', (event) => process.stderr.write(event.message))
  stream.resume()
  await new Promise<void>((done) => stream.on('end', done))
}

/** With process isolation node:test reports each file as one more test; it is not one of ours. */
function isRealTest(event: { readonly name: string; readonly nesting: number }): boolean {
  return !event.name.endsWith('.test.ts')
}

function explain(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  return text.replace(/^/gm, '    ')
}
