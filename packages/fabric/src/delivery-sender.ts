// The sending side of acknowledged messages (R090, R092): an outbox for each peer, from which messages go in their
// order, again in each new session, until the peer says what became of them or their time is over.
//
// Numbers are given as messages leave, so one that is given up before leaves no hole. One that is given up later
// becomes a void message of the same number. In one session numbers only rise by one; each session begins with the
// lowest number that is not acknowledged, so the receiver needs no buffer to restore the order.

import { type Clock, emptyBytes, hexEncode, type Random, type Timer } from '@myelin/base'
import type { AgentId } from '@myelin/identity'
import { SessionError } from '@myelin/session'
import { deliveryTypeName } from '@myelin/wire'
import {
  type DeliveryAck,
  encodeDelivery,
  encodeSync,
  encodeVoid,
  incarnationBytes,
  numberDelivery,
} from './delivery-codec.ts'
import { FabricError, failureOfNumber } from './errors.ts'
import * as limits from './limits.ts'
import type { Link } from './links.ts'

export interface OutboxOptions {
  /** Messages, and bytes, for one peer that are not acknowledged yet. */
  readonly outboxMessagesMax?: number
  readonly outboxBytesMax?: number
  /** How long a message is tried unless its sender says. */
  readonly ttlMs?: number
}

export interface DeliverySenderParts {
  readonly clock: Clock
  readonly random: Random
  readonly options: OutboxOptions
  /** The session that new messages take. */
  link(agent: AgentId): Link | undefined
  /** Keeps the peer connected, until disposed. */
  keep(agent: AgentId): Disposable
  /** Throws where the peer may not be sent the type. */
  requireAllowed(link: Link, type: string): void
}

export interface AcknowledgedOptions {
  readonly ttlMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** One message until its end. */
interface Pending {
  readonly type: string
  /** Empty once it has been given up. */
  frame: Uint8Array
  readonly deadlineMs: number
  /** Undefined before it has left for the first time. */
  sequence: number | undefined
  settle: ((error?: unknown) => void) | undefined
  /** The peer has said what became of it. */
  isDone: boolean
}

interface Outbox {
  readonly agent: AgentId
  readonly incarnation: Uint8Array
  readonly incarnationText: string
  /** Not numbered yet. */
  readonly queue: Set<Pending>
  /** From the lowest that is not acknowledged to the last that has left, by number, which is the order too. */
  readonly flight: Map<number, Pending>
  /** What of them has not been sent in the present session yet. */
  again: IterableIterator<Pending> | undefined
  next: number
  bytes: number
  /** Messages that somebody still waits for. */
  live: number
  link: Link | undefined
  isBlocked: boolean
  kept: Disposable | undefined
  timer: { readonly atMs: number; readonly timer: Timer } | undefined
  isPumping: boolean
}

export class DeliverySender {
  readonly #parts: DeliverySenderParts
  readonly #options: Required<OutboxOptions>
  readonly #outboxes = new Map<AgentId, Outbox>()
  #bytes = 0
  #closed: unknown

  constructor(parts: DeliverySenderParts) {
    this.#parts = parts
    this.#options = {
      outboxMessagesMax: limits.outboxMessagesMax,
      outboxBytesMax: limits.outboxBytesMax,
      ttlMs: limits.deliveryTtlMs,
      ...parts.options,
    }
  }

