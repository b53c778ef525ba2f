// The bounds of datagram channels and multicast groups.

import { assert, mib } from '@myelin/base'

/** UDP payload unless told otherwise, at least, and at most (RFC 9000 §14.1, RFC 768 over IPv4). */
export const datagramBytesDefault = 1_200
export const datagramBytesMin = 256
export const datagramBytesMax = 65_507

/** Channels of one agent, and with one peer. */
export const channelsMax = 4_096
export const channelsOfPeerMax = 16
/** UDP addresses on which one agent listens, and that it tells a peer. */
export const socketsMax = 8
export const addressesMax = 4
export const addressBytesMax = 256
/** Addresses of one peer that a channel knows, proved or not. */
export const pathsMax = 8
/** Bytes to an address that has proved nothing, for each byte of ours-to-open that came from it (RFC 9000 §8.1). */
export const amplificationMax = 3
/** Challenges to an address that a peer named, before anything came from there; the waits double. */
export const challengesToldMax = 5
export const challengeFirstWaitMs = 200
/** Challenges of one channel, and of all. */
export const challengeRateOfChannel = { perSecond: 5, burst: 20 }
export const challengeRate = { perSecond: 200, burst: 400 }
/** Time in which a channel must find a path. */
export const validationTimeoutMs = 10_000
/** An address that was silent for so long has to prove itself again. */
export const pathValidMs = 60_000
/** Silence after which a channel says something, so that translators of addresses (NAT) keep its way open. */
export const keepAliveMs = 15_000
/** Bytes sealed with one key. */
export const datagramBytesPerKeyMax = 2 ** 36
/** Datagrams that do not open, after which a channel ends (RFC 9001 §6.6, the lower of both ciphers). */
export const forgeriesMax = 2 ** 36
/** Messages that wait for a reader; later ones are dropped. */
export const datagramsWaitingMax = 1_024
/** Bytes of datagrams that they may keep alive; where datagrams are large, fewer wait. */
export const waitingBytesMax = 4 * mib

/** Groups that one agent owns or is in, and members of one. */
export const groupsMax = 64
export const membersMax = 65_536
/** Members that leave within this time cost one new key. */
export const rekeyWaitMs = 1_000
/** How long the last key is still accepted after a member left, by its own will or with its session. */
export const generationGraceMs = 1_000
export const generationGraceMsMax = 5_000

assert(datagramBytesMin <= datagramBytesDefault, 'the default must be allowed')
assert(channelsOfPeerMax <= channelsMax, 'one peer has no more than all')
assert(addressesMax <= pathsMax, 'what a peer tells is kept')
assert(datagramBytesMax <= waitingBytesMax, 'one of any size may wait')
assert(generationGraceMs <= generationGraceMsMax, 'the default must be allowed')
