// Dialling with node:net: one promise over connect, failure and abort, with nothing left behind.

import type { Socket } from 'node:net'
import { abortedError, transportErrorOf } from './errors.ts'
import type { ByteStream } from './ports.ts'

export interface NetDial {
  /** What is attempted, for messages: `cannot dial /ip4/…`. */
  readonly what: string
  readonly signal: AbortSignal | undefined
  /** Starts to connect. */
  open(): Socket
  /** Makes the stream of the connected socket, in the turn in which it connected. */
  wrap(socket: Socket): ByteStream
}

export function dialNet({ what, signal, open, wrap }: NetDial): Promise<ByteStream> {
  if (signal?.aborted) return Promise.reject(abortedError(what, signal.reason))
  return new Promise((resolve, reject) => {
    let socket: Socket
    try {
      socket = open()
    } catch (cause) {
      reject(transportErrorOf(cause, what))
      return
    }
    const release = () => {
      socket.off('connect', onConnect)
      signal?.removeEventListener('abort', onAbort)
    }
    const onConnect = () => {
      release()
      socket.off('error', onError)
      resolve(wrap(socket))
    }
    // Stays on after a failure: a socket may report more than one error, and none may be unhandled.
    const onError = (cause: Error) => {
      release()
      reject(transportErrorOf(cause, what))
    }
    const onAbort = () => {
      release()
      reject(abortedError(what, signal?.reason))
      socket.destroy()
    }
    socket.on('connect', onConnect)
    socket.on('error', onError)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
