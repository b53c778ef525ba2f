// The signed message envelope (R032): a MessagePack map of exactly eight fields in this order, each in its one
// shortest form, so that a message has one encoding and a signature covers it without doubt.
//
//   88  version (uint) · message_id (bin 16) · from (bin 32) · to (bin 32) · message_type (str)
//       · timestamp (uint, ms) · payload (bin) · signature (bin 64)
//
// Because the layout is fixed it is written and read by hand: no intermediate map, and the payload and all
// byte strings are views on the input (R008). Signing and verifying happen in @myelin/identity; what is
// signed is `envelopeSigningBytes`: a prefix that no other signature uses, then the first seven fields as a map.

import { ByteReader, err, ok, type Result, utf8Encode } from '@myelin/base'
import { WireError } from './errors.ts'
import { envelopeBytesMax, envelopePayloadBytesMax, messageTypeNameBytesMax } from './limits.ts'
import { isMessageTypeName } from './message-name.ts'

/** The version that this code writes and reads. */
export const envelopeVersion = 1

/** What one agent tells another. */
export interface Message {
  readonly version: number
  /** 16 random bytes. */
  readonly id: Uint8Array
  /** The sender's AgentId: an Ed25519 public key, 32 bytes. */
  readonly from: Uint8Array
  /** The receiver's AgentId, or the 32-byte id of a group or topic. */
  readonly to: Uint8Array
  readonly type: string
  /** Milliseconds since the Unix epoch, by the sender's clock. */
  readonly timestampMs: number
  readonly payload: Uint8Array
}

/** A message that others carry or keep: with the sender's Ed25519 signature, 64 bytes. */
export interface Envelope extends Message {
  readonly signature: Uint8Array
}

export type EnvelopeFault =
  | 'envelope_oversize'
  | 'envelope_truncated'
  | 'envelope_trailing'
  | 'envelope_fields'
  | 'envelope_version'
  | 'envelope_message_id'
  | 'envelope_from'
  | 'envelope_to'
  | 'envelope_message_type'
  | 'envelope_timestamp'
  | 'envelope_payload'
  | 'envelope_signature'

const idBytes = 16
const agentIdBytes = 32
const signatureBytes = 64

const signingPrefix = utf8Encode('myelin envelope v1\0')

const mapOfSeven = 0x87
const mapOfEight = 0x88
const bin8 = 0xc4
const str8 = 0xd9

/** The fields' names as they stand on the wire, each with its fixstr head. */
const keys = {
  version: key('version'),
  messageId: key('message_id'),
  from: key('from'),
  to: key('to'),
  messageType: key('message_type'),
  timestamp: key('timestamp'),
  payload: key('payload'),
  signature: key('signature'),
}

/** What the sender signs and a receiver verifies: the domain prefix and all fields but the signature. */
export function envelopeSigningBytes(message: Message): Uint8Array {
  const { bytes, end } = encodeFields(message, signingPrefix.length, 0)
  bytes.set(signingPrefix)
  bytes[signingPrefix.length] = mapOfSeven
  return bytes.subarray(0, end)
}

export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const { signature } = envelope
  if (signature.length !== signatureBytes) throw fieldError('signature', '64 bytes')
  const tail = keys.signature.length + 2 + signatureBytes
  const { bytes, end } = encodeFields(envelope, 0, tail)
  bytes[0] = mapOfEight
  putBytes8(bytes, put(bytes, end, keys.signature), signature)
  return bytes.subarray(0, end + tail)
}

