// What the processes of a swarm tell each other on their standard outputs: one JSON value a line. The
// supervisor reads them from its own children, but reads them as it reads everything: checked.

import type { RoundResult, SwarmEvent, SwarmOutcome, WorkerEvent } from '@myelin/learning'

export type CoordinatorLine =
  | { readonly event: 'listening'; readonly agent: string; readonly addresses: readonly string[] }
  /** A join token: a secret, told to the parent process only. */
  | { readonly event: 'token'; readonly token: string }
  | {
      readonly event: 'connected'
      readonly agent: string
      readonly name: string
      readonly security: string
      readonly transport: string
    }
  | { readonly event: 'swarm'; readonly swarm: SwarmEvent }
  | { readonly event: 'refusals'; readonly counts: Readonly<Record<string, number>> }
  | {
      readonly event: 'finished'
      readonly outcome: SwarmOutcome
      readonly roundTripMs: readonly number[]
    }

export type WorkerLine =
  | {
      readonly event: 'joined'
      readonly agent: string
      readonly handshakeMs: number
      readonly security: string
    }
  | { readonly event: 'work'; readonly work: WorkerEvent }

export type ProcessLine =
  | CoordinatorLine
  | WorkerLine
  | { readonly error: { readonly code: string; readonly message: string } }

/** Undefined: not one of ours. */
export function parseProcessLine(text: string): ProcessLine | undefined {
  try {
    const value = JSON.parse(text) as unknown
    if (typeof value !== 'object' || value === null) return undefined
    return 'event' in value || 'error' in value ? (value as ProcessLine) : undefined
  } catch {
    return undefined
  }
}

export interface Percentiles {
  readonly p50: number
  readonly p99: number
}

/** Nearest rank, in the unit of the samples, to three decimals; zeros where there is none. */
export function percentiles(samples: readonly number[]): Percentiles {
  const sorted = [...samples].sort((a, b) => a - b)
  const rank = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  const round = (value: number) => Math.round(value * 1000) / 1000
  return { p50: round(rank(0.5)), p99: round(rank(0.99)) }
}

export type { RoundResult }
