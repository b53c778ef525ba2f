// Microseconds of one call. A turn is cut into slices of as many calls as fill one, found out at the first turn; its
// figure is the median of the slices, so that a slice in which the processor was another's does not count.

import { type Contender, type Contest, type Goal, median } from '../harness.ts'

/** One call; `i` counts up from 0 over all turns. What it returns is kept, so that the work is not optimized away. */
export type Operation = (i: number) => unknown

export interface Measured {
  readonly title: string
  readonly ours: Operation
  readonly peers?: Readonly<Record<string, Operation>>
  readonly goals?: readonly Goal[]
}

/** How long the calls of a turn take together. */
export interface Turns {
  readonly turnMs: number
}

/** Only written: see `Operation`. */
export let kept: unknown

const firstCalls = 4
const slicesPerTurn = 10

export function timed({ turnMs }: Turns, measured: readonly Measured[]): Contest[] {
  return measured.map(({ title, ours, peers = {}, goals = [] }) => ({
    title,
    metrics: [{ metric: title, unit: 'µs', goals }],
    contenders: Object.entries({ myelin: ours, ...peers }).map(([name, operation]) =>
      contenderOf(name, operation, turnMs),
    ),
  }))
}

function contenderOf(name: string, operation: Operation, turnMs: number): Contender {
  const sliceMs = turnMs / slicesPerTurn
  let calls = 0
  let done = 0
  const slice = (count: number) => {
    const startMs = performance.now()
    for (let i = done; i < done + count; i += 1) kept = operation(i)
    done += count
    return performance.now() - startMs
  }
  return {
    name,
    sample: async () => {
      if (calls === 0) calls = callsThatFill(slice, sliceMs)
      const slices = Array.from({ length: slicesPerTurn }, () => slice(calls))
      return [(median(slices) / calls) * 1000]
    },
  }
}

function callsThatFill(slice: (count: number) => number, sliceMs: number): number {
  let count = firstCalls
  for (;;) {
    const tookMs = slice(count)
    if (tookMs >= sliceMs / 2) return Math.max(1, Math.ceil((count * sliceMs) / tookMs))
    count *= 2
  }
}
