// The options that say what a swarm trains on, shared by `swarm` and `swarm coordinate`, and the plan that
// follows from them.

import { defaultPlan, mnistPlan, type SwarmPlan } from '@myelin/learning'
import type { OptionSpecs } from '../command.ts'
import { usageError } from '../errors.ts'

export const trainingOptions = {
  agents: {
    kind: 'text',
    short: 'n',
    value: 'N',
    describes: 'Workers, one process and one shard of the data each (default 5).',
  },
  rounds: {
    kind: 'text',
    value: 'N',
    describes: 'Rounds of averaging (default 10; 6 for --data).',
  },
  epochs: {
    kind: 'text',
    value: 'N',
    describes: 'Passes over its shard that a worker makes each round.',
  },
  examples: {
    kind: 'text',
    value: 'N',
    describes: 'Training examples over all workers (default 8000; all for --data).',
  },
  seed: {
    kind: 'text',
    value: 'N',
    describes: 'Another seed makes other digits and other first weights.',
  },
  data: {
    kind: 'text',
    value: 'DIR',
    describes: 'Folder of MNIST IDX files, gzipped or not, instead of generated digits.',
  },
} as const satisfies OptionSpecs

export type TrainingOptionValues = {
  readonly [Name in keyof typeof trainingOptions]: string | undefined
}

const agentsMax = 64
const examplesMax = 262_144
const seedMax = 2 ** 31

/** `filesCount`: examples in the files of `--data`. */
export function planOf(options: TrainingOptionValues, filesCount?: number): SwarmPlan {
  const base =
    options.data === undefined
      ? defaultPlan
      : { ...mnistPlan, examples: filesCount ?? mnistPlan.examples }
  const workers = wholeNumber('agents', options.agents, 1, agentsMax) ?? base.workers
  const seed = wholeNumber('seed', options.seed, 0, seedMax)
  const plan = {
    ...base,
    workers,
    rounds: wholeNumber('rounds', options.rounds, 1, 1000) ?? base.rounds,
    epochs: wholeNumber('epochs', options.epochs, 1, 100) ?? base.epochs,
    examples:
      wholeNumber('examples', options.examples, workers, filesCount ?? examplesMax) ??
      base.examples,
  }
  // Three streams that never meet: training digits, test digits, weights.
  return seed === undefined
    ? plan
    : { ...plan, dataSeed: 3 * seed + 1, testSeed: 3 * seed + 2, seed: 3 * seed + 3 }
}

/** The options again as words, for a child process. */
export function trainingWords(options: TrainingOptionValues): string[] {
  return Object.entries(options).flatMap(([name, value]) =>
    name in trainingOptions && value !== undefined ? [`--${name}`, value] : [],
  )
}

export function wholeNumber(
  name: string,
  text: string | undefined,
  min: number,
  max: number,
): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw usageError(
    `--${name} ${JSON.stringify(text.slice(0, 40))} is no whole number from ${min} to ${max}`,
  )
}
