// What a bench is and how it is measured (R103): we and our peers take turns in one run, the first turn of each
// warms up and is thrown away, and a row holds the medians of the others. So a machine that is slow for a while
// is slow for all, and ratios mean more than figures. A bench file `NAME.bench.ts` exports `bench`.

import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus } from 'node:os'

export interface BenchOptions {
  /** Measured turns of each contender. */
  readonly rounds?: number | undefined
  /** Short turns: shows that it works, proves nothing. */
  readonly isQuick?: boolean | undefined
  /** Only the contests whose title holds this text. */
  readonly only?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** A line for people: what is left out and why. */
  readonly note?: ((text: string) => void) | undefined
  /** Where the run is. */
  readonly progress?: ((text: string) => void) | undefined
}

/** One line of the result. `value` and `peerValue` are medians in `unit`, `ratio` is value / peerValue. */
export interface BenchRow {
  readonly metric: string
  readonly value: number
  readonly unit: string
  readonly peer?: string
  readonly peerValue?: number
  readonly ratio?: number
  /** A condition on `value`, or on `ratio` in a row with a peer. */
  readonly goal?: string
  readonly met?: boolean
}

export interface BenchDocument {
  readonly name: string
  readonly machine: string
  /** Of the repository; ends in `-dirty` where files differ from it. Absent without git. */
  readonly commit?: string
  readonly date: string
  readonly rounds: number
  readonly rows: readonly BenchRow[]
}

export interface Bench {
  readonly name: string
  readonly summary: string
  run(options?: BenchOptions): Promise<BenchDocument>
}

/** At least or at most a number: of the value itself, or of its ratio to `peer`. */
export type Goal = { readonly peer?: string } & (
  | { readonly atLeast: number }
  | { readonly atMost: number }
)

export interface Metric {
  readonly metric: string
  readonly unit: string
  readonly goals?: readonly Goal[]
}

export interface Contender {
  readonly name: string
  /** One turn: a number for each metric of the contest, in their order. */
  sample(): Promise<readonly number[]>
}

/** The same task for all contenders; the first is us. */
export interface Contest {
  readonly title: string
  readonly metrics: readonly Metric[]
  readonly contenders: readonly Contender[]
  /** Where a turn is too long for as many as are asked for. */
  readonly roundsMax?: number
}

/** The contests of one run and what to close after them. */
export interface Arena extends AsyncDisposable {
  readonly contests: readonly Contest[]
}

export interface BenchParts {
  readonly name: string
  readonly summary: string
  open(options: BenchOptions): Promise<Arena>
}

const roundsDefault = 5
const roundsQuick = 1

export function defineBench({ name, summary, open }: BenchParts): Bench {
  const run = async (options: BenchOptions = {}): Promise<BenchDocument> => {
    const rounds = options.rounds ?? (options.isQuick ? roundsQuick : roundsDefault)
    const rows: BenchRow[] = []
    await using arena = await open(options)
    for (const contest of arena.contests) {
      if (!contest.title.includes(options.only ?? '')) continue
      rows.push(...rowsOf(contest, await measure(contest, { ...options, rounds })))
    }
    const commit = commitOf(import.meta.dirname)
    const about = { name, machine: machine(), date: new Date().toISOString(), rounds, rows }
    return commit === undefined ? about : { ...about, commit }
  }
  return { name, summary, run }
}

/** What each contender reached: by its name, for each metric, the number of each round. */
export type Samples = ReadonlyMap<string, readonly (readonly number[])[]>

/**
 * One turn each to warm up, then `rounds` turns each. Who begins changes with the round, so that nobody always
 * runs in another's wake.
 */
export async function measure(
  { title, metrics, contenders, roundsMax = Number.POSITIVE_INFINITY }: Contest,
  { rounds, signal, progress }: BenchOptions & { readonly rounds: number },
): Promise<Samples> {
  const samples = new Map(contenders.map(({ name }) => [name, metrics.map((): number[] => [])]))
  const last = Math.min(rounds, roundsMax)
  for (let round = 0; round <= last; round += 1) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const contender = contenders[(round + turn) % contenders.length] as Contender
      signal?.throwIfAborted()
      progress?.(`${title}: ${contender.name}, ${round === 0 ? 'warm-up' : `${round}/${last}`}`)
      const values = await contender.sample()
      if (round === 0) continue
      for (const [i, value] of values.entries()) samples.get(contender.name)?.[i]?.push(value)
    }
  }
  return samples
}

/** For each metric a row against each peer, and before them one for a goal that needs no peer. */
export function rowsOf({ metrics, contenders }: Contest, samples: Samples): BenchRow[] {
  const [us, ...peers] = contenders
  if (us === undefined) return []
  const of = ({ name }: Contender, metric: number) => median(samples.get(name)?.[metric] ?? [])
  return metrics.flatMap(({ metric, unit, goals = [] }, i) => {
    const value = of(us, i)
    const own = goals.find(({ peer }) => peer === undefined)
    const row = { metric, value: rounded(value), unit }
    const rows: BenchRow[] = []
    if (own !== undefined || peers.length === 0) rows.push({ ...row, ...judged(own, value, unit) })
    for (const contender of peers) {
      const peer = contender.name
      const peerValue = of(contender, i)
      const ratio = value / peerValue
      const goal = goals.find((candidate) => candidate.peer === peer)
      // Against nothing there is no ratio, and JSON has no infinity.
      const shown = Number.isFinite(ratio) ? { ratio: rounded(ratio) } : {}
      const against = { peer, peerValue: rounded(peerValue), ...shown }
      rows.push({ ...row, ...against, ...judged(goal, ratio, `× ${peer}`) })
    }
    return rows
  })
}

function judged(goal: Goal | undefined, value: number, unit: string): Partial<BenchRow> {
  if (goal === undefined) return {}
  const bound = 'atLeast' in goal ? goal.atLeast : goal.atMost
  const isMet = 'atLeast' in goal ? value >= bound : value <= bound
  const text = `${'atLeast' in goal ? '≥' : '≤'} ${bound.toLocaleString('en-US')} ${unit}`
  return { goal: text, met: isMet }
}

/** The middle value, or the mean of the two middle ones. NaN of nothing. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** The value below which `part` of the values lie, between two of them in proportion. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = part * (sorted.length - 1)
  const below = sorted[Math.floor(at)] ?? Number.NaN
  const above = sorted[Math.ceil(at)] ?? Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}

/** Four digits: more would claim a precision that no such measurement has. */
function rounded(value: number): number {
  return Number(value.toPrecision(4))
}

/** What figures depend on, and nothing that names the machine. */
function machine(): string {
  const [first] = cpus()
  const model = first?.model.trim() || process.arch
  return `${availableParallelism()} cores, ${model}, Node ${process.versions.node}, ${process.platform}`
}

function commitOf(folder: string): string | undefined {
  try {
    const words = ['describe', '--always', '--dirty', '--exclude=*', '--abbrev=40']
    const text = execFileSync('git', words, {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return text.trim() || undefined
  } catch {
    return undefined
  }
}
