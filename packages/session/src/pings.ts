// Pings that wait for their pong. A nonce is a counter: inside sealed records nobody can guess or forge it.

import type { Clock } from '@myelin/base'
import { SessionError } from './errors.ts'
import { pingsMax } from './limits.ts'

const nonceBytes = 8

interface Waiting {
  readonly sentMs: number
  readonly receivedBytes: number
  readonly resolve: (roundTripMs: number) => void
  readonly reject: (error: SessionError) => void
}

export class Pings {
  readonly #clock: Clock
  // Made with the first ping: most sessions are too busy to need one.
  #waiting: Map<number, Waiting> | undefined
  #next = 1

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `receivedBytes` is what had come until now. */
  start(receivedBytes: number): { nonce: Uint8Array; answer: Promise<number> } {
    this.#waiting ??= new Map()
    const number = this.#next
    this.#next += 1
    if (this.#waiting.size >= pingsMax) this.#forgetOldest(this.#waiting)
    const nonce = new Uint8Array(nonceBytes)
    new DataView(nonce.buffer).setFloat64(0, number)
    const answer = new Promise<number>((resolve, reject) => {
      const sentMs = this.#clock.monotonicMs()
      this.#waiting?.set(number, { sentMs, receivedBytes, resolve, reject })
    })
    return { nonce, answer }
  }

  /** The round trip in milliseconds, and what had come when it began. A pong that answers no ping is ignored. */
  answer(nonce: Uint8Array): { roundTripMs: number; receivedBytes: number } | undefined {
    const number = new DataView(nonce.buffer, nonce.byteOffset, nonceBytes).getFloat64(0)
    const waiting = this.#waiting?.get(number)
    if (waiting === undefined) return undefined
    this.#waiting?.delete(number)
    const roundTripMs = this.#clock.monotonicMs() - waiting.sentMs
    waiting.resolve(roundTripMs)
    return { roundTripMs, receivedBytes: waiting.receivedBytes }
  }

  /** It has waited while many later ones were sent, so nobody shall wait for it any longer. */
  #forgetOldest(waiting: Map<number, Waiting>): void {
    const [number, oldest] = waiting.entries().next().value as [number, Waiting]
    waiting.delete(number)
    const message = `a ping is unanswered after ${pingsMax} later ones; send fewer at once`
    oldest.reject(new SessionError('SESSION_REQUEST_TIMEOUT', message, { kind: 'recoverable' }))
  }

  failAll(error: SessionError): void {
    for (const waiting of this.#waiting?.values() ?? []) waiting.reject(error)
    this.#waiting = undefined
  }
}
