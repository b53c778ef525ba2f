// Runs a target: its samples, then what a systematic walk over them makes, then random mutations. One seed, one
// run: the report names it, and the input of each failure as hex.

import { hexDecode, hexEncode } from '@myelin/base'
import { SeededRandom } from '../simulation/seeded-random.ts'
import { mutator, systematicCount, systematicInput } from './mutator.ts'
import { type FuzzFailure, type FuzzTarget, type Judgement, judgeNow } from './target.ts'

export interface FuzzOptions {
  readonly runs: number
  readonly seed: string | number
  /** Stop earlier, after this much time. */
  readonly secondsMax?: number
  /** Sees each input before it is run, for a watch that must know it if it never ends. */
  readonly onInput?: (input: Uint8Array) => void
}

export interface FuzzReport {
  readonly name: string
  readonly seed: string | number
  readonly runs: number
  readonly accepted: number
  readonly samples: number
  readonly samplesAccepted: number
  readonly seconds: number
  /** Of the dearest input. */
  readonly msPeak: number
  readonly allocatedBytesPeak: number
  /** One for each kind and place, at most `failuresMax`. */
  readonly failures: readonly FuzzFailure[]
}

/** Share of the runs that the systematic walk may take. */
const systematicShare = 0.25
/** Inputs between two turns of the event loop. */
const inputsPerTurn = 512
const failuresMax = 10

export async function fuzzTarget(target: FuzzTarget, options: FuzzOptions): Promise<FuzzReport> {
  const samples = await target.samples()
  const tally = new Tally(target, options)
  for (const sample of samples) await tally.run(sample)
  const samplesAccepted = tally.accepted
  const random = new SeededRandom(`${options.seed}/${target.name}`)
  // Each sample has the same share, so that a long one with much filler does not take it all.
  const share = Math.floor((options.runs * systematicShare) / samples.length)
  for (const sample of samples) await walk(tally, sample, share, random.fraction())
  const { mutate } = mutator(random, { tokens: target.tokens ?? [], ...target.bounds })
  while (!tally.isOver) {
    const judging = tally.run(mutate(samples))
    if (judging !== undefined) await judging
  }
  return tally.report(samples.length, samplesAccepted)
}

/** Spread evenly over the sample where it is longer than the share; from `start`, so that seeds differ. */
async function walk(tally: Tally, sample: Uint8Array, share: number, start: number): Promise<void> {
  const count = systematicCount(sample)
  const inputs = Math.min(count, share)
  for (let i = 0; i < inputs && !tally.isOver; i += 1) {
    const index = Math.floor((start + i / inputs) * count) % count
    const judging = tally.run(systematicInput(sample, index))
    if (judging !== undefined) await judging
  }
}

class Tally {
  accepted = 0
  readonly #target: FuzzTarget
  readonly #options: FuzzOptions
  readonly #startedMs = performance.now()
  readonly #failures = new Map<string, FuzzFailure>()
  #runs = 0
  #msPeak = 0
  #allocatedBytesPeak = 0

  constructor(target: FuzzTarget, options: FuzzOptions) {
    this.#target = target
    this.#options = options
  }

  get isOver(): boolean {
    const { runs, secondsMax = Number.POSITIVE_INFINITY } = this.#options
    return this.#runs >= runs || this.#seconds > secondsMax
  }

  get #seconds(): number {
    return (performance.now() - this.#startedMs) / 1000
  }

  /** A promise only where something is to be awaited. */
  run(input: Uint8Array): Promise<void> | undefined {
    this.#options.onInput?.(input)
    const judging = judgeNow(this.#target, input)
    if (judging instanceof Promise) return judging.then((judgement) => this.#count(judgement))
    this.#count(judging)
    return this.#runs % inputsPerTurn === 0 ? turn() : undefined
  }

  report(samples: number, samplesAccepted: number): FuzzReport {
    return {
      name: this.#target.name,
      seed: this.#options.seed,
      runs: this.#runs,
      accepted: this.accepted,
      samples,
      samplesAccepted,
      seconds: this.#seconds,
      msPeak: this.#msPeak,
      allocatedBytesPeak: this.#allocatedBytesPeak,
      failures: [...this.#failures.values()],
    }
  }

  #count({ isAccepted, ms, allocatedBytes, failure }: Judgement): void {
    this.#runs += 1
    if (isAccepted) this.accepted += 1
    this.#msPeak = Math.max(this.#msPeak, ms)
    this.#allocatedBytesPeak = Math.max(this.#allocatedBytesPeak, allocatedBytes)
    if (failure === undefined) return
    const place = placeOf(failure)
    const known = this.#failures.get(place)
    // The shortest input of each place: the easiest to understand.
    const isNews = known === undefined && this.#failures.size < failuresMax
    if (isNews || (known !== undefined && failure.input.length < known.input.length))
      this.#failures.set(place, failure)
  }
}

/** Failures with the same kind and the same innermost frames are one. */
function placeOf({ kind, detail }: FuzzFailure): string {
  if (kind !== 'throw') return kind
  const frames = detail.split('\n').filter((line) => /^\s+at /.test(line))
  return [kind, ...frames.slice(0, 3)].join('\n')
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** For people: what happened, and how to make it happen again. */
export function describeFailure(name: string, failure: FuzzFailure): string {
  const { kind, detail, input } = failure
  return `${name}: ${kind} for ${input.length} bytes\n${detail}\ninput ${hexEncode(input)}`
}

/** An input as a regression file holds it: hex, with white space and `#` comments ignored. */
export function parseRegression(text: string): Uint8Array | undefined {
  const bare = text.replace(/#.*/g, '').replace(/\s+/g, '')
  return hexDecode(bare)
}
