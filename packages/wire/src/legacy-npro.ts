// The packet of the published crate behind document 001 (B1): `4E50524F ‖ version 1 ‖ length u32 BE ‖ payload`,
// nine bytes of header and no flags. Only for interop with that crate: what it means by its payload
// (compressed or not, sealed or not) is agreed elsewhere, since the wire does not say it.

import type { PacketFormat } from './packet.ts'
import { assertPayloadLength, writeLength } from './packet.ts'

/** Give it to a `PacketDecoder` as its `format`; flags are then always 0. */
export const legacyNproFormat: PacketFormat = {
  headerBytes: 9,
  prefix: new Uint8Array([0x4e, 0x50, 0x52, 0x4f, 1]),
  flagsMask: undefined,
}

export function encodeLegacyNpro(payload: Uint8Array): Uint8Array {
  assertPayloadLength(payload.length)
  const { headerBytes, prefix } = legacyNproFormat
  const packet = new Uint8Array(headerBytes + payload.length)
  packet.set(prefix)
  packet.set(payload, writeLength(packet, prefix.length, payload.length))
  return packet
}
