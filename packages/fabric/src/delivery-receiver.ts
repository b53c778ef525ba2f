// The receiving side of acknowledged messages (R090, R091): each message of a sender's incarnation is given to its
// handler once, in the order of the numbers, and what became of it is told until the sender knows.
//
// Everything here comes from a peer that may have turned: numbers out of order, far ahead or of too many
// incarnations end the session, and what is remembered is bounded for each sender and for all.

import type { Clock } from '@myelin/base'
import type { SecurityLog } from '@myelin/guard'
import type { AgentId } from '@myelin/identity'
import { type IncomingMessage, SessionError } from '@myelin/session'
import { deliveryAckTypeName } from '@myelin/wire'
import {
  type AckFailure,
  type DeliveryFrame,
  decodeDelivery,
  encodeDeliveryAck,
} from './delivery-codec.ts'
import type { Deliverable } from './dispatcher.ts'
import * as limits from './limits.ts'
import type { Link } from './links.ts'

export interface DeliveryReceiverParts {
  readonly clock: Clock
  readonly log: SecurityLog
  /** An open session with the peer, whichever. */
  link(agent: AgentId): Link | undefined
  dispatch(message: Deliverable, from: AgentId, link: Link): void
}

export interface DeliveryCounts {
  /** Messages that were given to a handler, and those that came again. */
  delivered: number
  duplicates: number
}

/** What became of a message; undefined while its handler runs. */
interface Outcome {
  failure: AckFailure | undefined
  isKnown: boolean
}

/** What is remembered of one incarnation of a sender. */
interface Memory {
  readonly agent: AgentId
  readonly incarnation: string
  /** The next number that is new. */
  expected: number
  /** The sender knows what became of all below. */
  floor: number
  /** From the floor on. */
  readonly outcomes: Map<number, Outcome>
  /** Numbers whose outcome is to be told. */
  readonly untold: Set<number>
  isTellingDue: boolean
  running: number
  heardMs: number
}

type Refusal = 'gap' | 'too-fast' | 'too-many-incarnations' | 'too-many-senders'

export class DeliveryReceiver {
  readonly counts: DeliveryCounts = { delivered: 0, duplicates: 0 }
  readonly #parts: DeliveryReceiverParts
  readonly #senders = new Map<AgentId, Map<string, Memory>>()

  constructor(parts: DeliveryReceiverParts) {
    this.#parts = parts
  }

  /** Senders and numbers that are remembered. */
  get remembered(): { readonly senders: number; readonly messages: number } {
    let messages = 0
    for (const memories of this.#senders.values())
      for (const { outcomes } of memories.values()) messages += outcomes.size
    return { senders: this.#senders.size, messages }
  }

  /** A frame of the type `delivery`. */
  receive(carrier: IncomingMessage, from: AgentId, link: Link): void {
    const frame = decodeDelivery(carrier.payload)
    const refusal = frame.ok ? this.#take(frame.value, carrier, from, link) : frame.fault
    if (refusal === undefined) return
    carrier.release()
    endBadSession(link, this.#parts.log, `delivery: ${refusal}`)
  }

  /** Tells what was left untold: there is room again. */
  drained(agent: AgentId): void {
    for (const memory of this.#senders.get(agent)?.values() ?? []) this.#tell(memory)
  }

  /** Tells everything, before the sessions end. */
  flush(): void {
    for (const agent of this.#senders.keys()) this.drained(agent)
  }

  /** Undefined: taken. */
  #take(
    frame: DeliveryFrame,
    carrier: IncomingMessage,
    from: AgentId,
    link: Link,
  ): Refusal | undefined {
    const memory = this.#memoryOf(from, frame)
    if (typeof memory === 'string') return memory
    memory.heardMs = this.#parts.clock.monotonicMs()
    const { kind, sequence } = frame
    if (kind !== 'sync' && sequence > memory.expected) return 'gap'
    // A message for a handler is counted where it is given to it.
    const isNew = kind === 'message' && sequence === memory.expected
    if (!isNew && !link.gate.metered(kind, carrier.payload.length)) return 'too-fast'
    raiseFloor(memory, frame.floor)
    if (kind === 'sync' || sequence < memory.expected) {
      if (kind !== 'sync') {
        this.counts.duplicates += 1
        this.#toTell(memory, sequence)
      }
      carrier.release()
      return undefined
    }
    memory.expected = sequence + 1
    const outcome: Outcome = { failure: undefined, isKnown: false }
    memory.outcomes.set(sequence, outcome)
    if (kind === 'void') {
      carrier.release()
      outcome.isKnown = true
      this.#toTell(memory, sequence)
      return undefined
    }
    this.counts.delivered += 1
    memory.running += 1
    const settled = (code?: number, text = '') => {
      memory.running -= 1
      outcome.isKnown = true
      if (code !== undefined) outcome.failure = { sequence, code, text: clipped(text) }
      this.#toTell(memory, sequence)
    }
    this.#parts.dispatch(new AcknowledgedMessage(carrier, frame, settled), from, link)
    return undefined
  }

  #memoryOf(agent: AgentId, { incarnation, floor }: DeliveryFrame): Memory | Refusal {
    let memories = this.#senders.get(agent)
    const known = memories?.get(incarnation)
    if (known !== undefined) return known
    this.#forgetOld()
    if (memories === undefined) {
      if (this.#senders.size >= limits.deliveryPeersMax) return 'too-many-senders'
      memories = new Map()
    }
    if (memories.size >= limits.incarnationsMax && !forgetOldest(memories))
      return 'too-many-incarnations'
    // Only now: `forgetOld` may have taken an empty one away.
    this.#senders.set(agent, memories)
    const memory: Memory = {
      agent,
      incarnation,
      expected: floor,
      floor,
      outcomes: new Map(),
      untold: new Set(),
      isTellingDue: false,
      running: 0,
      heardMs: 0,
    }
    memories.set(incarnation, memory)
    return memory
  }

  /** Those whose messages are all past their time. */
  #forgetOld(): void {
    const beforeMs = this.#parts.clock.monotonicMs() - limits.deliveryMemoryMs
    for (const [agent, memories] of this.#senders) {
      for (const [incarnation, { running, heardMs }] of memories)
        if (running === 0 && heardMs < beforeMs) memories.delete(incarnation)
      if (memories.size === 0) this.#senders.delete(agent)
    }
  }

  #toTell(memory: Memory, sequence: number): void {
    if (memory.outcomes.get(sequence)?.isKnown !== true) return
    memory.untold.add(sequence)
    if (memory.isTellingDue) return
    memory.isTellingDue = true
    // Everything of this turn goes in one acknowledgement, and in one record with what else is sent in it.
    this.#parts.clock.defer(() => {
      memory.isTellingDue = false
      this.#tell(memory)
    })
  }

