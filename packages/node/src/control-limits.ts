// Bounds of the control endpoint and of what a home remembers.

import { assert, kib, packetPayloadBytesMax } from '@myelin/base'

/** Longest line of the control protocol: the largest payload in base64, and room for what is around it. */
export const controlLineBytesMax = Math.ceil(packetPayloadBytesMax / 3) * 4 + 64 * kib

/** Open connections to one control socket. */
export const controlConnectionsMax = 32

/** Requests in progress on one of them. */
export const controlRequestsMax = 32

/** Bytes of one text parameter: a name, a message type, an address. */
export const controlTextBytesMax = kib

/** Bytes of a join token as text; identity reads no more either. */
export const controlTokenBytesMax = 8 * kib

/** Longest time that a request may ask for, in ms. */
export const controlTimeoutMsMax = 24 * 3_600_000

/** Time for a caller to read its last answer when the daemon ends, in ms. */
export const controlLingerMs = 500

/** Longest life of a join token that an operator makes: 30 days in ms. */
export const invitationLifetimeMsMax = 30 * 24 * 3_600_000

/** Peers whose addresses a home keeps. */
export const rememberedPeersMax = 1024

assert(controlTextBytesMax < controlLineBytesMax, 'a parameter must fit its line')
