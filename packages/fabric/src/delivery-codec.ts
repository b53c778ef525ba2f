// The bytes of acknowledged messages (docs/protocol.md §8): what the types `delivery` and `delivery-ack` carry.
// Decoders take untrusted bytes, return faults and never throw; payloads are views.

import {
  ByteReader,
  concatBytes,
  emptyBytes,
  err,
  hexDecode,
  hexEncode,
  ok,
  type Result,
  utf8Decode,
  utf8Encode,
} from '@myelin/base'
import { isMessageTypeName, messageTypeNameBytesMax } from '@myelin/wire'
import { ackFailuresMax, ackRangesMax, ackTextBytesMax, deliveryWindowMax } from './limits.ts'

export const incarnationBytes = 8
/** kind(u8) ‖ incarnation(8) ‖ sequence(u64) ‖ lag(u32) */
export const deliveryHeadBytes = 1 + incarnationBytes + 8 + 4
/** Bytes around a payload. */
export const deliveryOverheadBytesMax = deliveryHeadBytes + 1 + messageTypeNameBytesMax

const kinds = { message: 0, void: 1, sync: 2 } as const
const sequenceOffset = 1 + incarnationBytes
const lagOffset = sequenceOffset + 8

export interface DeliveryFrame {
  /** `void`: its sender has given it up. `sync`: `sequence` is the lowest number that may still come. */
  readonly kind: keyof typeof kinds
  /** 16 hexadecimal digits. */
  readonly incarnation: string
  readonly sequence: number
  /** The sender knows what became of all below. */
  readonly floor: number
  /** Of a `message`. */
  readonly type: string
  readonly payload: Uint8Array
}

export type DeliveryFault =
  | 'delivery_truncated'
  | 'delivery_kind_unknown'
  | 'delivery_number_invalid'
  | 'delivery_type_invalid'
  | 'delivery_trailing_bytes'

/** A message without its number: the only copy of the payload that is made. */
export function encodeDelivery(
  incarnation: Uint8Array,
  type: string,
  payload: Uint8Array,
): Uint8Array {
  const name = utf8Encode(type)
  const frame = new Uint8Array(deliveryHeadBytes + 1 + name.length + payload.length)
  frame[0] = kinds.message
  frame.set(incarnation, 1)
  frame[deliveryHeadBytes] = name.length
  frame.set(name, deliveryHeadBytes + 1)
  frame.set(payload, deliveryHeadBytes + 1 + name.length)
  return frame
}

/** Numbers a message. Once it is posted its bytes belong to the session. */
export function numberDelivery(frame: Uint8Array, sequence: number, floor: number): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  view.setBigUint64(sequenceOffset, BigInt(sequence))
  view.setUint32(lagOffset, sequence - floor)
}

/** In the place of a message that was given up: its number stays, so that no number is missing. */
export function encodeVoid(incarnation: Uint8Array, sequence: number, floor: number): Uint8Array {
  return encodeHead(kinds.void, incarnation, sequence, floor)
}

/** Comes first in a session. */
export function encodeSync(incarnation: Uint8Array, floor: number): Uint8Array {
  return encodeHead(kinds.sync, incarnation, floor, floor)
}

function encodeHead(
  kind: number,
  incarnation: Uint8Array,
  sequence: number,
  floor: number,
): Uint8Array {
  const frame = new Uint8Array(deliveryHeadBytes)
  frame[0] = kind
  frame.set(incarnation, 1)
  numberDelivery(frame, sequence, floor)
  return frame
}

export function decodeDelivery(bytes: Uint8Array): Result<DeliveryFrame, DeliveryFault> {
  const reader = new ByteReader(bytes)
  const number = reader.u8()
  const incarnation = hexEncode(reader.take(incarnationBytes))
  const hasHead = reader.remaining >= deliveryHeadBytes - sequenceOffset
  const sequence = reader.u53()
  const lag = reader.u32()
  if (!hasHead) return err('delivery_truncated')
  const kind = kindNames[number]
  if (kind === undefined) return err('delivery_kind_unknown')
  if (!reader.isValid || lag > sequence || lag >= deliveryWindowMax)
    return err('delivery_number_invalid')
  const head = { kind, incarnation, sequence, floor: sequence - lag }
  if (kind !== 'message') {
    if (!reader.isComplete) return err('delivery_trailing_bytes')
    if (kind === 'sync' && lag !== 0) return err('delivery_number_invalid')
    return ok({ ...head, type: '', payload: reader.rest() })
  }
  const name = reader.take(reader.u8())
  if (!reader.isValid) return err('delivery_truncated')
  const type = utf8Decode(name)
  if (type === undefined || !isMessageTypeName(type)) return err('delivery_type_invalid')
  return ok({ ...head, type, payload: reader.rest() })
}

