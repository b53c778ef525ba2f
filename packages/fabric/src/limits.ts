// The bounds of fabric.

import { assert } from '@myelin/base'

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