  /** Messages and bytes that are not acknowledged yet. */
  get pending(): { readonly messages: number; readonly bytes: number } {
    let messages = 0
    for (const { live } of this.#outboxes.values()) messages += live
    return { messages, bytes: this.#bytes }
  }

  hasPending(agent: AgentId): boolean {
    return (this.#outboxes.get(agent)?.live ?? 0) > 0
  }

  /** Resolves when the peer has handled the message; rejects with why it has not, or why nobody knows. */
  send(
    agent: AgentId,
    type: string,
    payload: Uint8Array,
    { ttlMs = this.#options.ttlMs, signal }: AcknowledgedOptions,
  ): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    requireTtl(ttlMs)
    const outbox = this.#outboxOf(agent)
    const frame = encodeDelivery(outbox.incarnation, type, payload)
    this.#requireRoom(outbox, frame.length)
    const deadlineMs = this.#parts.clock.monotonicMs() + ttlMs
    return new Promise<void>((resolve, reject) => {
      const onAbort = () => this.#giveUp(outbox, pending, signal?.reason)
      const pending: Pending = {
        type,
        frame,
        deadlineMs,
        sequence: undefined,
        isDone: false,
        settle: (error) => {
          signal?.removeEventListener('abort', onAbort)
          if (error === undefined) resolve()
          else reject(error)
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      outbox.queue.add(pending)
      outbox.live += 1
      outbox.bytes += frame.length
      this.#bytes += frame.length
      this.#watchDeadline(outbox, deadlineMs)
      this.pump(agent)
    })
  }

  /** Sends what may be sent now. Called whenever a session has opened, ended or has room again. */
  pump(agent: AgentId, drained?: Link): void {
    const outbox = this.#outboxes.get(agent)
    if (outbox === undefined) return
    if (drained !== undefined && drained === outbox.link) outbox.isBlocked = false
    if (outbox.link?.session.isOpen === false) outbox.link = undefined
    // A session may tell of its end, or of room, while it is being given a message.
    if (outbox.isPumping) return
    const link = this.#parts.link(agent)
    if (link === undefined) {
      if (outbox.live > 0) outbox.kept ??= this.#parts.keep(agent)
      return
    }
    outbox.isPumping = true
    try {
      if (link !== outbox.link) this.#begin(outbox, link)
      while (!outbox.isBlocked && this.#sendOne(outbox, link)) {}
    } catch (error) {
      if (!(error instanceof SessionError)) throw error
      // Full: it will drain. Over: another session will come.
      outbox.isBlocked = error.code === 'SESSION_QUEUE_FULL'
      if (!outbox.isBlocked) outbox.link = undefined
    } finally {
      outbox.isPumping = false
    }
    if (!link.session.isOpen) this.pump(agent)
  }

  /** The peer's word on some messages. False: it speaks of messages that were never sent. */
  acknowledged(agent: AgentId, ack: DeliveryAck): boolean {
    const outbox = this.#outboxes.get(agent)
    // Of an outbox that is gone: late, and no matter.
    if (outbox === undefined || outbox.incarnationText !== ack.incarnation) return true
    const { flight, next } = outbox
    const isKnown =
      ack.ranges.every(([, to]) => to <= next) &&
      ack.failures.every(({ sequence }) => sequence < next)
    if (!isKnown) return false
    for (const [from, to] of ack.ranges) {
      // A range is no longer than the window, so neither is the loop.
      for (let sequence = from; sequence < to; sequence += 1)
        this.#finish(outbox, flight.get(sequence))
    }
    for (const { sequence, code, text } of ack.failures) {
      const pending = flight.get(sequence)
      const message = `the peer did not handle "${pending?.type}": ${text}`
      const error = new FabricError(failureOfNumber(code), message, { kind: 'recoverable' })
      this.#finish(outbox, pending, error)
    }
    this.pump(agent)
    return true
  }

  close(reason: unknown): void {
    this.#closed = reason
    for (const outbox of this.#outboxes.values()) {
      outbox.timer?.timer.cancel()
      for (const pending of [...outbox.flight.values(), ...outbox.queue])
        this.#settle(outbox, pending, reason)
    }
    this.#outboxes.clear()
    this.#bytes = 0
  }

  #outboxOf(agent: AgentId): Outbox {
    const known = this.#outboxes.get(agent)
    if (known !== undefined) return known
    if (this.#outboxes.size >= limits.deliveryPeersMax) this.#forgetOne()
    const incarnation = this.#parts.random.fill(new Uint8Array(incarnationBytes))
    const outbox: Outbox = {
      agent,
      incarnation,
      incarnationText: hexEncode(incarnation),
      queue: new Set(),
      flight: new Map(),
      again: undefined,
      next: 0,
      bytes: 0,
      live: 0,
      link: undefined,
      isBlocked: false,
      kept: undefined,
      timer: undefined,
      isPumping: false,
    }
    this.#outboxes.set(agent, outbox)
    return outbox
  }

  /** An outbox without messages costs nothing to make anew: its next incarnation begins at 0. */
  #forgetOne(): void {
    for (const [agent, outbox] of this.#outboxes) {
      if (outbox.live > 0) continue
      this.#outboxes.delete(agent)
      this.#bytes -= outbox.bytes
      outbox.timer?.timer.cancel()
      return
    }
    throw full(`${limits.deliveryPeersMax} peers have unacknowledged messages`)
  }

  #requireRoom(outbox: Outbox, bytes: number): void {
    const { outboxMessagesMax, outboxBytesMax } = this.#options
    if (outbox.queue.size + outbox.flight.size >= outboxMessagesMax)
      throw full(`${outboxMessagesMax} messages wait for the peer`)
    if (outbox.bytes + bytes > outboxBytesMax) throw full(`${outbox.bytes} bytes wait for the peer`)
    if (this.#bytes + bytes > limits.outboxesBytesMax)
      throw full(`${this.#bytes} bytes wait for peers`)
  }

  /** A session that has carried nothing of this outbox: the lowest number first, then all that is unacknowledged. */
  #begin(outbox: Outbox, link: Link): void {
    outbox.link = link
    outbox.isBlocked = false
    if (outbox.flight.size === 0 && outbox.queue.size === 0) return
    outbox.again = outbox.flight.values()
    this.#post(outbox, link, encodeSync(outbox.incarnation, floorOf(outbox)))
  }

  #sendOne(outbox: Outbox, link: Link): boolean {
    const again = outbox.again?.next()
    if (again?.done === false) {
      this.#sendAgain(outbox, link, again.value)
      return true
    }
    outbox.again = undefined
    const floor = floorOf(outbox)
    if (outbox.next - floor >= limits.deliveryWindowMax) return false
    const [pending] = outbox.queue
    if (pending === undefined) return false
    if (!this.#isAllowed(outbox, link, pending)) return true
    numberDelivery(pending.frame, outbox.next, floor)
    try {
      this.#post(outbox, link, pending.frame)
    } catch (error) {
      if (!isTooLarge(error)) throw error
      this.#giveUp(outbox, pending, error)
      return true
    }
    outbox.queue.delete(pending)
    pending.sequence = outbox.next
    outbox.flight.set(outbox.next, pending)
    outbox.next += 1
    return true
  }

  #sendAgain(outbox: Outbox, link: Link, pending: Pending): void {
    const { sequence, settle } = pending
    if (sequence === undefined) return
    if (settle !== undefined && this.#isAllowed(outbox, link, pending)) {
      try {
        this.#post(outbox, link, pending.frame)
        return
      } catch (error) {
        if (!isTooLarge(error)) {
          // It has not left: it comes again, and all behind it.
          outbox.again = followingFrom(outbox, sequence)
          throw error
        }
        this.#giveUp(outbox, pending, error)
      }
    }
    this.#post(outbox, link, encodeVoid(outbox.incarnation, sequence, floorOf(outbox)))
  }

  #post(outbox: Outbox, link: Link, frame: Uint8Array): void {
    if (!link.session.post(deliveryTypeName, frame)) outbox.isBlocked = true
  }

  #isAllowed(outbox: Outbox, link: Link, pending: Pending): boolean {
    try {
      this.#parts.requireAllowed(link, pending.type)
      return true
    } catch (error) {
      this.#giveUp(outbox, pending, error)
      return false
    }
  }

  /** Nobody waits for it any more. Its number stays until the peer has it. */
  #giveUp(outbox: Outbox, pending: Pending, error: unknown): void {
    this.#release(outbox, pending)
    // The session may still have the bytes: they are let go of, not changed.
    pending.frame = emptyBytes
    outbox.queue.delete(pending)
    this.#settle(outbox, pending, error)
    this.#rest(outbox)
  }

