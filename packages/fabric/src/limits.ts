// The bounds of fabric.

/** Sessions of one agent, in both directions together. */
export const sessionsMax = 1000
/** Handshakes that peers have begun and not finished. */
export const handshakesPendingMax = 256
/** Peers whose addresses are remembered. */
export const knownPeersMax = 10_000
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
