// Frames: what a record of a session holds, one after another. Big-endian, fixed headers, so that a frame is
// written in place and read without allocation. A reader hands each frame to a sink; payloads are views.
//
//   padding       00
//   ping / pong   01|02 · nonce(8)
//   settings      03 · dataMax(u32) · streamDataMax(u32) · streamsMax(u32) · messageBytesMax(u32)
//   close         04 · code(u16) · reasonLength(u8) · reason
//   key update    05                         the sender's next record is sealed with its next key
//   define type   06 · typeId(u16) · nameLength(u8) · name
//   message       08 · flags(u8) · typeId(u16) · id(u32) · timestamp(u32) · length(u32) · payload
//   message part  09 · flags(u8) · 0(u16) · id(u32) · length(u32) · payload
//   stream        0a · flags(u8) · typeId(u16) · streamId(u32) · length(u32) · payload
//   stream reset  0b · streamId(u32) · code(u16)
//   stream stop   0c · streamId(u32) · code(u16)
//   max data      0d · limit(u64)
//   stream max    0e · streamId(u32) · limit(u64)
//   max streams   0f · limit(u32)

import { utf8Decode } from '@myelin/base'

export const frameKinds = {
  padding: 0x00,
  ping: 0x01,
  pong: 0x02,
  settings: 0x03,
  close: 0x04,
  keyUpdate: 0x05,
  defineType: 0x06,
  message: 0x08,
  messagePart: 0x09,
  stream: 0x0a,
  streamReset: 0x0b,
  streamStop: 0x0c,
  maxData: 0x0d,
  maxStreamData: 0x0e,
  maxStreams: 0x0f,
} as const

/** Flags of a message frame; bits 4 and 5 hold the priority (0 normal, 1 low, 2 high, 3 critical). */
export const messageFlags = {
  request: 0x01,
  response: 0x02,
  failure: 0x04,
  /** More parts follow in message-part frames with the same id. */
  more: 0x08,
  priorityShift: 4,
  priorityMask: 0x30,
} as const

export const streamFlags = { open: 0x01, fin: 0x02 } as const

export const messageHeaderBytes = 16
export const messagePartHeaderBytes = 12
export const streamHeaderBytes = 12
/**
 * What a message and a stream frame count against flow control beside their payload: more than their headers,
 * because holding them costs the receiver objects, however short they are.
 */
export const messageCreditBytes = 64
export const streamCreditBytes = 64
/** Close reasons and type names carry a one-byte length. */
export const frameTextBytesMax = 255

export type FrameFault = 'frame_truncated' | 'frame_kind' | 'frame_flags' | 'frame_text'

/** Receives the frames of one record in order. Payloads are views into the record. */
export interface FrameSink {
  pingReceived(nonce: Uint8Array): void
  pongReceived(nonce: Uint8Array): void
  settingsReceived(settings: SettingsFrame): void
  closeReceived(code: number, reason: string): void
  keyUpdateReceived(): void
  defineTypeReceived(typeId: number, name: string): void
  messageReceived(
    flags: number,
    typeId: number,
    id: number,
    timestamp: number,
    payload: Uint8Array,
  ): void
  messagePartReceived(flags: number, id: number, payload: Uint8Array): void
  streamReceived(flags: number, typeId: number, streamId: number, payload: Uint8Array): void
  streamResetReceived(streamId: number, code: number): void
  streamStopReceived(streamId: number, code: number): void
  maxDataReceived(limit: number): void
  maxStreamDataReceived(streamId: number, limit: number): void
  maxStreamsReceived(limit: number): void
}

/** What a peer grants at the start of a session. Bytes and counts. */
export interface SettingsFrame {
  readonly dataMax: number
  readonly streamDataMax: number
  readonly streamsMax: number
  readonly messageBytesMax: number
}

// Sizes of the frames without variable part; zero marks the kinds that are read by their own function.
const fixedBytes: Readonly<Record<number, number>> = {
  [frameKinds.padding]: 1,
  [frameKinds.ping]: 9,
  [frameKinds.pong]: 9,
  [frameKinds.settings]: 17,
  [frameKinds.close]: 4,
  [frameKinds.keyUpdate]: 1,
  [frameKinds.defineType]: 4,
  [frameKinds.message]: messageHeaderBytes,
  [frameKinds.messagePart]: messagePartHeaderBytes,
  [frameKinds.stream]: streamHeaderBytes,
  [frameKinds.streamReset]: 7,
  [frameKinds.streamStop]: 7,
  [frameKinds.maxData]: 9,
  [frameKinds.maxStreamData]: 13,
  [frameKinds.maxStreams]: 5,
}

const headBytes = new Uint8Array(256)
for (const [kind, bytes] of Object.entries(fixedBytes)) headBytes[Number(kind)] = bytes

