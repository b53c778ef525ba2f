// The bounds of a session, in bytes, counts and milliseconds, and how they depend on each other.

import { assert, kib, mib, packetPayloadBytesMax, recordBytesMax } from '@myelin/base'

/** Frames of one record before compression and sealing. */
export { recordBytesMax }

/** Largest handshake message, by Noise (rev 34 §3). */
export const handshakeBytesMax = 65_535
/** … and the first one, which comes from a stranger: 1,249 bytes of keys and a hello of 76 fit well. */
export const helloBytesMax = 2048
/** Join token secret and certificates in the last handshake message. */
export const handshakeTokenBytesMax = 64

/** Handshake nonces that are remembered (R136). */
export const noncesRemembered = 10_000
/** Allowed difference between the peers' clocks (R135). */
export const timestampWindowMs = 5_000
export const handshakeTimeoutMs = 10_000
/** Tickets for resuming sessions, of those that we opened and of those that peers did. */
export const ticketsMax = 1024
/** How long after a full handshake sessions are resumed, however many there were since. */
export const resumptionLifetimeMs = 3_600_000
export const resumptionLifetimeMsMax = 3_600_000

/** Most bytes of a session that a receiver holds for its handlers, and most that may be under way. */
export const dataWindowBytes = 4 * mib
/** Those that may be under way at first, and again where the path needs no more. */
export const dataWindowBytesMin = 256 * kib
/** Those of one stream under way and unread, which may grow to the session's under way. */
export const streamWindowBytes = 256 * kib
/** How long the shortest round trip counts, at least. */
export const roundTripSpanMs = 300_000
/** Bytes that may come during a round trip which is to tell of the path alone. */
export const roundTripBytesMax = 16 * kib
/** The other side's share of the first round trip, which ends a handshake. */
export const handshakeWorkMs = 2
/** When a session that is quiet measures its path for the first time. */
export const firstPingMs = 100
/** Streams that a peer may hold open at once. */
export const streamsMax = 1024
/** Lanes that one side opens at once, where the transport has them; further streams go over the main stream. */
export const lanesMax = streamsMax
/** Ids of streams that the peer has passed over so far: their lanes may still be on their way. */
export const streamGapsMax = 2 * streamsMax
/** Largest message, reassembled (R131). */
export const messageBytesMax = packetPayloadBytesMax
/**
 * Messages of full size that fit into reassembly together. A sender interleaves one of each of the four
 * priorities, so less would end sessions of correct peers.
 */
export const reassemblyFullMessagesMax = 4
/** Messages that are being reassembled at once. */
export const reassembliesMax = 256
/** Parts of all those messages together. Correct peers send parts of 16 KiB and more, but for a few. */
export const reassemblyPartsMax = 65_536
/**
 * Windows' worth of records that unreleased messages may keep alive before short ones are copied out of theirs.
 * Correct peers fill their records with what they pay for and stay below.
 */
export const retainedWindowsMax = 2
/** A part, or a chunk of a stream, shorter than this is copied, so that it does not keep the whole record alive that it came in. */
export const partCopiedBytesMax = recordBytesMax / 2

/** Queued bytes above which a sender is told to wait. */
export const sendHighWaterBytes = 1 * mib
/** Queued bytes above which a message is refused. */
export const sendQueueBytesMax = 2 * messageBytesMax
/**
 * Bytes that may wait in the transport when another control frame is due. Messages wait for the transport, control
 * frames do not: a peer that causes them without end and reads none ends its session. A transport may itself hold
 * a mebibyte of messages before it asks to wait; that is slowness, and no fault.
 */
export const controlBacklogBytesMax = 1.5 * mib
/** Queued bytes above which a stream's writer is told to wait. */
export const streamHighWaterBytes = 256 * kib

export const requestsPendingMax = 65_536
export const requestTimeoutMs = 60_000
/** Custom type names that one side may define. */
export const typesMax = 1024
/** Longest name of a message type, in bytes of UTF-8: its frame has one byte for the length. */
export const typeNameBytesMax = 255
/** First type id for names that the peers define; lower ids are built in. */
export const customTypeIdFirst = 64

/** Key rotation (R029). */
export const rekeyMessages = 1_000_000
export const rekeyMs = 24 * 3_600_000
/** Well below 2^24.5 full records, the bound for AES-GCM (RFC 8446 §5.5). */
export const rekeyBytes = 64 * 1024 * mib

/** A sealed datagram: the largest payload of UDP over IPv4 (RFC 768, RFC 791). */
export const datagramBytesMax = 65_507
/** Counters that a receiver of datagrams tells apart, down from the highest one; a power of two. */
export const replayWindowCounters = 1_024
/** Datagrams under one key: the bound for AES-GCM whatever their length (RFC 9001 §6.6). */
export const datagramsPerKeyMax = 2 ** 23
/** Key updates that a receiver of datagrams may have missed. */
export const datagramEpochsAheadMax = 8
/** Senders of one group whose counters are remembered, each with a window and a key in every epoch. */
export const datagramSendersDefault = 1_024
export const datagramSendersMax = 65_536

/** Secrets that a session exports, and their labels (RFC 5869 §2.3 gives 255 hashes). */
export const exportedBytesMax = 8_160
export const exportLabelBytesMax = 255

/** Heartbeat (R140, R141). */
export const heartbeatIntervalMs = 30_000
export const heartbeatMissesMax = 4
/** Pings in flight: beyond, the sender gives up the oldest, and the receiver of one record answers no more. */
export const pingsMax = 64
/** How long a closing session waits for its last bytes to leave. */
export const closeTimeoutMs = 2_000
/** Connections of refused strangers, and of ended sessions, whose last bytes may still be leaving. */
export const refusedLingeringMax = 256
export const endedLingeringMax = 256
/** Bytes of a connection that was given up which are read and dropped before it is cut. */
export const droppedBytesMax = 256 * kib

assert(Number.isInteger(Math.log2(replayWindowCounters)), 'counters are cut to bits of the ring')
assert(replayWindowCounters % 32 === 0, 'the ring consists of whole words')
assert(datagramEpochsAheadMax < 128, 'one byte tells what is ahead from what is past')
assert(datagramsPerKeyMax <= 2 ** 23, 'keys of datagrams are updated before the AEAD bound')
assert(datagramSendersDefault <= datagramSendersMax, 'the default must be allowed')
assert(dataWindowBytesMin >= 4 * recordBytesMax, 'the window must hold some records')
assert(dataWindowBytesMin <= dataWindowBytes, 'a window only grows')
assert(streamWindowBytes <= dataWindowBytesMin, 'one stream cannot use more than the session')
assert(rekeyBytes / recordBytesMax < 2 ** 24, 'keys rotate before the AEAD bound')
assert(sendHighWaterBytes < sendQueueBytesMax, 'a sender is told to wait before it is refused')
