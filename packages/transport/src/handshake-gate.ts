// Where accepted connections wait until their TLS and WebSocket handshakes are done: only so many at once, and
// only so long, counted from the accept, so that a peer which trickles bytes gains nothing.

import type { Socket } from 'node:net'
import type { Logger } from '@myelin/base'
import { integerOption } from './errors.ts'
import {
  handshakesPendingDefault,
  handshakesPendingMax,
  handshakeTimeoutMsDefault,
  handshakeTimeoutMsMax,
} from './limits.ts'
import { SparseLog } from './sparse-log.ts'

export interface HandshakeOptions {
  /** Accepted connections that may be in their handshake at once; one beyond is closed. 256 by default. */
  readonly handshakesPendingMax?: number
  /** Time for all handshakes of an accepted connection. 10 s by default. */
  readonly handshakeTimeoutMs?: number
}

export interface HandshakeBounds {
  readonly pendingMax: number
  readonly timeoutMs: number
}

export function handshakeBounds(options: HandshakeOptions): HandshakeBounds {
  const { handshakesPendingMax: pending = handshakesPendingDefault } = options
  const { handshakeTimeoutMs = handshakeTimeoutMsDefault } = options
  return {
    pendingMax: integerOption('handshakesPendingMax', pending, 1, handshakesPendingMax),
    timeoutMs: integerOption('handshakeTimeoutMs', handshakeTimeoutMs, 1, handshakeTimeoutMsMax),
  }
}

/** A connection in the gate. */
export interface Guest {
  readonly socket: Socket
  /** The handshakes are done: the connection goes on without the gate. */
  leave(): void
  /** They failed: the connection is reset. */
  fail(reason: string): void
  /** They failed, and the peer is being told: the connection ends by other hands. */
  noteFailure(reason: string): void
}

export class HandshakeGate {
  readonly #bounds: HandshakeBounds
  readonly #guests = new Map<Socket, NodeJS.Timeout>()
  readonly #failures: SparseLog
  #isClosed = false

  constructor(bounds: HandshakeBounds, logger: Logger, what: string) {
    this.#bounds = bounds
    this.#failures = new SparseLog(logger, 'transport_handshake_failed', { what })
  }

  /** Lets a connection in, or ends it and says undefined. */
  enter(socket: Socket): Guest | undefined {
    // Until a stream owns it nobody else may hear of its errors, and none may be unhandled.
    socket.on('error', () => {})
    if (this.#isClosed || this.#guests.size >= this.#bounds.pendingMax) {
      this.#drop(socket, 'too many handshakes are pending')
      return undefined
    }
    const timer = setTimeout(() => this.#drop(socket, 'it took too long'), this.#bounds.timeoutMs)
    this.#guests.set(socket, timer)
    socket.once('close', () => this.#forget(socket))
    return {
      socket,
      leave: () => this.#forget(socket),
      fail: (reason) => this.#drop(socket, reason),
      noteFailure: (reason) => this.#note(socket, reason),
    }
  }

  /** Ends all that wait. */
  close(): void {
    this.#isClosed = true
    for (const socket of [...this.#guests.keys()]) {
      this.#forget(socket)
      socket.destroy()
    }
  }

  #drop(socket: Socket, reason: string): void {
    this.#forget(socket)
    this.#note(socket, reason)
    socket.resetAndDestroy()
  }

  #note(socket: Socket, reason: string): void {
    this.#failures.note({ reason, remoteAddress: socket.remoteAddress })
  }

  #forget(socket: Socket): void {
    clearTimeout(this.#guests.get(socket))
    this.#guests.delete(socket)
  }
}
