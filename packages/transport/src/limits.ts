// The numbers of transport, with their units and relations.

import { assert, kib, mib } from '@myelin/base'

/** Longest address text, in characters, that is looked at at all. */
export const addressCharsMax = 1_024

/** Longest DNS name and label, in characters (RFC 1035 §2.3.4). */
export const hostCharsMax = 253
export const hostLabelCharsMax = 63

/** Longest name of a memory endpoint, in characters. */
export const memoryNameCharsMax = 128

/** `sun_path` without its closing NUL: 108 bytes on Linux, 104 on macOS and the BSDs. */
export const unixPathBytesMaxLinux = 107
export const unixPathBytesMaxBsd = 103

/** Longest name of a Windows pipe with its prefix, in characters (CreateNamedPipe). */
export const pipePathCharsMax = 256

/** A socket's `write` says false from this many unsent bytes on. */
export const socketHighWaterBytes = 256 * kib

/**
 * Milliseconds that the receiver of one stream takes before all others have had their turn. Node reads up to 2 MiB
 * from one socket in a row, which is a long time where each byte costs work.
 */
export const streamTurnMsMax = 2

/** A dropped connection is logged at most this often, in milliseconds: an attacker chooses how many there are. */
export const dropLoggedMs = 1_000

/** A memory stream's `write` says false from this many unread bytes on, and drains at the second mark. */
export const memoryHighWaterBytes = mib
export const memoryLowWaterBytes = memoryHighWaterBytes / 2

/** Unread chunks at which a memory stream breaks: its writer ignored `false` beyond reason. */
export const memoryChunksMax = 2 ** 20

/** Endpoints of each kind in one memory network. */
export const memoryEndpointsMax = 65_536

/** Datagrams that wait in one memory socket; more are dropped. */
export const memoryDatagramsMax = 256

/** Largest UDP payload over IPv4: 65,535 less the headers of IP (20) and UDP (8) (RFC 768, RFC 791). */
export const datagramBytesMax = 65_507

/**
 * Payload of a datagram unless told otherwise: every path of the Internet that carries QUIC carries this much
 * without cutting it (RFC 9000 §14.1).
 */
export const udpDatagramBytesDefault = 1_200

/** Datagrams that wait in a UDP socket for its owner to attach; more are dropped. */
export const udpWaitingDatagramsMax = 256

/** Bytes that may wait in a UDP socket for the system to take them; a datagram beyond is dropped. */
export const udpSendQueueBytesDefault = mib
export const udpSendQueueBytesMax = 256 * mib

/** Buffers of the system per UDP socket; it may grant less (net.core.rmem_max, wmem_max). */
export const udpSocketBufferBytesMin = 4 * kib
export const udpSocketBufferBytesMax = 256 * mib

/** Addresses of peers that a UDP socket remembers in their parsed form. */
export const udpPeersRemembered = 1_024

/** Hops that a multicast datagram may take: 1 stays in the local network (RFC 1112 §6.1). */
export const multicastTtlDefault = 1
export const multicastTtlMax = 255

/** Connections that the system has accepted and Node has not. */
export const backlogDefault = 511
export const backlogMax = 65_535

/** Open streams per listener; further ones are closed as they come. */
export const connectionsDefault = 4_096
export const connectionsMax = 1_000_000

/** Silence after which TCP keep-alive probes start. */
export const keepAliveDelayMs = 30_000

/** Longest time for which a dial may be asked to wait. */
export const dialTimeoutMsMax = 3_600_000

/** Bytes of one direction of a shared-memory stream; powers of two. Memory is taken as it is first used. */
export const shmRingBytesDefault = mib
export const shmRingBytesMin = 4 * kib
export const shmRingBytesMax = 64 * mib

/** Open shared-memory streams per listener: each can come to hold two rings. */
export const shmConnectionsDefault = 256

/** Largest chunk that a shared-memory stream hands to its receiver. */
export const shmChunkBytesMax = 64 * kib

/** Milliseconds in which both sides of a shared-memory stream must have mapped it. */
export const shmHandshakeMs = 10_000

/** Longest time for which a turn may wait for bytes without letting go of the event loop, in microseconds. */
export const shmSpinUsDefault = 20
export const shmSpinUsMax = 1_000

/** Longest time for which an idle stream may go on looking before it sleeps, in microseconds. */
export const shmPollUsDefault = 200
export const shmPollUsMax = 1_000_000

/** A yield of the processor that took longer, in microseconds, let somebody else run. */
export const shmContendedUs = 3

