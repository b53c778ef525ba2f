// myelin bench: runs one bench of the repository and shows its rows. The benches are no part of the package: they
// measure against peers and start processes from sources. So they are found by path, and imported by URL.

import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { defineCommand } from '../command.ts'
import { CliError, usageError } from '../errors.ts'
import { alignColumns, type Output, printable } from '../output.ts'

/** The repository's bench/, seen from src/commands/ and from dist/commands/ alike. */
const benchFolder = resolve(import.meta.dirname, '../../../../bench')
const suffix = '.bench.ts'
const roundsMax = 1000

/** What a bench file exports as `bench`; the whole of it is in bench/harness.ts. */
export interface RunnableBench {
  readonly name: string
  readonly summary: string
  run(options: RunOptions): Promise<BenchResult>
}

interface RunOptions {
  readonly rounds?: number | undefined
  readonly isQuick?: boolean
  readonly only?: string | undefined
  readonly signal?: AbortSignal
  readonly note?: (text: string) => void
  readonly progress?: (text: string) => void
}

interface BenchResult {
  readonly name: string
  readonly machine: string
  readonly commit?: string
  readonly rounds: number
  readonly rows: readonly Row[]
}

interface Row {
  readonly metric: string
  readonly value: number
  readonly unit: string
  readonly peer?: string
  readonly peerValue?: number
  readonly ratio?: number
  readonly goal?: string
  readonly met?: boolean
}

export const bench = defineCommand({
  name: 'bench',
  summary: 'Measure this build beside its peers; without a name, list the benches.',
  details: [
    'We and the peers take turns in one run; a row holds the medians and, against a peer, their ratio (ours / theirs).',
    'Goals are shown as met or missed and never change the exit code: figures depend on the machine.',
  ],
  options: {
    rounds: {
      kind: 'text',
      value: 'N',
      describes: 'Measured turns of each contender; 5 by default.',
    },
    quick: { kind: 'flag', describes: 'Short turns, and one round: shows that it works, no more.' },
    only: { kind: 'text', value: 'TEXT', describes: 'Only what has TEXT in its title.' },
  },
  operands: { name: { describes: 'The bench to run.', optional: true } },
  examples: ['myelin bench', 'myelin bench session', 'myelin bench session --only "64 B" --json'],
  run: async ({ operands: { name }, options, output, signal }) => {
    const rounds = roundsOf(options.rounds)
    const names = benchNames(benchFolder)
    if (name === undefined) {
      await list(output, names)
      return
    }
    if (!names.includes(name)) {
      const shown = JSON.stringify(printable(name))
      throw usageError(`unknown bench ${shown}, known are ${names.join(', ')}`, {
        name,
        known: names,
      })
    }
    const { run } = await load(name)
    const result = await run({
      rounds,
      isQuick: options.quick,
      only: options.only,
      signal,
      note: (text) => output.note(text),
      progress: (text) => output.progress(text),
    })
    output.result(result, () => linesOf(result))
  },
})

/** The benches in a folder. Throws `CLI_INPUT` where it is not the repository's. */
export function benchNames(folder: string): string[] {
  if (!existsSync(join(folder, 'harness.ts'))) {
    const message =
      'the benches are not part of the installed package; clone the repository and run `npm run bench` there'
    throw new CliError('CLI_INPUT', message)
  }
  return readdirSync(folder)
    .filter((file) => file.endsWith(suffix))
    .map((file) => file.slice(0, -suffix.length))
    .sort()
}

async function load(name: string): Promise<RunnableBench> {
  const url = pathToFileURL(join(benchFolder, `${name}${suffix}`)).href
  const module = (await import(url)) as { readonly bench: RunnableBench }
  return module.bench
}

async function list(output: Output, names: readonly string[]): Promise<void> {
  const benches = await Promise.all(names.map(load))
  const summaries = benches.map(({ name, summary }) => ({ name, summary }))
  output.result({ benches: summaries }, () =>
    alignColumns(summaries.map(({ name, summary }) => [name, summary])),
  )
}

function roundsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const rounds = Number(text)
  if (/^\d+$/.test(text) && rounds >= 1 && rounds <= roundsMax) return rounds
  throw usageError(`--rounds takes a whole number from 1 to ${roundsMax}`)
}

/** The result as a table. */
export function linesOf({ name, machine, commit, rounds, rows }: BenchResult): string[] {
  const head = ['metric', 'ours', 'unit', 'peer', 'theirs', 'ratio', 'goal']
  const table = rows.map(({ metric, value, unit, peer, peerValue, ratio, goal, met }) => [
    metric,
    figure(value),
    unit,
    peer ?? '',
    figure(peerValue),
    figure(ratio),
    goal === undefined ? '' : `${met ? 'met' : 'MISSED'}: ${goal}`,
  ])
  const about = `${name}: median of ${rounds} rounds; ${machine}`
  const build = commit === undefined ? [] : [`commit ${commit}`]
  return [about, ...build, '', ...alignColumns([head, ...table])]
}

function figure(value: number | undefined): string {
  return value === undefined ? '' : value.toLocaleString('en-US', { maximumSignificantDigits: 4 })
}