const messageFlagsKnown =
  messageFlags.request |
  messageFlags.response |
  messageFlags.failure |
  messageFlags.more |
  messageFlags.priorityMask
const messagePartFlagsKnown = messageFlags.more | messageFlags.response
const streamFlagsKnown = streamFlags.open | streamFlags.fin

/**
 * Reads all frames of a record into `sink`. Stops at the first fault; frames before it have been delivered,
 * and the session ends.
 */
export function readFrames(record: Uint8Array, sink: FrameSink): FrameFault | undefined {
  let offset = 0
  while (offset < record.length) {
    const kind = record[offset] as number
    const head = headBytes[kind] as number
    if (head === 0) return 'frame_kind'
    if (offset + head > record.length) return 'frame_truncated'
    const next = readFrame(record, offset, kind, offset + head, sink)
    if (typeof next !== 'number') return next
    offset = next
  }
  return undefined
}

function readFrame(
  record: Uint8Array,
  at: number,
  kind: number,
  body: number,
  sink: FrameSink,
): number | FrameFault {
  switch (kind) {
    case frameKinds.message:
      return readMessage(record, at, body, sink)
    case frameKinds.messagePart:
      return readMessagePart(record, at, body, sink)
    case frameKinds.stream:
      return readStream(record, at, body, sink)
    case frameKinds.close:
    case frameKinds.defineType:
      return readText(record, at, kind, body, sink)
    case frameKinds.ping:
      sink.pingReceived(record.subarray(at + 1, body))
      return body
    case frameKinds.pong:
      sink.pongReceived(record.subarray(at + 1, body))
      return body
    case frameKinds.settings:
      sink.settingsReceived({
        dataMax: readU32(record, at + 1),
        streamDataMax: readU32(record, at + 5),
        streamsMax: readU32(record, at + 9),
        messageBytesMax: readU32(record, at + 13),
      })
      return body
    case frameKinds.keyUpdate:
      sink.keyUpdateReceived()
      return body
    case frameKinds.streamReset:
      sink.streamResetReceived(readU32(record, at + 1), readU16(record, at + 5))
      return body
    case frameKinds.streamStop:
      sink.streamStopReceived(readU32(record, at + 1), readU16(record, at + 5))
      return body
    case frameKinds.maxData:
      sink.maxDataReceived(readU64(record, at + 1))
      return body
    case frameKinds.maxStreamData:
      sink.maxStreamDataReceived(readU32(record, at + 1), readU64(record, at + 5))
      return body
    case frameKinds.maxStreams:
      sink.maxStreamsReceived(readU32(record, at + 1))
      return body
    default:
      return body
  }
}

function readMessage(
  record: Uint8Array,
  at: number,
  body: number,
  sink: FrameSink,
): number | FrameFault {
  const flags = record[at + 1] as number
  if ((flags & ~messageFlagsKnown) !== 0) return 'frame_flags'
  const end = body + readU32(record, at + 12)
  if (end > record.length) return 'frame_truncated'
  sink.messageReceived(
    flags,
    readU16(record, at + 2),
    readU32(record, at + 4),
    readU32(record, at + 8),
    record.subarray(body, end),
  )
  return end
}

function readMessagePart(
  record: Uint8Array,
  at: number,
  body: number,
  sink: FrameSink,
): number | FrameFault {
  const flags = record[at + 1] as number
  if ((flags & ~messagePartFlagsKnown) !== 0 || readU16(record, at + 2) !== 0) return 'frame_flags'
  const end = body + readU32(record, at + 8)
  if (end > record.length) return 'frame_truncated'
  sink.messagePartReceived(flags, readU32(record, at + 4), record.subarray(body, end))
  return end
}

function readStream(
  record: Uint8Array,
  at: number,
  body: number,
  sink: FrameSink,
): number | FrameFault {
  const flags = record[at + 1] as number
  if ((flags & ~streamFlagsKnown) !== 0) return 'frame_flags'
  const end = body + readU32(record, at + 8)
  if (end > record.length) return 'frame_truncated'
  sink.streamReceived(
    flags,
    readU16(record, at + 2),
    readU32(record, at + 4),
    record.subarray(body, end),
  )
  return end
}

function readText(
  record: Uint8Array,
  at: number,
  kind: number,
  body: number,
  sink: FrameSink,
): number | FrameFault {
  const end = body + (record[at + 3] as number)
  if (end > record.length) return 'frame_truncated'
  const text = utf8Decode(record.subarray(body, end))
  if (text === undefined) return 'frame_text'
  if (kind === frameKinds.close) sink.closeReceived(readU16(record, at + 1), text)
  else sink.defineTypeReceived(readU16(record, at + 1), text)
  return end
}

