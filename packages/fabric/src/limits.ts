// The bounds of fabric.

import { assert, mib, packetPayloadBytesMax } from '@myelin/base'

/** Sessions of one agent, in both directions together. */
export const sessionsMax = 1000
/** Handshakes that peers have begun and not finished. */
export const handshakesPendingMax = 256
/** Sessions that one peer may open, so that one that has turned does not take all of them. */
export const sessionsOfPeerMax = 4
/** Connections that have said nothing yet. */
export const connectionsSilentMax = 1024
/** First handshake messages that are looked at each second: about a quarter of one core. */
export const greetingsPerSecondMax = 250
/** … of which so many are for addresses that have sent few in the present second. */
export const greetingsReservedPerSecond = 50
export const greetingsOfQuietAddressMax = 4
/** Addresses whose first messages are counted. */
export const quietAddressesMax = 10_000
/** Peers whose addresses are remembered. */
export const knownPeersMax = 10_000
/** Attempts at a peer that fail in a row before it is left alone for a while, and for how long. */
export const circuitFailuresMax = 5
export const circuitOpenMs = 10_000
/** Message types with a handler or a reader. */
export const handledTypesMax = 1024
/** Messages that wait for a reader of `messages()`. */
export const readerQueueMax = 65_536

/** Tasks on one board, in any state. */
export const tasksMax = 100_000
/** Workers that are registered with one coordinator. */
export const workersMax = 10_000
/** How often a task is handed out before it counts as failed. */
export const taskAttemptsMax = 5
/** How long a coordinator holds a request for a task while there is none. */
export const taskWaitMs = 20_000
/** Bytes of what a worker says of itself. */
export const workerMetadataBytesMax = 4096

assert(greetingsReservedPerSecond < greetingsPerSecondMax, 'the reserve is a part')

/** Sessions that are kept although idle, and those that we open at once (R165). */
export const poolSessionsMin = 5
export const poolSessionsMax = 50
export const poolIdleMs = 300_000
export const poolLifetimeMs = 3_600_000
/** Attempts that wait for a place in the pool, and how long. */
export const poolWaitersMax = 1000
export const poolWaitMs = 10_000
/** How often sessions are looked at. */
export const poolCheckMs = 15_000
/** Looks in a row at which a ping was unanswered, or at which a queue had not moved. */
export const healthMissesMax = 3
/** A session whose round trips take longer, on average, is slow. */
export const healthRoundTripMsMax = 5_000
/** Round trips before their average says anything. */
export const healthSamplesMin = 5
/** Bytes that leave between two looks although a queue does not move: pings, and credit for the peer. */
export const healthStalledBytesMax = 4096
/** How long a session is waited for that hands over to its successor; an unhealthy one gets less. */
export const handoverMs = 30_000
export const handoverUnhealthyMs = 5_000

/** Time for one attempt to reach a peer, all its addresses together. */
export const connectAttemptMs = 30_000
/** A session that lived this long was no accident: after its end the waits start small again. */
export const stableSessionMs = 10_000
/** Peers that are kept connected. */
export const keptPeersMax = 10_000

/** Acknowledged messages for one peer that are not acknowledged yet, and their bytes; bytes for all peers. */
export const outboxMessagesMax = 16_384
export const outboxBytesMax = 32 * mib
export const outboxesBytesMax = 256 * mib
/** Acknowledged messages on their way at once: what the receiver's window must hold. */
export const deliveryWindowMax = 4096
/** How long a message is tried, unless its sender says; and the longest time it may say. */
export const deliveryTtlMs = 300_000
export const deliveryTtlMsMax = 3_600_000
/** How long the numbers of a sender are remembered after its last message. */
export const deliveryMemoryMs = 7_200_000
/** Peers with an outbox, and senders whose numbers are remembered. */
export const deliveryPeersMax = 10_000
/** Incarnations of one sender that are remembered. A correct one has one at a time. */
export const incarnationsMax = 4
/** Ranges and failures in one acknowledgement. */
export const ackRangesMax = 1024
export const ackFailuresMax = 64
/** Bytes of the text of a failure. */
export const ackTextBytesMax = 1024

/** Messages of one batch on their way into a session, and their bytes: less than its queue holds. */
export const batchMessagesMax = 16_384
export const batchBytesMax = 1024 * 1024

assert(poolSessionsMin <= poolSessionsMax, 'what is kept fits the pool')
assert(outboxBytesMax > packetPayloadBytesMax, 'an outbox holds the largest message')
assert(deliveryMemoryMs > deliveryTtlMsMax + poolIdleMs, 'a number outlives its message')
