// Waiting with an end: a promise raced against a clock and an AbortSignal, with nothing left behind.

import { BaseError } from './errors.ts'
import type { Clock, Timer } from './ports.ts'

export interface DeadlineOptions {
  readonly clock: Clock
  /** Milliseconds; undefined waits without end. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** What was awaited, for the message: `the handshake`. */
  readonly what: string
}

/**
 * Settles as `work` does, or rejects with `BASE_DEADLINE` after `timeoutMs`, or with the signal's reason.
 * The loser keeps running: pass the same signal into `work` if it can be stopped.
 */
export function withDeadline<Value>(
  work: Promise<Value>,
  options: DeadlineOptions,
): Promise<Value> {
  const { clock, timeoutMs, signal, what } = options
  if (signal?.aborted) {
    work.catch(() => {})
    return Promise.reject(signal.reason)
  }
  return new Promise<Value>((resolve, reject) => {
    let timer: Timer | undefined
    const onAbort = () => settle(() => reject(signal?.reason))
    const settle = (finish: () => void) => {
      timer?.cancel()
      signal?.removeEventListener('abort', onAbort)
      finish()
    }
    if (timeoutMs !== undefined) {
      timer = clock.setTimer(timeoutMs, () => {
        const message = `${what} took longer than ${timeoutMs} ms; raise the timeout or check the peer`
        settle(() => reject(new BaseError('BASE_DEADLINE', message, { kind: 'recoverable' })))
      })
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    work.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    )
  })
}

/** Resolves after `delayMs` of the clock, or rejects with the signal's reason. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason)
      return
    }
    const onAbort = () => {
      timer.cancel()
      reject(signal?.reason)
    }
    const wake = () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }
    const timer = clock.setTimer(delayMs, wake, { keepsAlive: true })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