  #tell(memory: Memory): void {
    const { agent, incarnation, untold, outcomes } = memory
    while (untold.size > 0) {
      const link = this.#parts.link(agent)
      // The sender asks again in its next session.
      if (link === undefined) {
        untold.clear()
        return
      }
      const ranges: [number, number][] = []
      const failures: AckFailure[] = []
      const told: number[] = []
      for (const sequence of [...untold].sort((a, b) => a - b)) {
        if (ranges.length === limits.ackRangesMax || failures.length === limits.ackFailuresMax)
          break
        told.push(sequence)
        const outcome = outcomes.get(sequence)
        if (outcome === undefined) continue
        const last = ranges.at(-1)
        if (outcome.failure !== undefined) failures.push(outcome.failure)
        else if (last?.[1] === sequence) last[1] = sequence + 1
        else ranges.push([sequence, sequence + 1])
      }
      try {
        if (ranges.length + failures.length > 0)
          link.session.post(
            deliveryAckTypeName,
            encodeDeliveryAck({ incarnation, ranges, failures }),
          )
      } catch (error) {
        if (!(error instanceof SessionError)) throw error
        // Full: told at the drain. Over: the sender asks again.
        if (error.code !== 'SESSION_QUEUE_FULL') untold.clear()
        return
      }
      for (const sequence of told) untold.delete(sequence)
    }
  }
}

/** An acknowledged message on its way to its handler; what the handler does becomes its outcome. */
class AcknowledgedMessage implements Deliverable {
  readonly kind = 'message'
  readonly isAcknowledged = true
  readonly type: string
  readonly payload: Uint8Array
  readonly timestampMs: number
  readonly priority: IncomingMessage['priority']
  readonly #carrier: IncomingMessage
  readonly #settled: (code?: number, text?: string) => void
  #failure: { readonly code: number; readonly text: string } | undefined
  #isReleased = false

  constructor(
    carrier: IncomingMessage,
    { type, payload }: DeliveryFrame,
    settled: (code?: number, text?: string) => void,
  ) {
    this.#carrier = carrier
    this.#settled = settled
    this.type = type
    this.payload = payload
    this.timestampMs = carrier.timestampMs
    this.priority = carrier.priority
  }

  reply(): boolean {
    return false
  }

  fail(code: number, text: string): boolean {
    this.#failure ??= { code, text }
    return true
  }

  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#carrier.release()
    this.#settled(this.#failure?.code, this.#failure?.text)
  }
}

/** No correct peer does this: counted, and its session ends. What it may resume it resumes in another. */
export function endBadSession(link: Link, log: SecurityLog, detail: string): void {
  const { agent } = link.session.peer
  log.record({ kind: 'delivery-invalid', severity: 'alert', agent, detail })
  void link.session.close('SESSION_CLOSED', 'acknowledged messages out of order')
}

function raiseFloor(memory: Memory, floor: number): void {
  if (floor <= memory.floor) return
  for (const sequence of memory.outcomes.keys()) {
    if (sequence >= floor) break
    memory.outcomes.delete(sequence)
    memory.untold.delete(sequence)
  }
  memory.floor = floor
  memory.expected = Math.max(memory.expected, floor)
}

function forgetOldest(memories: Map<string, Memory>): boolean {
  let oldest: Memory | undefined
  for (const memory of memories.values())
    if (memory.running === 0 && memory.heardMs < (oldest?.heardMs ?? Number.POSITIVE_INFINITY))
      oldest = memory
  return oldest !== undefined && memories.delete(oldest.incarnation)
}

/** A text of an error of ours: short ones stay as they are. */
function clipped(text: string): string {
  return text.length * 3 <= limits.ackTextBytesMax
    ? text
    : text.slice(0, Math.floor(limits.ackTextBytesMax / 3))
}
