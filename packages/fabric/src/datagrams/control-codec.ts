// What two agents say in their session to agree on datagrams (docs/protocol.md §12), messages of the type
// `datagram-control`. `open` and `join` are requests and answered by `accept` and `welcome`; the others are not
// answered. The decoder takes untrusted bytes, returns faults and never throws; byte fields are views.

import { ByteReader, ByteWriter, err, ok, type Result, utf8Decode, utf8Encode } from '@myelin/base'
import type { PlainSuite } from '@myelin/session'
import { isMessageTypeName } from '@myelin/wire'
import {
  addressBytesMax,
  addressesMax,
  datagramBytesMax,
  datagramBytesMin,
  generationGraceMsMax,
} from './limits.ts'

export const channelIdBytes = 8
export const saltBytes = 16
export const groupSecretBytes = 32
/** Stands for the number of a member that only listens. */
const noSender = 0xffff_ffff
/** Highest number of a member. */
export const senderMax = noSender - 1

export interface ChannelTerms {
  /** The sender of this message receives datagrams under this id. */
  readonly channel: Uint8Array
  /** Fresh, so that no two channels have the same keys. */
  readonly salt: Uint8Array
  /** Largest datagram that it takes. */
  readonly bytesMax: number
  /** Where it may be reached. */
  readonly addresses: readonly string[]
}

export type DatagramControl =
  | ({ readonly kind: 'open'; readonly type: string } & ChannelTerms)
  | ({ readonly kind: 'accept' } & ChannelTerms)
  /** `channel` is the id under which the receiver of this message receives. */
  | { readonly kind: 'close'; readonly channel: Uint8Array }
  | { readonly kind: 'join'; readonly name: string; readonly isListener: boolean }
  | {
      readonly kind: 'welcome'
      readonly group: Uint8Array
      readonly generation: number
      /** Undefined for a member that only listens. */
      readonly sender: number | undefined
      readonly suite: PlainSuite
      readonly secret: Uint8Array
      readonly bytesMax: number
      readonly type: string
      readonly address: string
    }
  | {
      readonly kind: 'rekey'
      readonly group: Uint8Array
      readonly generation: number
      readonly secret: Uint8Array
      /** How long the key before this one is still accepted. */
      readonly graceMs: number
    }
  /** A member goes, or the owner says that somebody is no member any more. */
  | { readonly kind: 'leave'; readonly group: Uint8Array }

export type DatagramControlFault =
  | 'control_kind_unknown'
  | 'control_truncated'
  | 'control_trailing_bytes'
  | 'control_type_invalid'
  | 'control_text_invalid'
  | 'control_number_invalid'

const numbers = { open: 1, accept: 2, close: 3, join: 4, welcome: 5, rekey: 6, leave: 7 } as const
const suites: readonly PlainSuite[] = ['chacha20-poly1305', 'aes-256-gcm']

export function encodeControl(control: DatagramControl): Uint8Array {
  // Large enough at once: a writer that grows leaves copies of what may be a secret.
  const writer = new ByteWriter(2_048).u8(numbers[control.kind])
  switch (control.kind) {
    case 'open':
      return writeTerms(short(writer, control.type), control).finish()
    case 'accept':
      return writeTerms(writer, control).finish()
    case 'close':
      return writer.put(control.channel).finish()
    case 'join':
      return short(writer.u8(control.isListener ? 1 : 0), control.name).finish()
    case 'welcome': {
      const { group, generation, sender = noSender, suite, secret, bytesMax } = control
      writer.put(group).u32(generation).u32(sender).u8(suites.indexOf(suite))
      writer.put(secret).u16(bytesMax)
      return short(short(writer, control.type), control.address).finish()
    }
    case 'rekey': {
      const { group, generation, secret, graceMs } = control
      return writer.put(group).u32(generation).put(secret).u16(graceMs).finish()
    }
    case 'leave':
      return writer.put(control.group).finish()
  }
}

