// Fails when the project's text holds what it must not, or does not say what the code says: a path or host of
// one machine in any tracked file, a resolved registry address in the lock file, a package without a README, a
// link to a file that is not there, an error code or a number of the protocol that its reference lacks, a
// settings table that is out of date, a threat without a test, a cited test that is not there, or a TypeScript
// block that does not compile. Blocks are compiled as they stand, one module each.
//
//   node scripts/check-docs.ts            checks
//   node scripts/check-docs.ts --write    brings the settings table up to date first

import { execFileSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
process.chdir(root)

const errorsPage = 'docs/reference/errors.md'
const protocolPage = 'docs/protocol.md'
const settingsPage = 'docs/reference/configuration.md'
const threatsPage = 'THREAT_MODEL.md'
const pages = [
  ...globSync('*.md'),
  ...globSync('{docs,examples,packages/*,apps/*}/**/*.md', {
    exclude: (path) => path.includes('node_modules'),
  }),
]

const faults = [
  ...checkTracked(),
  ...checkReadmes(),
  ...checkLinks(),
  ...checkErrors(),
  ...checkProtocolNumbers(),
  ...checkSettings(),
  ...checkThreats(),
  ...checkBlocks(),
]
for (const fault of faults) console.error(`docs: ${fault}`)
if (faults.length > 0) process.exit(1)
console.log(
  'docs: blocks compile, links lead somewhere, the references are complete, threats have tests',
)

function* checkTracked(): Generator<string> {
  const paths = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { encoding: 'utf8' })
    .trim()
    .split('\n')
  const forbidden = /\/(?:work|home|root|tmp)\/[a-z]+\/|"resolved": "https?:|registry\.[a-z]+\.org/
  for (const path of paths) {
    if (!existsSync(path)) continue
    if (path.startsWith('scripts/check-docs')) continue
    const match = forbidden.exec(readFileSync(path, 'utf8'))
    if (match !== null) yield `${path} holds "${match[0]}"`
  }
}

function* checkReadmes(): Generator<string> {
  for (const manifest of globSync('{packages,apps}/*/package.json')) {
    const readme = manifest.replace('package.json', 'README.md')
    if (!existsSync(readme)) yield `${readme} is missing`
    else if (readFileSync(readme, 'utf8').split('\n').length > 61)
      yield `${readme} is longer than 60 lines`
  }
}

/** Links within the project; those to the web are not followed. */
function* checkLinks(): Generator<string> {
  for (const page of pages) {
    const text = readFileSync(page, 'utf8').replace(/^```[\s\S]*?^```/gm, '')
    for (const [, target = ''] of text.matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g))
      if (!existsSync(join(dirname(page), target))) yield `${page} links to ${target}: no such file`
  }
}

/** The error reference has one row for every code that the packages declare, and no row for any other. */
function* checkErrors(): Generator<string> {
  const rows = readFileSync(errorsPage, 'utf8').match(/^\| `[A-Z0-9_]+` \|(?: (?:\d+|–) \|)?/gm)
  const unexplained = new Set<string>(rows)
  for (const path of globSync('{packages,apps}/*/src/errors.ts')) {
    const declared = errorRows(readFileSync(path, 'utf8'))
    if (declared.length === 0) yield `${path} declares no error codes that this check can find`
    for (const row of declared)
      if (!unexplained.delete(row)) yield `${errorsPage} lacks ${row} of ${path}`
  }
  for (const row of unexplained) yield `${errorsPage} explains ${row}, which no package declares`
}

/** How the reference's rows begin: the codes of a union, or those of a table with their wire numbers. */
function errorRows(source: string): string[] {
  const union = /^export type \w+ErrorCode =([\s\S]*?)\n\n/m.exec(source)?.[1] ?? ''
  const codes = [...union.matchAll(/'(\w+)'/g)].map(([, code]) => `| \`${code}\` |`)
  if (codes.length > 0) return codes
  return wireNumbers(source).map(
    ({ code, number }) => `| \`${code}\` | ${number === 0 ? '–' : number} |`,
  )
}