  #finish(outbox: Outbox, pending: Pending | undefined, error?: unknown): void {
    if (pending === undefined) return
    this.#release(outbox, pending)
    pending.frame = emptyBytes
    pending.isDone = true
    this.#settle(outbox, pending, error)
    // A number stays until all before it are done: a receiver that has forgotten them must not miss one.
    for (const [sequence, { isDone }] of outbox.flight) {
      if (!isDone) break
      outbox.flight.delete(sequence)
    }
    this.#rest(outbox)
  }

  #settle(outbox: Outbox, pending: Pending, error: unknown): void {
    const { settle } = pending
    if (settle === undefined) return
    pending.settle = undefined
    outbox.live -= 1
    settle(error)
    if (outbox.live > 0) return
    outbox.kept?.[Symbol.dispose]()
    outbox.kept = undefined
  }

  #release(outbox: Outbox, { frame }: Pending): void {
    outbox.bytes -= frame.length
    this.#bytes -= frame.length
  }

  #rest(outbox: Outbox): void {
    if (outbox.queue.size > 0 || outbox.flight.size > 0) return
    outbox.timer?.timer.cancel()
    outbox.timer = undefined
  }

  /** One timer for an outbox: most messages are gone long before their time. */
  #watchDeadline(outbox: Outbox, deadlineMs: number): void {
    const { clock } = this.#parts
    if (outbox.timer !== undefined && outbox.timer.atMs <= deadlineMs) return
    outbox.timer?.timer.cancel()
    const timer = clock.setTimer(deadlineMs - clock.monotonicMs(), () => {
      outbox.timer = undefined
      const nowMs = clock.monotonicMs()
      let nextMs = Number.POSITIVE_INFINITY
      for (const pending of [...outbox.flight.values(), ...outbox.queue]) {
        if (pending.settle === undefined) continue
        if (pending.deadlineMs <= nowMs) this.#giveUp(outbox, pending, expired(pending))
        else nextMs = Math.min(nextMs, pending.deadlineMs)
      }
      if (nextMs < Number.POSITIVE_INFINITY) this.#watchDeadline(outbox, nextMs)
    })
    outbox.timer = { atMs: deadlineMs, timer }
  }
}

