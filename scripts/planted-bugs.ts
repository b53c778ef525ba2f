// Plants known bugs, one after the other, in a copy of the sources, and sees whether what should find each does:
// the measure of the tests and the simulator themselves. A bug counts as found when exactly its test fails, or
// its scenario reports a violation; the same test, and the same seeds, must pass without the bug.
//
//   npm run planted-bugs                     all, and a table
//   npm run planted-bugs -- --only lost-fin  one
//   npm run planted-bugs -- --write          also writes docs/planted-bugs.md

import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type PlantedBug, plantedBugs } from './planted-bug-list.ts'

const root = resolve(import.meta.dirname, '..')
const copied = ['packages', 'apps', 'sim', 'scripts', 'fuzz', 'docs', 'requirements.ts']
const settings = ['package.json', 'tsconfig*.json', 'layers.json']
const leftOut = /(?:^|\/)(?:node_modules|dist|\.git)(?:\/|$)|\.tsbuildinfo$/
/** A bug that makes its finder run for so long is found, too: as a hang. */
const patienceMs = 900_000

interface Verdict {
  readonly isFound: boolean
  readonly how: string
  readonly seconds: number
  /** Seeds that ran, the failing one included. */
  readonly seeds?: number
}

/** The sources without history and build results, importing each other and not the originals. */
class Copy implements Disposable {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), 'myelin-planted-')))

  constructor() {
    const entries = [...copied, ...globSync(settings, { cwd: root })]
    for (const entry of entries.filter((name) => existsSync(join(root, name)))) {
      const filter = (source: string) => !leftOut.test(source.slice(root.length))
      cpSync(join(root, entry), join(this.path, entry), { recursive: true, filter })
    }
    const modules = join(this.path, 'node_modules')
    mkdirSync(join(modules, '@myelin'), { recursive: true })
    for (const entry of readdirSync(join(root, 'node_modules'))) {
      const original = join(root, 'node_modules', entry)
      if (entry !== '@myelin') symlinkSync(original, join(modules, entry))
    }
    for (const folder of globSync('{packages,apps}/*', { cwd: this.path }))
      symlinkSync(join(this.path, folder), join(modules, '@myelin', basename(folder)))
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }

  /** Applies a bug's edits until what is returned is disposed. */
  plant({ name, edits }: PlantedBug): Disposable {
    const originals = new Map<string, string>()
    for (const { file, find, replace } of edits) {
      const path = join(this.path, file)
      const text = readFileSync(path, 'utf8')
      const times = text.split(find).length - 1
      if (times !== 1)
        throw new Error(`${name}: ${file} holds ${times} of ${JSON.stringify(find)}; it needs one`)
      if (!originals.has(path)) originals.set(path, text)
      writeFileSync(
        path,
        text.replace(find, () => replace),
      )
    }
    return {
      [Symbol.dispose]: () => {
        for (const [path, text] of originals) writeFileSync(path, text)
      },
    }
  }

  /** Runs what should find the bug. */
  seek({ by }: PlantedBug, seeds?: number): Verdict {
    const startedMs = performance.now()
    const seconds = () => (performance.now() - startedMs) / 1000
    if ('test' in by) {
      const { isHang, output } = this.#node(
        `--test-name-pattern=^${by.title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`,
        '--test-reporter=tap',
        by.test,
      )
      const line = /^(not )?ok \d+ - (.*)$/gm
      const results = [...output.matchAll(line)].filter(([, , title]) => title === by.title)
      if (results.length !== 1 && !isHang) throw new Error(`no test "${by.title}":\n${output}`)
      const isFound = isHang || results[0]?.[1] !== undefined
      // What failed is worth a look: a bug that breaks something else on its way shows nothing.
      const error = /^ +error: (?:[|>]-?\s+)?(.*)$/m.exec(output)?.[1] ?? ''
      return { isFound, how: isHang ? 'hangs' : `fails: ${error}`, seconds: seconds() }
    }
    const count = seeds ?? by.seeds
    const { isHang, output } = this.#node(
      'scripts/sim.ts',
      '--scenario',
      by.sim,
      '--seeds',
      `${count}`,
    )
    const violation = /, seed (\d+): (.*)/.exec(output)
    const isComplete = violation !== null || output.includes(`${by.sim}: ${count} seeds`)
    if (!isComplete && !isHang) throw new Error(`the simulator did not run:\n${output}`)
    const seed = Number(violation?.[1] ?? count)
    const how = isHang ? 'hangs' : `seed ${seed}: ${violation?.[2]?.replace(/ \(seed .*/, '')}`
    return { isFound: isHang || violation !== null, how, seconds: seconds(), seeds: seed + 1 }
  }

  #node(...words: string[]): { isHang: boolean; output: string } {
    const shared = process.env.MYELIN_SHARED ?? resolve(root, '../shared')
    const { signal, stdout, stderr } = spawnSync(
      process.execPath,
      ['--conditions=@myelin/source', ...words],
      {
        cwd: this.path,
        env: { ...process.env, MYELIN_SHARED: shared },
        encoding: 'utf8',
        timeout: patienceMs,
        killSignal: 'SIGKILL',
        maxBuffer: 64 * 1024 * 1024,
      },
    )
    return { isHang: signal === 'SIGKILL', output: `${stdout}\n${stderr}` }
  }
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    write: { type: 'boolean', default: false },
  },
})
const chosen = plantedBugs.filter(({ name }) => values.only?.includes(name) ?? true)
if (chosen.length === 0) {
  console.error(`planted-bugs: there are ${plantedBugs.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}

const verdicts = new Map<PlantedBug, Verdict>()
const faults: string[] = []
{
  using copy = new Copy()
  for (const bug of chosen) {
    using _ = copy.plant(bug)
    const verdict = copy.seek(bug)
    verdicts.set(bug, verdict)
    if (!verdict.isFound) faults.push(`${bug.name} is not found: ${bug.what}`)
    console.log(
      `${bug.name}: ${verdict.isFound ? verdict.how : 'NOT FOUND'}, ${verdict.seconds.toFixed(1)} s`,
    )
  }
  faults.push(...controls(copy))
}

console.log(`\n${table().join('\n')}\n`)
for (const fault of faults) console.error(`planted-bugs: ${fault}`)
console.log(
  `${chosen.length} planted, ${[...verdicts.values()].filter((v) => v.isFound).length} found`,
)
if (values.write && faults.length === 0) writeFileSync(join(root, 'docs/planted-bugs.md'), page())
process.exit(faults.length > 0 ? 1 : 0)

/** Without a bug every test passes, and every scenario under all seeds that any bug needed. */
function controls(copy: Copy): string[] {
  const found: string[] = []
  const seeds = new Map<string, [PlantedBug, number]>()
  for (const [bug, verdict] of verdicts) {
    if (!verdict.isFound) continue
    if ('sim' in bug.by) {
      const needed = Math.max(seeds.get(bug.by.sim)?.[1] ?? 0, verdict.seeds ?? 0)
      seeds.set(bug.by.sim, [bug, needed])
    } else if (copy.seek(bug).isFound) found.push(`"${bug.by.title}" fails without a bug too`)
  }
  for (const [scenario, [bug, needed]] of seeds) {
    const control = copy.seek(bug, needed)
    if (control.isFound) found.push(`${scenario} fails without a bug too: ${control.how}`)
  }
  return found
}

function table(): string[] {
  const rows = [...verdicts].map(([{ name, what, by }, { isFound, how, seconds }]) => {
    const finder = 'sim' in by ? `simulator, \`${by.sim}\`` : `\`${by.test}\``
    const where = 'sim' in by ? how : by.title
    return `| ${name} | ${what} | ${isFound ? finder : '**nothing**'} | ${where} | ${seconds.toFixed(1)} |`
  })
  return ['| bug | what it does | found by | where | s |', '|---|---|---|---|---|', ...rows]
}

function page(): string {
  return `# Planted bugs

What the tests and the simulator are worth, measured: each of these bugs is put into a copy of the sources by
\`npm run planted-bugs\`, and what is named beside it must fail. The same tests, and the same seeds, pass without the
bug. The list is \`scripts/planted-bug-list.ts\`; a new kind of bug gets a line there. The seconds are those of one
run on two shared cores, start of the process included; in the simulator each scenario begins at seed 0 and may take
1,000.

${table().join('\n')}

Found by the simulator: ${chosen.filter(({ by }) => 'sim' in by).length}. Found by a test: ${chosen.filter(({ by }) => 'test' in by).length}. Written by \`npm run planted-bugs -- --write\`.
`
}
