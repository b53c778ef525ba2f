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

/** Times that a listener tries again when others race it for the same socket path. */
export const publishAttemptsMax = 3

assert(memoryLowWaterBytes < memoryHighWaterBytes, 'a stream drains below its high-water mark')
assert(connectionsDefault <= connectionsMax, 'the default must be allowed')
assert(backlogDefault <= backlogMax, 'the default must be allowed')
