/**
 * The bytes of Myelin: packets, varints, compression, MessagePack, the signed envelope and the types of
 * messages. Nothing here touches a clock, a socket or a disk.
 *
 * ```ts
 * import { encodePacket, PacketDecoder, packetFlags } from '@myelin/wire'
 *
 * const decoder = new PacketDecoder()
 * const bytes = encodePacket(packetFlags.none, new Uint8Array([104, 105]))
 * const fault = decoder.push(bytes, {
 *   packet: (flags, header, payload) => console.log(flags, header.length, payload.length),
 * })
 * if (fault !== undefined) console.log(`close the connection: ${fault}`)
 * ```
 */
export {
  type BuiltInName,
  type BuiltInPayloads,
  builtInMessageTypes,
  builtInTypes,
  type Coordination,
  type Discovery,
  type Heartbeat,
  type NeuralUpdate,
  type Ping,
  type Pong,
  type StatusUpdate,
  type TaskAssignment,
} from './built-in-types.ts'
export {
  type CompressionFault,
  type CompressionName,
  type CompressOptions,
  compress,
  type DecompressOptions,
  decompress,
} from './compress.ts'
export {
  decodeEnvelope,
  type Envelope,
  type EnvelopeFault,
  encodeEnvelope,
  envelopeSigningBytes,
  envelopeVersion,
  type Message,
} from './envelope.ts'
export { WireError, type WireErrorCode } from './errors.ts'
export {
  encodeFrame,
  type FrameFault,
  type FrameSink,
  frameKinds,
  messageCreditBytes,
  messageFlags,
  messageHeaderBytes,
  messagePartHeaderBytes,
  readFrames,
  type SettingsFrame,
  streamCreditBytes,
  streamFlags,
  streamHeaderBytes,
  writeMessageHeader,
  writeMessagePartHeader,
  writeStreamHeader,
} from './frame.ts'
export {
  datagramControlTypeName,
  deliveryAckTypeName,
  deliveryTypeName,
  handoverTypeName,
  internalTypes,
} from './internal-types.ts'
export { encodeLegacyNpro, legacyNproFormat } from './legacy-npro.ts'
export {
  compressionThresholdBytesDefault,
  decompressedBytesMaxDefault,
  envelopePayloadBytesMax,
  messageTypeIdCustomMin,
  messageTypeIdMax,
  messageTypeNameBytesMax,
  packetHeaderBytes,
} from './limits.ts'
export { lz4Compress, lz4Decompress, lz4Malformed, lz4TargetFull } from './lz4.ts'
export { isMessageTypeName } from './message-name.ts'
export {
  type Check,
  checks,
  type Schema,
  type SchemaTypeOptions,
  schemaType,
} from './message-schema.ts'
export { type MessageType, MessageTypes, type MessageTypesOptions } from './message-types.ts'
export { decodeMsgpack, encodeMsgpack, MsgpackExtension, MsgpackTimestamp } from './msgpack.ts'
export { type MsgpackFault, type MsgpackLimits, msgpackLimitsDefault } from './msgpack-scan.ts'
export {
  decodePacketHeader,
  encodePacket,
  type PacketFault,
  type PacketFormat,
  type PacketHeader,
  packetFlags,
  packetFormat,
  writePacketHeader,
} from './packet.ts'
export { PacketDecoder, type PacketDecoderOptions, type PacketSink } from './packet-decoder.ts'
export {
  readVarint,
  varintLength,
  varintLengthAt,
  varintOversize,
  varintTruncated,
  writeVarint,
} from './varint.ts'
