// The numbers of this package: every bound on bytes that a peer chooses, with its unit and its relations.

import { assert, kib, mib, packetPayloadBytesMax } from '@myelin/base'

/** Magic 4, version 1, flags 1, length 4 (R131). */
export const packetHeaderBytes = 10

/** Below this many bytes compression is not tried (R148). */
export const compressionThresholdBytesDefault = 512

/** Most bytes that a decompression may produce unless the caller says less (R148). */
export const decompressedBytesMaxDefault = 16 * mib

/** How much of a payload the compressibility probe looks at: runs spread over the whole of it. */
export const probeRuns = 8
export const probeRunBytes = 32

/** Containers within containers in one MessagePack value. */
export const msgpackDepthMaxDefault = 32

/** Elements of one MessagePack array, entries of one map. */
export const msgpackArrayLengthMaxDefault = 65_536
export const msgpackMapLengthMaxDefault = 4096

/** Values of all kinds in one MessagePack message, so that one input byte cannot become many objects. */
export const msgpackItemsMaxDefault = 262_144

export const msgpackStringBytesMaxDefault = 1 * mib
export const msgpackBinaryBytesMaxDefault = 16 * mib
export const msgpackExtensionBytesMaxDefault = 64 * kib

/** Name of a message type, in ASCII bytes. */
export const messageTypeNameBytesMax = 64

/** Types that one registry holds. */
export const messageTypesMaxDefault = 1024

/** Numbers of the built-in message types lie below; those of applications from here up to the maximum. */
export const messageTypeIdCustomMin = 64
export const messageTypeIdMax = 65_535

/** The whole signed envelope fits a packet; its fields but the payload take less than this. */
export const envelopeOverheadBytesMax = 512
export const envelopeBytesMax = packetPayloadBytesMax
export const envelopePayloadBytesMax = envelopeBytesMax - envelopeOverheadBytesMax

/** Bounds on the fields of the built-in message types. */
export const identifierBytesMax = 256
export const detailBytesMax = 4096
export const parametersMax = 256
export const tensorsMax = 4096
export const tensorRankMax = 8
export const discoveryRecordsMax = 64
export const discoveryRecordBytesMax = 64 * kib
export const pingNonceBytes = 8

assert(probeRuns * probeRunBytes <= compressionThresholdBytesDefault, 'a probe fits its payload')
assert(decompressedBytesMaxDefault <= packetPayloadBytesMax, 'a packet carries what we inflate')
assert(msgpackArrayLengthMaxDefault <= msgpackItemsMaxDefault, 'one array fits the item budget')
assert(messageTypeIdMax < 2 ** 16, 'a message type id fits the u16 of a frame')
