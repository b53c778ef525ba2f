// Dialling: one promise over connect, failure and abort, with nothing left behind. A dial may have several steps
// (TCP, then TLS, then WebSocket): each is an attempt of its own, begun in the turn in which the last one ended,
// so that at no time an error of the socket has no listener.

import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { abortedError, resetError, systemCode, TransportError, transportErrorOf } from './errors.ts'

export interface Attempt<Source extends EventEmitter, Outcome> {
  /** What is attempted, for messages: `cannot dial /ip4/…`. */
  readonly what: string
  readonly signal: AbortSignal | undefined
  /** The event that says that it is done. */
  readonly event: string
  /** Starts it. */
  open(): Source
  /** Drops what was begun. */
  stop(source: Source): void
  /** Takes over what was begun, in the turn in which it was done. */
  wrap(source: Source): Outcome | Promise<Outcome>
  /** Explains an error that no system code explains. */
  explain?(cause: Error): Error
}

export type NetDial<Outcome> = Pick<Attempt<Socket, Outcome>, 'what' | 'signal' | 'open' | 'wrap'>

/** Connects a socket of node:net. */
export function dialNet<Outcome>(dial: NetDial<Outcome>): Promise<Outcome> {
  return attempt({ ...dial, event: 'connect', stop: (socket) => socket.destroy() })
}

export function attempt<Source extends EventEmitter, Outcome>(
  step: Attempt<Source, Outcome>,
): Promise<Outcome> {
  const { what, signal } = step
  if (signal?.aborted) return Promise.reject(abortedError(what, signal.reason))
  return new Promise((resolve, reject) => {
    let source: Source
    try {
      source = step.open()
    } catch (cause) {
      reject(transportErrorOf(cause, what))
      return
    }
    const release = () => {
      source.off(step.event, onDone)
      source.off('close', onClose)
      signal?.removeEventListener('abort', onAbort)
    }
    const onDone = () => {
      release()
      source.off('error', onError)
      try {
        resolve(step.wrap(source))
      } catch (cause) {
        source.on('error', () => {})
        step.stop(source)
        reject(transportErrorOf(cause, what))
      }
    }
    // Stays on after a failure: a socket may report more than one error, and none may be unhandled.
    const onError = (cause: Error) => {
      release()
      reject(explained(step, cause))
    }
    const onClose = () => {
      release()
      reject(resetError(what))
    }
    const onAbort = () => {
      release()
      reject(abortedError(what, signal?.reason))
      step.stop(source)
    }
    source.on(step.event, onDone)
    source.on('error', onError)
    source.on('close', onClose)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

function explained(
  { what, explain }: Pick<Attempt<EventEmitter, unknown>, 'what' | 'explain'>,
  cause: Error,
): Error {
  const isNamed = cause instanceof TransportError || systemCode(cause) !== undefined
  return isNamed || explain === undefined ? transportErrorOf(cause, what) : explain(cause)
}
