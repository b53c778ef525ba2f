// What can be wrong with a configuration, told so that one reading suffices: where, what is wrong, what would
// be right. A load collects all faults before it reports any (R154).

import { faultsMax, quotedLengthMax } from './config-limits.ts'

/** Where a value came from. */
export interface Origin {
  readonly kind: 'default' | 'file' | 'environment' | 'flag' | 'code'
  /** The file, the variable or the flag; empty for defaults and code. */
  readonly name: string
}

export interface ConfigurationFault {
  /** The setting, `log.level`; empty where the fault is in a whole file. */
  readonly path: string
  readonly problem: string
  /** What would be right. */
  readonly expected: string
  readonly origin: Origin
}

/** One line: `log.level: "loud" is not allowed; expected one of … (file myelin.toml)`. */
export function describeFault(fault: ConfigurationFault): string {
  const subject = fault.path === '' ? '' : `${fault.path}: `
  return `${subject}${fault.problem}; expected ${fault.expected} (${describeOrigin(fault.origin)})`
}

export function describeOrigin(origin: Origin): string {
  return origin.name === '' ? origin.kind : `${origin.kind} ${origin.name}`
}

/** Collects faults up to a bound and counts the rest. */
export class FaultList {
  readonly #faults: ConfigurationFault[] = []
  #omitted = 0

  get size(): number {
    return this.#faults.length
  }

  /** Further faults are counted only: what would make them helpful need not be found out. */
  get isFull(): boolean {
    return this.#faults.length >= faultsMax
  }

  add(fault: ConfigurationFault): void {
    if (this.isFull) this.omit()
    else this.#faults.push(fault)
  }

  omit(): void {
    this.#omitted += 1
  }

  names(path: string): boolean {
    return this.#faults.some((fault) => fault.path === path)
  }

  finish(origin: Origin): ConfigurationFault[] {
    if (this.#omitted === 0) return this.#faults
    const problem = `${this.#omitted} more faults are not shown`
    return [...this.#faults, { path: '', problem, expected: 'the ones above to be mended', origin }]
  }
}

/** A refused value as a fault shows it: on one line and short. */
export function quote(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'string') return quoteText(value)
  if (typeof value === 'bigint') return value.toString().slice(0, quotedLengthMax)
  if (typeof value === 'object') return isTemporal(value) ? 'a date or time' : 'a table'
  return String(value).slice(0, quotedLengthMax)
}

/** TOML has dates; no setting takes one. */
function isTemporal(value: object): boolean {
  return Object.prototype.toString.call(value).startsWith('[object Temporal.')
}

function quoteText(value: string): string {
  const short = value.length > quotedLengthMax ? `${value.slice(0, quotedLengthMax)}…` : value
  return JSON.stringify(short)
}

/** The candidate that a mistyped name most likely meant, or undefined when none is close. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = plain(name.slice(0, quotedLengthMax))
  let nearest: string | undefined
  // A third of the letters may be wrong: more would suggest what nobody meant.
  let best = Math.floor(wanted.length / 3) + 1
  for (const candidate of candidates) {
    const distance = editDistance(wanted, plain(candidate), best)
    if (distance < best) {
      best = distance
      nearest = candidate
    }
  }
  return nearest
}

/** Upper case, dashes and underscores are not what makes two names differ: `max_bytes` means `maxBytes`. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, '')
}

/**
 * Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours. A distance of `enough`
 * or more is not worked out: a file may hold many wrong names.
 */
function editDistance(a: string, b: string, enough: number): number {
  if (Math.abs(a.length - b.length) >= enough) return enough
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + change)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1)
      row.push(cost)
    }
    // A row is never lower than the lower of the two before it.
    if (Math.min(...row) >= enough && Math.min(...last) >= enough) return enough
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
