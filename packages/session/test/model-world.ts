// The real side of the model-based test: two agents, the sessions between them over a byte stream whose every
// delivery the test decides, and what can be seen of them from outside. Nothing here knows what is right.

import type { AgentKeys } from '@myelin/identity'
import {
  acceptSession,
  dialSession,
  type IncomingMessage,
  type Priority,
  type Session,
  type SessionEnvironment,
  type SessionHandlers,
  type SessionStream,
} from '@myelin/session'
import { VirtualClock } from '@myelin/testkit'
import { type ByteStream, MemoryStream } from '@myelin/transport'
import { party } from './pair.ts'

export const sides = ['near', 'far'] as const
export type Side = (typeof sides)[number]
export const other = (side: Side): Side => (side === 'near' ? 'far' : 'near')

export interface WorldOptions {
  readonly rekeyMessages: number
  readonly rekeyBytes: number
  readonly rekeyMs: number
  readonly dataWindowBytes: number
  readonly keys: Record<Side, AgentKeys>
}

/** What a reader of a stream has seen. */
export interface Reading {
  bytes: number
  /** `done`, or the code of an error. */
  end: string | undefined
  isIntact: boolean
}

export interface StreamEnd {
  readonly stream: SessionStream
  readonly reading: Reading
  /** Outcome of `closed()`. */
  closed: string | undefined
  /** Calls of `drained()` that wait. */
  waiting: number
  /** Its reader has left. */
  isAbandoned: boolean
}

export interface Arrival {
  readonly kind: string
  readonly priority: Priority
  readonly payload: Uint8Array
}

export interface Asked {
  /** `answered`, or the code of an error; nothing while it waits. */
  readonly outcome: { code?: string; value?: Uint8Array }
}

/** One session, as its two owners see it. */
export class Link {
  readonly session: Record<Side, Session>
  readonly raw: Record<Side, ByteStream>
  /** By stream id: what each side holds of it. */
  readonly ends: Record<Side, Map<number, StreamEnd>> = { near: new Map(), far: new Map() }
  readonly arrived: Record<Side, Arrival[]> = { near: [], far: [] }
  readonly requests: Record<Side, IncomingMessage[]> = { near: [], far: [] }
  readonly asked: Record<Side, Asked[]> = { near: [], far: [] }
  readonly pings: Record<Side, { outcome?: string }[]> = { near: [], far: [] }
  readonly ended: Record<Side, string[]> = { near: [], far: [] }
  readonly drains: Record<Side, number> = { near: 0, far: 0 }
  /** What must never happen, in words. */
  readonly faults: string[] = []

  constructor(session: Record<Side, Session>, raw: Record<Side, ByteStream>) {
    this.session = session
    this.raw = raw
  }
}

export class World {
  readonly clock = new VirtualClock()
  readonly isReading: Record<Side, boolean> = { near: true, far: true }
  link!: Link
  readonly #environment: Record<Side, SessionEnvironment>
  /** Deliveries that are due, in the order in which the streams asked for them. */
  readonly #due: (() => void)[] = []
  readonly #held: Record<Side, IncomingMessage[]> = { near: [], far: [] }
  readonly #gates: Record<Side, PromiseWithResolvers<void>[]> = { near: [], far: [] }
  readonly #byteAt: (id: number, writer: Side, offset: number) => number

