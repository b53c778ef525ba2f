// A dial with an end: the clock's deadline and the caller's signal as one signal for the transport.

import { BaseError, type Clock, withDeadline } from '@myelin/base'
import { integerOption, TransportError } from './errors.ts'
import { dialTimeoutMsMax } from './limits.ts'
import type { ByteStream, StreamTransport } from './ports.ts'

export interface DialDeadlineOptions {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/** Dials, or gives up with `TRANSPORT_TIMEOUT` after `timeoutMs`; the attempt itself is stopped then. */
export async function dialWithDeadline(
  transport: StreamTransport,
  address: string,
  options: DialDeadlineOptions,
): Promise<ByteStream> {
  const { clock, signal } = options
  const timeoutMs = integerOption('timeoutMs', options.timeoutMs, 1, dialTimeoutMsMax)
  const stop = new AbortController()
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
  const work = transport.dial(address, { signal: either })
  try {
    return await withDeadline(work, { clock, timeoutMs, what: `the dial of ${address}` })
  } catch (cause) {
    if (!(cause instanceof BaseError) || cause.code !== 'BASE_DEADLINE') throw cause
    // A stream that arrives all the same, between the deadline and the abort, has no owner.
    work.then((stream) => stream.destroy()).catch(() => {})
    stop.abort(cause)
    const message = `cannot dial ${address}: ${cause.message}`
    throw new TransportError('TRANSPORT_TIMEOUT', message, { cause, kind: 'recoverable' })
  }
}