/**
 * Writes the header of a message frame and returns the offset behind it; the payload comes next. Seven plain
 * numbers rather than an object: this runs for every message. `timestamp`: ms since the session's epoch.
 */
export function writeMessageHeader(
  target: Uint8Array,
  at: number,
  flags: number,
  typeId: number,
  id: number,
  timestamp: number,
  payloadBytes: number,
): number {
  target[at] = frameKinds.message
  target[at + 1] = flags
  writeU16(target, at + 2, typeId)
  writeU32(target, at + 4, id)
  writeU32(target, at + 8, timestamp)
  writeU32(target, at + 12, payloadBytes)
  return at + messageHeaderBytes
}

export function writeMessagePartHeader(
  target: Uint8Array,
  at: number,
  flags: number,
  id: number,
  payloadBytes: number,
): number {
  target[at] = frameKinds.messagePart
  target[at + 1] = flags
  writeU16(target, at + 2, 0)
  writeU32(target, at + 4, id)
  writeU32(target, at + 8, payloadBytes)
  return at + messagePartHeaderBytes
}

export function writeStreamHeader(
  target: Uint8Array,
  at: number,
  fields: { readonly flags: number; readonly typeId: number; readonly streamId: number },
  payloadBytes: number,
): number {
  target[at] = frameKinds.stream
  target[at + 1] = fields.flags
  writeU16(target, at + 2, fields.typeId)
  writeU32(target, at + 4, fields.streamId)
  writeU32(target, at + 8, payloadBytes)
  return at + streamHeaderBytes
}

/** The control frames, each a few bytes, encoded one by one. Texts longer than 255 bytes are cut. */
export const encodeFrame = {
  ping: (nonce: Uint8Array) => nonceFrame(frameKinds.ping, nonce),
  pong: (nonce: Uint8Array) => nonceFrame(frameKinds.pong, nonce),
  settings: (settings: SettingsFrame) => {
    const frame = new Uint8Array(17)
    frame[0] = frameKinds.settings
    writeU32(frame, 1, settings.dataMax)
    writeU32(frame, 5, settings.streamDataMax)
    writeU32(frame, 9, settings.streamsMax)
    writeU32(frame, 13, settings.messageBytesMax)
    return frame
  },
  close: (code: number, reason: string) => textFrame(frameKinds.close, code, reason),
  keyUpdate: () => Uint8Array.of(frameKinds.keyUpdate),
  defineType: (typeId: number, name: string) => textFrame(frameKinds.defineType, typeId, name),
  streamReset: (streamId: number, code: number) =>
    streamCodeFrame(frameKinds.streamReset, streamId, code),
  streamStop: (streamId: number, code: number) =>
    streamCodeFrame(frameKinds.streamStop, streamId, code),
  maxData: (limit: number) => {
    const frame = new Uint8Array(9)
    frame[0] = frameKinds.maxData
    writeU64(frame, 1, limit)
    return frame
  },
  maxStreamData: (streamId: number, limit: number) => {
    const frame = new Uint8Array(13)
    frame[0] = frameKinds.maxStreamData
    writeU32(frame, 1, streamId)
    writeU64(frame, 5, limit)
    return frame
  },
  maxStreams: (limit: number) => {
    const frame = new Uint8Array(5)
    frame[0] = frameKinds.maxStreams
    writeU32(frame, 1, limit)
    return frame
  },
} as const

function nonceFrame(kind: number, nonce: Uint8Array): Uint8Array {
  const frame = new Uint8Array(9)
  frame[0] = kind
  frame.set(nonce.subarray(0, 8), 1)
  return frame
}

function textFrame(kind: number, code: number, text: string): Uint8Array {
  const bytes = cutUtf8(text)
  const frame = new Uint8Array(4 + bytes.length)
  frame[0] = kind
  writeU16(frame, 1, code)
  frame[3] = bytes.length
  frame.set(bytes, 4)
  return frame
}

/** UTF-8 of at most 255 bytes, never ending inside a character. */
function cutUtf8(text: string): Uint8Array {
  const target = new Uint8Array(frameTextBytesMax)
  const { written } = new TextEncoder().encodeInto(text, target)
  return target.subarray(0, written)
}

function streamCodeFrame(kind: number, streamId: number, code: number): Uint8Array {
  const frame = new Uint8Array(7)
  frame[0] = kind
  writeU32(frame, 1, streamId)
  writeU16(frame, 5, code)
  return frame
}

function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}

function readU32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  )
}

/** Above 2^53 the value loses its low bits, which only ever raises a limit that is already unreachable. */
function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) * 2 ** 32 + readU32(bytes, at + 4)
}

function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, Math.floor(value / 2 ** 32))
  writeU32(bytes, at + 4, value >>> 0)
}
