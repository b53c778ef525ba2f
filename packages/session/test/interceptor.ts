// Somebody in between: two wires joined by a rule that sees every packet and decides what goes on instead.

import type { ByteStream } from '@myelin/transport'
import { encodePacket, PacketDecoder } from '@myelin/wire'
import { wire } from './pair.ts'

export type Direction = 'toResponder' | 'toInitiator'

export interface Packet {
  readonly flags: number
  readonly payload: Uint8Array
  /** Header and payload, as they came. */
  readonly bytes: Uint8Array
}

/** What goes on instead of the packet; `index` counts the packets of this direction. */
export type Rule = (packet: Packet, direction: Direction, index: number) => readonly Uint8Array[]

export const honest: Rule = (packet) => [packet.bytes]

export class Interceptor {
  /** The initiator's and the responder's end. */
  readonly near: ByteStream
  readonly far: ByteStream
  readonly seen: Record<Direction, Packet[]> = { toResponder: [], toInitiator: [] }
  rule: Rule
  readonly #sides: Record<Direction, ByteStream>

  private constructor(
    near: ByteStream,
    far: ByteStream,
    sides: Record<Direction, ByteStream>,
    rule: Rule,
  ) {
    this.near = near
    this.far = far
    this.#sides = sides
    this.rule = rule
    this.#join(sides.toInitiator, 'toResponder')
    this.#join(sides.toResponder, 'toInitiator')
  }

  static async between(rule: Rule = honest): Promise<Interceptor> {
    const [near, toInitiator] = await wire()
    const [toResponder, far] = await wire()
    return new Interceptor(near, far, { toInitiator, toResponder }, rule)
  }

  /** Sends bytes that nobody sent. */
  inject(direction: Direction, bytes: Uint8Array): void {
    this.#sides[direction].write(bytes)
  }

  /** What comes out of `from` goes on in `direction`. */
  #join(from: ByteStream, direction: Direction): void {
    const decoder = new PacketDecoder()
    const sink = {
      packet: (flags: number, header: Uint8Array, payload: Uint8Array) => {
        const bytes = new Uint8Array(header.length + payload.length)
        bytes.set(header)
        bytes.set(payload, header.length)
        const packet = { flags, payload: payload.slice(), bytes }
        const index = this.seen[direction].push(packet) - 1
        for (const out of this.rule(packet, direction, index)) this.#sides[direction].write(out)
      },
    }
    from.attach({
      data: (chunk) => void decoder.push(chunk, sink),
      drain: () => {},
      end: () => this.#sides[direction].end(),
      closed: () => this.#sides[direction].destroy(),
    })
  }
}

/** A copy with the bits of `mask` flipped at `offset`; a negative offset counts from the end. */
export function flip(bytes: Uint8Array, offset: number, mask = 1): Uint8Array {
  const copy = bytes.slice()
  const at = offset < 0 ? copy.length + offset : offset
  copy[at] = (copy[at] as number) ^ mask
  return copy
}

/** Changes the payload of one handshake message, the rest goes on as it came. */
export function tamper(
  direction: Direction,
  index: number,
  change: (payload: Uint8Array) => Uint8Array,
): Rule {
  return (packet, to, at) =>
    to === direction && at === index
      ? [encodePacket(packet.flags, change(packet.payload))]
      : [packet.bytes]
}
