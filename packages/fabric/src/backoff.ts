// How long to wait before the next attempt: exponential with full jitter (Brooker, "Exponential Backoff And
// Jitter"), so that a thousand peers that lost the same server do not come back in step.

import type { Random } from '@myelin/base'

export interface BackoffOptions {
  /** The bound of the first wait, in ms. */
  readonly firstMs?: number
  readonly maxMs?: number
}

/** Milliseconds before attempt `attempt` (1 for the first repetition): uniform in [0, first · 2^(attempt-1)]. */
export function backoffMs(
  attempt: number,
  random: Random,
  { firstMs = 100, maxMs = 30_000 }: BackoffOptions = {},
): number {
  const bound = Math.min(maxMs, firstMs * 2 ** Math.min(attempt - 1, 30))
  const word = new DataView(random.fill(new Uint8Array(4)).buffer).getUint32(0)
  return (word / 2 ** 32) * bound
}
