// Misuse of this package by its own process. What a peer sends wrong is never thrown: it is a fault value.

import { MyelinError } from '@myelin/base'

export type WireErrorCode =
  | 'WIRE_COMPRESSION_INPUT'
  | 'WIRE_ENVELOPE_FIELD'
  | 'WIRE_MSGPACK_VALUE'
  | 'WIRE_PACKET_FLAGS'
  | 'WIRE_PACKET_LENGTH'
  | 'WIRE_PACKET_REENTERED'
  | 'WIRE_PAYLOAD_INVALID'
  | 'WIRE_TARGET_TOO_SMALL'
  | 'WIRE_TYPE_DUPLICATE'
  | 'WIRE_TYPE_INVALID'
  | 'WIRE_TYPES_FULL'
  | 'WIRE_VARINT_RANGE'

export class WireError extends MyelinError<WireErrorCode> {
  constructor(code: WireErrorCode, message: string, cause?: unknown) {
    super(code, message, { kind: 'usage', cause })
  }
}