/** Shorter than this, in microseconds, such looking cannot pay, and an idle stream sleeps at once. */
export const shmWindowUsMin = 20

/** Times that a listener tries again when others race it for the same socket path. */
export const publishAttemptsMax = 3

/** Connections per listener whose TLS or WebSocket handshake is not finished; further ones are closed. */
export const handshakesPendingDefault = 256
export const handshakesPendingMax = 100_000

/** Time from the accepted connection to the end of its TLS and WebSocket handshakes. */
export const handshakeTimeoutMsDefault = 10_000
export const handshakeTimeoutMsMax = 600_000

/** Addresses whose TLS sessions are kept for dialling again, and how many sessions of each. */
export const ticketsDefault = 256
export const ticketsMax = 65_536
export const ticketsPerAddressMax = 4

/** Pinned keys per transport. */
export const pinsMax = 1_024

/** Bytes of one WebSocket message that we send, and that we take from a peer. */
export const webSocketSentBytesMax = 64 * kib
export const webSocketMessageBytesMax = mib

/** Fragments of one message, and chunks in which it may come. */
export const webSocketFragmentsMax = 1_024
export const webSocketChunksMax = 16_384

/** Header of the HTTP request that becomes a WebSocket. */
export const upgradeHeaderBytesMax = 8 * kib

/** Time for the peer to answer our closing handshake. */
export const webSocketCloseTimeoutMs = 10_000

/** Unread bytes at which a stream whose socket cannot pause breaks; far above the session's credit. */
export const unpausedBytesMax = 64 * mib

/** How often a browser's socket is asked whether its buffer has shrunk, while somebody waits for that. */
export const webSocketPollMs = 10

/** Origins that a WebSocket listener knows. */
export const originsMax = 256

/**
 * A QUIC connection on which nothing came for so long is over, in milliseconds; an idle one sends a packet in between.
 * The lower bound leaves time for a handshake over a slow path.
 */
export const quicIdleTimeoutMsDefault = 30_000
export const quicIdleTimeoutMsMin = 100
export const quicIdleTimeoutMsMax = 3_600_000
export const quicKeepAliveMsDefault = 5_000

/** Lanes that each side may have open on one connection. */
export const lanesDefault = 1_024
export const lanesMax = 65_536

/** Bytes of one QUIC stream under way and unread: what a path of 80 ms needs for 50 MB/s. */
export const quicWindowBytesDefault = 4 * mib
export const quicWindowBytesMin = 64 * kib
export const quicWindowBytesMax = 256 * mib

/** Asked of the system for a socket of QUIC; it may give less. */
export const quicSocketBufferBytes = 2 * mib

/** Most bytes of one read, and of small writes that leave together. */
export const quicReadBytes = 64 * kib
export const quicWriteBytesMax = 64 * kib

/** How long a connection that has ended waits for the peer to have read all. */
export const quicLingerMs = 10_000

assert(memoryLowWaterBytes < memoryHighWaterBytes, 'a stream drains below its high-water mark')
assert(connectionsDefault <= connectionsMax, 'the default must be allowed')
assert(udpDatagramBytesDefault <= datagramBytesMax, 'the default must be allowed')
assert(udpSendQueueBytesDefault <= udpSendQueueBytesMax, 'the default must be allowed')
assert(datagramBytesMax <= udpSendQueueBytesDefault, 'the largest datagram fits an empty queue')
assert(backlogDefault <= backlogMax, 'the default must be allowed')
assert(
  shmChunkBytesMax <= socketHighWaterBytes,
  'a chunk is less than what waits behind a full ring',
)
assert(shmSpinUsDefault <= shmSpinUsMax, 'the default must be allowed')
assert(shmPollUsDefault <= shmPollUsMax, 'the default must be allowed')
assert(shmRingBytesMin <= shmRingBytesDefault, 'the default must be allowed')
assert(shmRingBytesDefault <= shmRingBytesMax, 'the default must be allowed')
assert(handshakesPendingDefault <= handshakesPendingMax, 'the default must be allowed')
assert(handshakeTimeoutMsDefault <= handshakeTimeoutMsMax, 'the default must be allowed')
assert(ticketsDefault <= ticketsMax, 'the default must be allowed')
assert(webSocketSentBytesMax <= webSocketMessageBytesMax, 'a peer takes what we send')
assert(
  quicKeepAliveMsDefault < quicIdleTimeoutMsDefault,
  'an idle connection is kept alive in time',
)
assert(lanesDefault <= lanesMax, 'the default must be allowed')
assert(quicWindowBytesDefault <= quicWindowBytesMax, 'the default must be allowed')