/** Reads an envelope; every byte string of the result is a view on `bytes`. The signature is not checked. */
export function decodeEnvelope(bytes: Uint8Array): Result<Envelope, EnvelopeFault> {
  if (bytes.length > envelopeBytesMax) return err('envelope_oversize')
  const reader = new ByteReader(bytes)
  if (reader.u8() !== mapOfEight) return err(faultOf(reader, 'envelope_fields'))
  if (!readKey(reader, keys.version)) return err(faultOf(reader, 'envelope_fields'))
  if (readUint(reader) !== envelopeVersion) return err(faultOf(reader, 'envelope_version'))
  const id = readField(reader, keys.messageId, idBytes, 'envelope_message_id')
  if (typeof id === 'string') return err(id)
  const from = readField(reader, keys.from, agentIdBytes, 'envelope_from')
  if (typeof from === 'string') return err(from)
  const to = readField(reader, keys.to, agentIdBytes, 'envelope_to')
  if (typeof to === 'string') return err(to)
  if (!readKey(reader, keys.messageType)) return err(faultOf(reader, 'envelope_fields'))
  const type = readTypeName(reader)
  if (type === undefined) return err(faultOf(reader, 'envelope_message_type'))
  if (!readKey(reader, keys.timestamp)) return err(faultOf(reader, 'envelope_fields'))
  const timestampMs = readUint(reader)
  if (timestampMs < 0) return err(faultOf(reader, 'envelope_timestamp'))
  if (!readKey(reader, keys.payload)) return err(faultOf(reader, 'envelope_fields'))
  const payload = readPayload(reader)
  if (payload === undefined) return err(faultOf(reader, 'envelope_payload'))
  const signature = readField(reader, keys.signature, signatureBytes, 'envelope_signature')
  if (typeof signature === 'string') return err(signature)
  if (reader.remaining > 0) return err('envelope_trailing')
  return ok({ version: envelopeVersion, id, from, to, type, timestampMs, payload, signature })
}

/** Writes the seven signed fields from `start` on, leaving the map's head to the caller. */
function encodeFields(
  message: Message,
  start: number,
  tail: number,
): { bytes: Uint8Array; end: number } {
  assertMessage(message)
  const { type, payload } = message
  // The keys take 56 bytes, the numbers and heads less than 40.
  const bytesMax = start + 96 + idBytes + 2 * agentIdBytes + type.length + payload.length + tail
  const bytes = new Uint8Array(bytesMax)
  let at = putUint(bytes, put(bytes, start + 1, keys.version), message.version)
  at = putBytes8(bytes, put(bytes, at, keys.messageId), message.id)
  at = putBytes8(bytes, put(bytes, at, keys.from), message.from)
  at = putBytes8(bytes, put(bytes, at, keys.to), message.to)
  at = put(bytes, at, keys.messageType)
  if (type.length < 32) bytes[at++] = 0xa0 | type.length
  else {
    bytes[at++] = str8
    bytes[at++] = type.length
  }
  for (let i = 0; i < type.length; i += 1) bytes[at++] = type.charCodeAt(i)
  at = putUint(bytes, put(bytes, at, keys.timestamp), message.timestampMs)
  at = putPayload(bytes, put(bytes, at, keys.payload), payload)
  return { bytes, end: at }
}

function assertMessage(message: Message): void {
  if (message.version !== envelopeVersion) throw fieldError('version', `${envelopeVersion}`)
  if (message.id.length !== idBytes) throw fieldError('id', '16 bytes')
  if (message.from.length !== agentIdBytes) throw fieldError('from', '32 bytes')
  if (message.to.length !== agentIdBytes) throw fieldError('to', '32 bytes')
  if (!isMessageTypeName(message.type)) {
    throw fieldError('type', `a kebab-case name of at most ${messageTypeNameBytesMax} bytes`)
  }
  if (!Number.isSafeInteger(message.timestampMs) || message.timestampMs < 0) {
    throw fieldError('timestampMs', 'whole milliseconds since the Unix epoch')
  }
  if (message.payload.length > envelopePayloadBytesMax) {
    throw fieldError('payload', `at most ${envelopePayloadBytesMax} bytes; send it as a stream`)
  }
}

function fieldError(field: string, mend: string): WireError {
  return new WireError('WIRE_ENVELOPE_FIELD', `${field} of an envelope must be ${mend}`)
}

function key(name: string): Uint8Array {
  return new Uint8Array([0xa0 | name.length, ...utf8Encode(name)])
}