const kindNames: readonly (DeliveryFrame['kind'] | undefined)[] = ['message', 'void', 'sync']

export interface AckFailure {
  readonly sequence: number
  /** A number of `failureNumbers`. */
  readonly code: number
  readonly text: string
}

/** What became of messages of one incarnation. */
export interface DeliveryAck {
  readonly incarnation: string
  /** Handled: from the first up to but without the second. */
  readonly ranges: readonly (readonly [number, number])[]
  readonly failures: readonly AckFailure[]
}

export type DeliveryAckFault =
  | 'delivery_ack_truncated'
  | 'delivery_ack_too_many'
  | 'delivery_ack_number_invalid'
  | 'delivery_ack_text_invalid'
  | 'delivery_ack_trailing_bytes'

/** incarnation(8) ‖ base(u64) ‖ u16 n × [offset(u32) count(u32)] ‖ u16 m × [offset(u32) code(u16) text(u16)] */
export function encodeDeliveryAck(ack: DeliveryAck): Uint8Array {
  const { incarnation, ranges, failures } = ack
  const base = Math.min(...ranges.map(([from]) => from), ...failures.map((f) => f.sequence))
  const texts = failures.map(({ text }) => utf8Encode(text))
  const head = new Uint8Array(incarnationBytes + 8 + 2 + ranges.length * 8 + 2)
  const view = new DataView(head.buffer)
  head.set(hexDecode(incarnation) ?? emptyBytes)
  view.setBigUint64(incarnationBytes, BigInt(base))
  let offset = incarnationBytes + 8
  view.setUint16(offset, ranges.length)
  offset += 2
  for (const [from, to] of ranges) {
    view.setUint32(offset, from - base)
    view.setUint32(offset + 4, to - from)
    offset += 8
  }
  view.setUint16(offset, failures.length)
  const parts = failures.map(({ sequence, code }, i) => {
    const text = texts[i] as Uint8Array
    const part = new Uint8Array(8 + text.length)
    const partView = new DataView(part.buffer)
    partView.setUint32(0, sequence - base)
    partView.setUint16(4, code)
    partView.setUint16(6, text.length)
    part.set(text, 8)
    return part
  })
  return concatBytes(head, ...parts)
}

export function decodeDeliveryAck(bytes: Uint8Array): Result<DeliveryAck, DeliveryAckFault> {
  const reader = new ByteReader(bytes)
  const incarnation = hexEncode(reader.take(incarnationBytes))
  const base = reader.u53()
  const ranges: [number, number][] = []
  const rangeCount = reader.u16()
  if (rangeCount > ackRangesMax) return err('delivery_ack_too_many')
  for (let i = 0; i < rangeCount && reader.isValid; i += 1) {
    const from = base + reader.u32()
    const count = reader.u32()
    if (reader.isValid && (count === 0 || count > deliveryWindowMax || !fits(from + count)))
      return err('delivery_ack_number_invalid')
    ranges.push([from, from + count])
  }
  const failures: AckFailure[] = []
  const failureCount = reader.u16()
  if (failureCount > ackFailuresMax) return err('delivery_ack_too_many')
  for (let i = 0; i < failureCount && reader.isValid; i += 1) {
    const sequence = base + reader.u32()
    const code = reader.u16()
    const length = reader.u16()
    const text = utf8Decode(reader.take(length))
    if (!reader.isValid) break
    if (!fits(sequence)) return err('delivery_ack_number_invalid')
    if (text === undefined || length > ackTextBytesMax) return err('delivery_ack_text_invalid')
    failures.push({ sequence, code, text })
  }
  if (!reader.isValid) return err('delivery_ack_truncated')
  if (!reader.isComplete) return err('delivery_ack_trailing_bytes')
  return ok({ incarnation, ranges, failures })
}

function fits(value: number): boolean {
  return value <= Number.MAX_SAFE_INTEGER
}
