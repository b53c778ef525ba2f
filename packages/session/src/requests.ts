// Requests that wait for their response, by message id.

import type { Clock, Timer } from '@myelin/base'
import { refusal, SessionError } from './errors.ts'
import type { IncomingMessage } from './incoming.ts'
import { requestsPendingMax, requestTimeoutMs } from './limits.ts'

export interface RequestOptions {
  /** Milliseconds; 60 s by default, since the other side may be a language model. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

interface Pending {
  readonly resolve: (response: IncomingMessage) => void
  readonly reject: (error: unknown) => void
  readonly timer: Timer
  readonly signal: AbortSignal | undefined
  readonly onAbort: (() => void) | undefined
}

export class Requests {
  // Made with the first request.
  #pending: Map<number, Pending> | undefined
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get pendingCount(): number {
    return this.#pending?.size ?? 0
  }

  get isFull(): boolean {
    return this.pendingCount >= requestsPendingMax
  }

  /** Waits for the response to the message `id`. */
  wait(id: number, options: RequestOptions): Promise<IncomingMessage> {
    const timeoutMs = options.timeoutMs ?? requestTimeoutMs
    return new Promise((resolve, reject) => {
      const { signal } = options
      const onAbort =
        signal === undefined ? undefined : () => this.#settle(id)?.reject(signal.reason)
      const timer = this.#clock.setTimer(timeoutMs, () => {
        const message = `no response within ${timeoutMs} ms; raise the timeout or check the peer's handler`
        this.#settle(id)?.reject(
          new SessionError('SESSION_REQUEST_TIMEOUT', message, { kind: 'recoverable' }),
        )
      })
      if (onAbort !== undefined) signal?.addEventListener('abort', onAbort, { once: true })
      this.#pending ??= new Map()
      this.#pending.set(id, { resolve, reject, timer, signal, onAbort })
    })
  }

  /** False: nobody waits (any more) for it. */
  resolve(id: number, response: IncomingMessage): boolean {
    const pending = this.#settle(id)
    pending?.resolve(response)
    return pending !== undefined
  }

  reject(id: number, error: unknown): boolean {
    const pending = this.#settle(id)
    pending?.reject(error)
    return pending !== undefined
  }

  /** The session is over. */
  rejectAll(error: SessionError): void {
    for (const id of [...(this.#pending?.keys() ?? [])]) {
      this.#settle(id)?.reject(refusal(error.code, { cause: error, kind: 'recoverable' }))
    }
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending?.get(id)
    if (pending === undefined) return undefined
    this.#pending?.delete(id)
    pending.timer.cancel()
    if (pending.onAbort !== undefined) pending.signal?.removeEventListener('abort', pending.onAbort)
    return pending
  }
}