  constructor(options: WorldOptions, byteAt: (id: number, writer: Side, offset: number) => number) {
    const { rekeyMessages: messages, rekeyBytes, rekeyMs, dataWindowBytes } = options
    const shared = {
      clock: this.clock,
      rekey: { messages, bytes: rekeyBytes, ms: rekeyMs },
      dataWindowBytes,
      // Silence is no fault here; heartbeats have tests of their own.
      heartbeatIntervalMs: 1e9,
    }
    this.#environment = {
      near: party({ ...shared, keys: options.keys.near }).environment,
      far: party({ ...shared, keys: options.keys.far }).environment,
    }
    this.#byteAt = byteAt
  }

  async connect(): Promise<void> {
    const { client, server } = MemoryStream.pair('/memory/near', '/memory/far', (callback) =>
      this.#due.push(callback),
    )
    const early: { link?: Link } = {}
    const handlers = { near: this.#handlers('near', early), far: this.#handlers('far', early) }
    const accepting = acceptSession(server, this.#environment.far, { handlers: handlers.far })
    const dialing = dialSession(client, this.#environment.near, { handlers: handlers.near })
    const both = Promise.all([dialing, accepting])
    await this.deliver()
    const [near, far] = await both
    this.link = new Link({ near, far }, { near: client, far: server })
    early.link = this.link
  }

  /** Lets the streams deliver, `steps` times or until they have nothing left. */
  async deliver(steps = 1_000_000): Promise<void> {
    await settle()
    for (let step = 0; step < steps; step += 1) {
      const next = this.#due.shift()
      if (next === undefined) return
      next()
      await settle()
    }
  }

  get isQuiet(): boolean {
    return this.#due.length === 0
  }

  /** Keeps what arrives unread, or takes up reading again. */
  setReading(side: Side, isReading: boolean): void {
    this.isReading[side] = isReading
    if (!isReading) return
    for (const message of this.#held[side].splice(0)) message.release()
    for (const gate of this.#gates[side].splice(0)) gate.resolve()
  }

  /** Takes a stream that was opened here, or arrived, and reads it as long as its side reads. */
  adopt(side: Side, stream: SessionStream, link: Link): StreamEnd {
    const reading: Reading = { bytes: 0, end: undefined, isIntact: true }
    const end: StreamEnd = { stream, reading, closed: undefined, waiting: 0, isAbandoned: false }
    link.ends[side].set(stream.id, end)
    stream.closed().then(
      () => (end.closed = 'closed'),
      (error) => (end.closed = codeOf(error)),
    )
    void this.#read(side, end)
    return end
  }

  async #read(side: Side, end: StreamEnd): Promise<void> {
    const { stream, reading } = end
    const chunks = stream[Symbol.asyncIterator]()
    const writer = other(side)
    try {
      for (;;) {
        if (!this.isReading[side]) await this.#gate(side)
        if (end.isAbandoned) break
        const next = await chunks.next()
        if (next.done === true) break
        for (const byte of next.value) {
          if (byte !== this.#byteAt(stream.id, writer, reading.bytes)) reading.isIntact = false
          reading.bytes += 1
        }
      }
      reading.end = 'done'
    } catch (error) {
      reading.end = codeOf(error)
    }
  }

  #gate(side: Side): Promise<void> {
    const gate = Promise.withResolvers<void>()
    this.#gates[side].push(gate)
    return gate.promise
  }

  #handlers(side: Side, early: { link?: Link }): SessionHandlers {
    const linkOf = (): Link => {
      if (early.link === undefined) throw new Error('something arrived before the session was made')
      return early.link
    }
    const alive = (what: string): Link => {
      const link = linkOf()
      if (link.ended[side].length > 0) link.faults.push(`${what} arrived at ${side} after the end`)
      return link
    }
    return {
      message: (message) => {
        const link = alive('a message')
        const { kind, priority, payload } = message
        link.arrived[side].push({ kind, priority, payload })
        if (kind === 'request') link.requests[side].push(message)
        if (this.isReading[side]) message.release()
        else this.#held[side].push(message)
      },
      stream: (stream) => {
        const link = alive('a stream')
        if (link.ends[side].has(stream.id)) link.faults.push(`stream ${stream.id} opened twice`)
        this.adopt(side, stream, link)
      },
      drain: () => {
        alive('a drain').drains[side] += 1
      },
      closed: (error) => {
        linkOf().ended[side].push(error.code)
      },
    }
  }
}

export function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? `${error}`
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
