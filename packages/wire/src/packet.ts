// The packet of document 001 (R131): magic DEADBEEF, version 1, flags, length u32 BE, payload. Ten bytes of
// header, at most 16 MiB of payload, and the header travels as the seal's associated data (B5).
// A format is data, so that the 9-byte packet of the published crate (B1) shares this code.

import { err, ok, packetPayloadBytesMax, type Result } from '@myelin/base'
import { WireError } from './errors.ts'
import { packetHeaderBytes } from './limits.ts'

/** Flags of a packet; the other six bits are reserved and refused. */
export const packetFlags = { none: 0, compressed: 0b01, encrypted: 0b10 } as const

const flagsMask = packetFlags.compressed | packetFlags.encrypted

export type PacketFault =
  | 'packet_magic'
  | 'packet_version'
  | 'packet_flags'
  | 'packet_length'
  | 'packet_truncated'

export interface PacketHeader {
  readonly flags: number
  /** Bytes of payload that follow. */
  readonly length: number
}

/** What lies before a payload: the fixed bytes, one byte of flags if there is a mask, a u32 BE length. */
export interface PacketFormat {
  readonly headerBytes: number
  /** Magic (4) and version (1). */
  readonly prefix: Uint8Array
  /** The flags that exist; undefined where the format has no flags byte. */
  readonly flagsMask: number | undefined
}

export const packetFormat: PacketFormat = {
  headerBytes: packetHeaderBytes,
  prefix: new Uint8Array([0xde, 0xad, 0xbe, 0xef, 1]),
  flagsMask,
}

const magicBytes = 4
const prefixBytes = 5

/** Writes the ten header bytes at `offset` and returns the offset behind them. */
export function writePacketHeader(
  target: Uint8Array,
  offset: number,
  flags: number,
  payloadLength: number,
): number {
  if ((flags & ~flagsMask) !== 0) {
    throw new WireError('WIRE_PACKET_FLAGS', `flags ${flags} are not of packetFlags; combine those`)
  }
  assertPayloadLength(payloadLength)
  assertRoom(target, offset, packetHeaderBytes)
  target.set(packetFormat.prefix, offset)
  target[offset + prefixBytes] = flags
  return writeLength(target, offset + prefixBytes + 1, payloadLength)
}

/** One packet in memory of its own. The hot path writes headers into a pooled buffer instead. */
export function encodePacket(flags: number, payload: Uint8Array): Uint8Array {
  assertPayloadLength(payload.length)
  const packet = new Uint8Array(packetHeaderBytes + payload.length)
  packet.set(payload, writePacketHeader(packet, 0, flags, payload.length))
  return packet
}

/** Reads a header; `packet_truncated` when fewer than ten bytes are there and those are right so far. */
export function decodePacketHeader(bytes: Uint8Array): Result<PacketHeader, PacketFault> {
  const fault = checkHeader(packetFormat, bytes, 0, bytes.length, packetPayloadBytesMax)
  if (fault !== undefined) return err(fault)
  if (bytes.length < packetHeaderBytes) return err('packet_truncated')
  return ok({
    flags: headerFlags(packetFormat, bytes, 0),
    length: headerLength(packetFormat, bytes, 0),
  })
}

/**
 * The fault that the first bytes of a header already show, from `offset` up to `end`: each byte is judged as
 * soon as it is there, and so is a length whose high bytes alone exceed the bound. Allocates nothing.
 */
export function checkHeader(
  format: PacketFormat,
  bytes: Uint8Array,
  offset: number,
  end: number,
  payloadBytesMax: number,
): PacketFault | undefined {
  const present = Math.min(end - offset, format.headerBytes)
  const prefixPresent = Math.min(present, prefixBytes)
  for (let i = 0; i < prefixPresent; i += 1) {
    if (bytes[offset + i] !== format.prefix[i]) {
      return i < magicBytes ? 'packet_magic' : 'packet_version'
    }
  }
  if (format.flagsMask !== undefined && present > prefixBytes) {
    if (((bytes[offset + prefixBytes] as number) & ~format.flagsMask) !== 0) return 'packet_flags'
  }
  const lengthPresent = present - (format.headerBytes - 4)
  if (lengthPresent <= 0) return undefined
  let least = 0
  for (let i = 0; i < 4; i += 1) {
    const byte = i < lengthPresent ? bytes[offset + format.headerBytes - 4 + i] : 0
    least = least * 256 + (byte as number)
  }
  return least > payloadBytesMax ? 'packet_length' : undefined
}

/** The flags of a complete header that `checkHeader` let pass. */
export function headerFlags(format: PacketFormat, bytes: Uint8Array, offset: number): number {
  return format.flagsMask === undefined ? 0 : (bytes[offset + prefixBytes] as number)
}

/** The payload length of a complete header that `checkHeader` let pass. */
export function headerLength(format: PacketFormat, bytes: Uint8Array, offset: number): number {
  const at = offset + format.headerBytes - 4
  return (
    (bytes[at] as number) * 2 ** 24 +
    (((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number))
  )
}

export function writeLength(target: Uint8Array, offset: number, length: number): number {
  target[offset] = length >>> 24
  target[offset + 1] = length >>> 16
  target[offset + 2] = length >>> 8
  target[offset + 3] = length
  return offset + 4
}

export function assertPayloadLength(length: number): void {
  if (Number.isSafeInteger(length) && length >= 0 && length <= packetPayloadBytesMax) return
  const message = `a packet carries 0 to ${packetPayloadBytesMax} bytes, not ${length}; split the payload`
  throw new WireError('WIRE_PACKET_LENGTH', message)
}

export function assertRoom(target: Uint8Array, offset: number, length: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && offset + length <= target.length) return
  const message = `${length} bytes at offset ${offset} do not fit a target of ${target.length} bytes`
  throw new WireError('WIRE_TARGET_TOO_SMALL', message)
}