function put(bytes: Uint8Array, at: number, part: Uint8Array): number {
  bytes.set(part, at)
  return at + part.length
}

function putBytes8(bytes: Uint8Array, at: number, part: Uint8Array): number {
  bytes[at] = bin8
  bytes[at + 1] = part.length
  return put(bytes, at + 2, part)
}

function putPayload(bytes: Uint8Array, at: number, payload: Uint8Array): number {
  const { length } = payload
  if (length < 0x100) return putBytes8(bytes, at, payload)
  const width = length < 0x1_0000 ? 2 : 4
  bytes[at] = width === 2 ? 0xc5 : 0xc6
  return put(bytes, putBigEndian(bytes, at + 1, length, width), payload)
}

/** The shortest unsigned form: fixint, then 8, 16, 32 or 64 bits. */
function putUint(bytes: Uint8Array, at: number, value: number): number {
  if (value < 0x80) {
    bytes[at] = value
    return at + 1
  }
  const power = value < 0x100 ? 0 : value < 0x1_0000 ? 1 : value < 2 ** 32 ? 2 : 3
  bytes[at] = 0xcc + power
  return putBigEndian(bytes, at + 1, value, 1 << power)
}

function putBigEndian(bytes: Uint8Array, at: number, value: number, width: number): number {
  let rest = value
  for (let i = at + width - 1; i >= at; i -= 1) {
    bytes[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return at + width
}

/** A number in its shortest unsigned form, or -1. */
function readUint(reader: ByteReader): number {
  const head = reader.u8()
  if (head < 0x80) return head
  let value = -1
  let least = 0
  if (head === 0xcc) {
    value = reader.u8()
    least = 0x80
  } else if (head === 0xcd) {
    value = reader.u16()
    least = 0x100
  } else if (head === 0xce) {
    value = reader.u32()
    least = 0x1_0000
  } else if (head === 0xcf) {
    // Not `u53`, which would call a number that is too large a truncation.
    const wide = reader.u64()
    value = wide <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(wide) : -1
    least = 2 ** 32
  }
  return value >= least ? value : -1
}

function readKey(reader: ByteReader, expected: Uint8Array): boolean {
  for (const byte of expected) if (reader.u8() !== byte) return false
  return true
}

/** A byte string of one possible length, behind its key; the fault's name when it is not that. */
function readField<Fault extends EnvelopeFault>(
  reader: ByteReader,
  name: Uint8Array,
  length: number,
  fault: Fault,
): Uint8Array | EnvelopeFault {
  if (!readKey(reader, name)) return faultOf(reader, 'envelope_fields')
  if (reader.u8() !== bin8 || reader.u8() !== length) return faultOf(reader, fault)
  const bytes = reader.take(length)
  return reader.isValid ? bytes : 'envelope_truncated'
}

function readTypeName(reader: ByteReader): string | undefined {
  const head = reader.u8()
  let length = head & 0x1f
  if (head === str8) {
    length = reader.u8()
    if (length < 32) return undefined
  } else if (head < 0xa0 || head >= 0xc0) {
    return undefined
  }
  if (length > messageTypeNameBytesMax) return undefined
  const name = String.fromCharCode(...reader.take(length))
  return isMessageTypeName(name) ? name : undefined
}

function readPayload(reader: ByteReader): Uint8Array | undefined {
  const head = reader.u8()
  let length = -1
  let least = 0
  if (head === bin8) {
    length = reader.u8()
  } else if (head === 0xc5) {
    length = reader.u16()
    least = 0x100
  } else if (head === 0xc6) {
    length = reader.u32()
    least = 0x1_0000
  }
  if (length < least || length > envelopePayloadBytesMax) return undefined
  const payload = reader.take(length)
  return reader.isValid ? payload : undefined
}

/** Input that ends too early reads as zeros; its fault is the end, not what the zeros look like. */
function faultOf(reader: ByteReader, fault: EnvelopeFault): EnvelopeFault {
  return reader.isValid ? fault : 'envelope_truncated'
}