function floorOf({ flight, next }: Outbox): number {
  for (const sequence of flight.keys()) return sequence
  return next
}

function* followingFrom({ flight }: Outbox, from: number): IterableIterator<Pending> {
  for (const [sequence, pending] of flight) if (sequence >= from) yield pending
}

function isTooLarge(error: unknown): boolean {
  return error instanceof SessionError && error.code === 'SESSION_MESSAGE_TOO_LARGE'
}

function expired({ type, sequence }: Pending): FabricError {
  const known =
    sequence === undefined
      ? 'it never left, because no session was there or too many were before it'
      : 'it was sent, and nobody knows whether it was handled'
  const message = `"${type}" was not acknowledged in time: ${known}; raise ttlMs or see to the peer`
  return new FabricError('FABRIC_DELIVERY_TIMEOUT', message, { kind: 'recoverable' })
}

function full(fact: string): FabricError {
  const message = `${fact}, unacknowledged; await earlier sends, or raise delivery.outboxMessagesMax or delivery.outboxBytesMax`
  return new FabricError('FABRIC_OUTBOX_FULL', message, { kind: 'recoverable' })
}

function requireTtl(ttlMs: number): void {
  if (Number.isFinite(ttlMs) && ttlMs > 0 && ttlMs <= limits.deliveryTtlMsMax) return
  const message = `ttlMs is more than 0 and at most ${limits.deliveryTtlMsMax}, not ${ttlMs}`
  throw new FabricError('FABRIC_OPTION', message, { kind: 'usage' })
}
