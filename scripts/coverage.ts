// Coverage of the packages that everything stands on, by Node's own measurement (R158):
// `npm run coverage [-- PACKAGE …]`, wire, crypto and session by default. Lists what is not covered; fails below
// the goal and when a test fails. A process for each package: of two runs in one, the second never ends.

import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { run } from 'node:test'

const goalPercent = 98
const root = resolve(import.meta.dirname, '..')
process.chdir(root)
const packages = process.argv.length > 2 ? process.argv.slice(2) : ['wire', 'crypto', 'session']

interface FileCoverage {
  readonly path: string
  readonly coveredLineCount: number
  readonly totalLineCount: number
  readonly coveredBranchCount: number
  readonly totalBranchCount: number
  readonly lines: readonly { readonly line: number; readonly count: number }[]
  readonly branches: readonly { readonly line: number; readonly count: number }[]
}

/** Tests of other packages that drive these with real input: suites of others, agents over sessions. */
const drivers: Readonly<Record<string, readonly string[]>> = {
  crypto: ['apps/cli/test/crypto-conformance.vectors.test.ts'],
  session: ['packages/node/test/agent.test.ts', 'packages/node/test/create-agent.test.ts'],
}

const [first] = packages
const isMet =
  packages.length === 1 && first !== undefined
    ? await isCovered(first)
    : packages.map(isCoveredApart).every((one) => one)
process.exit(isMet ? 0 : 1)

/** The same in a process of its own, which prints for itself. */
function isCoveredApart(name: string): boolean {
  const words = ['--conditions=@myelin/source', import.meta.filename, name]
  const { status } = spawnSync(process.execPath, words, { stdio: 'inherit' })
  if (status !== 0 && status !== 1) console.error(`${name}: the run did not end, status ${status}`)
  return status === 0
}

/** Measures one package and prints its figures and what is missing. */
async function isCovered(name: string): Promise<boolean> {
  const { files, failures } = await coverageOf(name)
  const lines = share(files, 'coveredLineCount', 'totalLineCount')
  const branches = share(files, 'coveredBranchCount', 'totalBranchCount')
  console.log(`${name}: lines ${lines.toFixed(2)} %, branches ${branches.toFixed(2)} %`)
  for (const file of files) {
    const missed = [...file.lines, ...file.branches]
      .filter(({ count }) => count === 0)
      .map(({ line }) => line)
    const rows = [...new Set(missed)].sort((a, b) => a - b)
    if (rows.length > 0) console.log(`  ${relative(root, file.path)}: ${rows.join(', ')}`)
  }
  return failures === 0 && lines >= goalPercent && branches >= goalPercent
}

/** Runs the package's own tests and its drivers. */
async function coverageOf(
  name: string,
): Promise<{ readonly files: readonly FileCoverage[]; readonly failures: number }> {
  const own = globSync(`packages/${name}/test/**/*.test.ts`)
  const paths = [...own, ...(drivers[name] ?? [])].map((path) => resolve(path))
  const stream = run({
    files: paths,
    isolation: 'process',
    concurrency: 2,
    coverage: true,
    coverageIncludeGlobs: [`packages/${name}/src/**/*.ts`],
    execArgv: ['--conditions=@myelin/source'],
  })
  let files: readonly FileCoverage[] = []
  stream.on('test:coverage', (event) => {
    files = event.summary.files as unknown as readonly FileCoverage[]
  })
  let failures = 0
  stream.on('test:fail', (event) => {
    failures += 1
    console.error(
      `FAILED ${event.name}: ${String(event.details.error.cause ?? event.details.error)}`,
    )
  })
  stream.resume()
  await new Promise<void>((done) => stream.on('end', done))
  return { files, failures }
}

function share(
  files: readonly FileCoverage[],
  covered: keyof FileCoverage,
  total: keyof FileCoverage,
): number {
  const sum = (key: keyof FileCoverage) => files.reduce((all, file) => all + Number(file[key]), 0)
  return (100 * sum(covered)) / Math.max(1, sum(total))
}