export function decodeControl(bytes: Uint8Array): Result<DatagramControl, DatagramControlFault> {
  const reader = new ByteReader(bytes)
  const number = reader.u8()
  const control = readBody(reader, number)
  if (typeof control === 'string') return err(control)
  if (!reader.isValid) return err('control_truncated')
  if (!reader.isComplete) return err('control_trailing_bytes')
  return ok(control)
}

function readBody(reader: ByteReader, number: number): DatagramControl | DatagramControlFault {
  switch (number) {
    case numbers.open: {
      const type = readType(reader)
      if (type === undefined) return 'control_type_invalid'
      const terms = readTerms(reader)
      return typeof terms === 'string' ? terms : { kind: 'open', type, ...terms }
    }
    case numbers.accept: {
      const terms = readTerms(reader)
      return typeof terms === 'string' ? terms : { kind: 'accept', ...terms }
    }
    case numbers.close:
      return { kind: 'close', channel: reader.take(channelIdBytes) }
    case numbers.join: {
      const flag = reader.u8()
      const name = readType(reader)
      if (name === undefined) return 'control_type_invalid'
      return flag > 1 ? 'control_number_invalid' : { kind: 'join', name, isListener: flag === 1 }
    }
    case numbers.welcome:
      return readWelcome(reader)
    case numbers.rekey: {
      const group = reader.take(channelIdBytes)
      const generation = reader.u32()
      const secret = reader.take(groupSecretBytes)
      const graceMs = reader.u16()
      if (graceMs > generationGraceMsMax) return 'control_number_invalid'
      return { kind: 'rekey', group, generation, secret, graceMs }
    }
    case numbers.leave:
      return { kind: 'leave', group: reader.take(channelIdBytes) }
    default:
      return 'control_kind_unknown'
  }
}

function readWelcome(reader: ByteReader): DatagramControl | DatagramControlFault {
  const group = reader.take(channelIdBytes)
  const generation = reader.u32()
  const number = reader.u32()
  const suite = suites[reader.u8()]
  const secret = reader.take(groupSecretBytes)
  const bytesMax = reader.u16()
  const type = readType(reader)
  const address = readText(reader, addressBytesMax)
  if (!reader.isValid) return 'control_truncated'
  if (type === undefined) return 'control_type_invalid'
  if (address === undefined) return 'control_text_invalid'
  if (suite === undefined || !isDatagramSize(bytesMax)) return 'control_number_invalid'
  const sender = number === noSender ? undefined : number
  return { kind: 'welcome', group, generation, sender, suite, secret, bytesMax, type, address }
}

function readTerms(reader: ByteReader): ChannelTerms | DatagramControlFault {
  const channel = reader.take(channelIdBytes)
  const salt = reader.take(saltBytes)
  const bytesMax = reader.u16()
  const count = reader.u8()
  if (!reader.isValid) return 'control_truncated'
  if (count > addressesMax || !isDatagramSize(bytesMax)) return 'control_number_invalid'
  const addresses: string[] = []
  for (let i = 0; i < count; i += 1) {
    const address = readText(reader, addressBytesMax)
    if (address === undefined) return 'control_text_invalid'
    addresses.push(address)
  }
  return { channel, salt, bytesMax, addresses }
}

function isDatagramSize(bytes: number): boolean {
  return bytes >= datagramBytesMin && bytes <= datagramBytesMax
}

function writeTerms(writer: ByteWriter, terms: ChannelTerms): ByteWriter {
  const { channel, salt, bytesMax, addresses } = terms
  writer.put(channel).put(salt).u16(bytesMax).u8(addresses.length)
  for (const address of addresses) short(writer, address)
  return writer
}

/** Text behind its length in a u16. */
function short(writer: ByteWriter, text: string): ByteWriter {
  return writer.bytes16(utf8Encode(text))
}

function readText(reader: ByteReader, bytesMax: number): string | undefined {
  const text = utf8Decode(reader.bytes16(bytesMax))
  return text === undefined || text === '' ? undefined : text
}

function readType(reader: ByteReader): string | undefined {
  const name = readText(reader, addressBytesMax)
  return name !== undefined && isMessageTypeName(name) ? name : undefined
}