/** Close codes and failure numbers stand in the protocol under the numbers that the code sends. */
function* checkProtocolNumbers(): Generator<string> {
  const text = readFileSync(protocolPage, 'utf8')
  for (const path of ['packages/session/src/errors.ts', 'packages/fabric/src/errors.ts']) {
    for (const { code, number } of wireNumbers(readFileSync(path, 'utf8'))) {
      if (number === 0 || text.includes(`\n| ${number} | \`${code}\` |`)) continue
      yield `${protocolPage} does not list ${code} as ${number}`
    }
  }
}

/** The entries `  CODE: number,` of a table of numbers; 0 marks a code that is never sent. */
function wireNumbers(source: string): { readonly code: string; readonly number: number }[] {
  const entries = source.matchAll(/^ {2}([A-Z]+_[A-Z_]+): (\d+),$/gm)
  return [...entries].map(([, code = '', number]) => ({ code, number: Number(number) }))
}

/** The settings table is printed by the code; a process of its own, so that it is always the sources' table. */
function* checkSettings(): Generator<string> {
  const script = `process.stdout.write((await import('@myelin/node')).settingsTable())`
  const table = execFileSync(
    process.execPath,
    ['--conditions=@myelin/source', '--input-type=module', '--eval', script],
    { encoding: 'utf8' },
  )
  const page = readFileSync(settingsPage, 'utf8')
  const current = page.replace(/^\| setting \|(?:.*\n)(?:\|.*\n)*/m, () => table)
  if (page === current) return
  if (process.argv.includes('--write')) writeFileSync(settingsPage, current)
  else yield `${settingsPage} is out of date: run node scripts/check-docs.ts --write`
}

/** Each threat of the model stands on a test at least, each test that it cites is there, and each defence. */
function* checkThreats(): Generator<string> {
  const text = readFileSync(threatsPage, 'utf8')
  const untested = new Set([...text.matchAll(/^\| (T\d+) /gm)].map(([, threat]) => threat))
  const threats = new Set(untested)
  if (threats.size === 0) yield `${threatsPage} has no threat that this check can find`
  for (const line of text.split('\n').filter((one) => one.includes('›'))) {
    const [, threat, path = '', title = ''] = /^- (T\d+) `(\S+) › "(.+)"`$/.exec(line) ?? []
    if (!threats.has(threat)) yield `${threatsPage} cites a test for no threat: ${line}`
    else if (!testTitles(path).has(title)) yield `${threatsPage}: no test of ${path} is "${title}"`
    untested.delete(threat)
  }
  for (const threat of untested) yield `${threatsPage} cites no test for ${threat}`
  for (const [, part, file] of text.matchAll(/`([a-z]+)\/([a-z0-9/-]+\.ts)`/g))
    if (!existsSync(`packages/${part}/src/${file}`) && !existsSync(`${part}/${file}`))
      yield `${threatsPage} names ${part}/${file}: no such file`
}

/** The titles of a file's tests, with `…` where a template has a value. None where there is no file. */
function testTitles(path: string): Set<string> {
  const source = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const calls = source.matchAll(/^ *(?:refused|suite|test)\(\s*(['"`])(.+?)\1,/gm)
  return new Set([...calls].map(([, , title = '']) => title.replace(/\$\{.*?\}/g, '…')))
}

function* checkBlocks(): Generator<string> {
  const folder = join(root, 'dist', 'doc-blocks')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const origins = new Map<string, string>()
  for (const path of [...pages, ...globSync('packages/*/src/index.ts')]) {
    const text = readFileSync(path, 'utf8').replace(/^ \* ?/gm, '')
    let index = 0
    for (const [, block] of text.matchAll(/^```ts\n([\s\S]*?)^```/gm)) {
      const name = `block-${origins.size}.ts`
      index += 1
      origins.set(name, `${path}, block ${index}`)
      writeFileSync(join(folder, name), `${block}\nexport {}\n`)
    }
  }
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: '../../tsconfig.base.json',
      compilerOptions: {
        noEmit: true,
        composite: false,
        noUnusedLocals: false,
        noUnusedParameters: false,
      },
      include: ['*.ts'],
    }),
  )
  if (origins.size === 0) return
  try {
    const compiler = join(root, 'node_modules', '.bin', 'tsc')
    execFileSync(compiler, ['-p', folder], {
      encoding: 'utf8',
      shell: process.platform === 'win32',
    })
  } catch (error) {
    const output = String((error as { stdout?: string }).stdout ?? error)
    yield output.replace(/block-\d+\.ts/g, (name) => origins.get(name) ?? name)
  }
}
