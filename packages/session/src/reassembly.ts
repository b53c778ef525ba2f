// Large messages arrive in parts. Parts are kept as views and joined once, when the last is there. Bounded
// in messages, in bytes of each, in bytes of all and in parts of all: what a part costs us is its object and
// the record that its view keeps alive, whatever its length, so short parts are copied and all are counted.

import { messageFlags } from '@myelin/wire'
import {
  partCopiedBytesMax,
  reassembliesMax,
  reassemblyFullMessagesMax,
  reassemblyPartsMax,
} from './limits.ts'

export interface Assembled {
  readonly flags: number
  readonly typeId: number
  readonly id: number
  readonly timestamp: number
  readonly payload: Uint8Array
  /** What the message cost in credit, all parts together. */
  readonly costBytes: number
}

interface Partial {
  readonly flags: number
  readonly typeId: number
  readonly id: number
  readonly timestamp: number
  readonly parts: Uint8Array[]
  bytes: number
  costBytes: number
}

export type ReassemblyFault = 'too_large' | 'too_many' | 'unknown_message' | 'repeated_message'

export class Reassembly {
  // Made with the first message in parts.
  #partials: Map<number, Partial> | undefined
  readonly #messageBytesMax: number
  #bytes = 0
  #parts = 0

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The first part of a message. */
  start(first: Omit<Assembled, 'costBytes'>, costBytes: number): ReassemblyFault | undefined {
    const key = keyOf(first.id, first.flags)
    this.#partials ??= new Map()
    if (this.#partials.has(key)) return 'repeated_message'
    if (this.#partials.size >= reassembliesMax) return 'too_many'
    const { flags, typeId, id, timestamp, payload } = first
    this.#partials.set(key, { flags, typeId, id, timestamp, parts: [], bytes: 0, costBytes: 0 })
    return this.#add(key, payload, costBytes)
  }

  /** A later part: the whole message where it was the last, undefined where more follow. */
  add(
    flags: number,
    id: number,
    payload: Uint8Array,
    costBytes: number,
  ): Assembled | ReassemblyFault | undefined {
    const key = keyOf(id, flags)
    const fault = this.#add(key, payload, costBytes)
    if (fault !== undefined) return fault
    return (flags & messageFlags.more) === 0 ? this.#finish(key) : undefined
  }

  clear(): void {
    this.#partials = undefined
    this.#bytes = 0
    this.#parts = 0
  }

  #add(key: number, payload: Uint8Array, costBytes: number): ReassemblyFault | undefined {
    const partial = this.#partials?.get(key)
    if (partial === undefined) return 'unknown_message'
    if (partial.bytes + payload.length > this.#messageBytesMax) return 'too_large'
    if (this.#bytes + payload.length > reassemblyFullMessagesMax * this.#messageBytesMax)
      return 'too_many'
    if (this.#parts >= reassemblyPartsMax) return 'too_many'
    partial.parts.push(payload.length < partCopiedBytesMax ? payload.slice() : payload)
    this.#parts += 1
    partial.bytes += payload.length
    partial.costBytes += costBytes
    this.#bytes += payload.length
    return undefined
  }

  #finish(key: number): Assembled {
    const partial = this.#partials?.get(key) as Partial
    this.#partials?.delete(key)
    this.#bytes -= partial.bytes
    this.#parts -= partial.parts.length
    // Every byte is written below, so the memory need not be cleared first.
    const payload = new Uint8Array(Buffer.allocUnsafeSlow(partial.bytes).buffer)
    let offset = 0
    for (const part of partial.parts) {
      payload.set(part, offset)
      offset += part.length
    }
    const { flags, typeId, id, timestamp, costBytes } = partial
    return { flags: flags & ~messageFlags.more, typeId, id, timestamp, payload, costBytes }
  }
}

/** Requests and responses number their messages apart. */
function keyOf(id: number, flags: number): number {
  return id * 2 + ((flags & messageFlags.response) === 0 ? 0 : 1)
}
