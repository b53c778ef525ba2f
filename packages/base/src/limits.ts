// Numbers that more than one package needs. Each package keeps its own bounds in its own limits.ts.

import { assert } from './errors.ts'

export const kib = 1024
export const mib = 1024 * kib

/** Largest payload of a packet (R131): 16 MiB. */
export const packetPayloadBytesMax = 16 * mib

/** Largest record that a session seals at once (DESIGN §3.6). */
export const recordBytesMax = 64 * kib

assert(recordBytesMax <= packetPayloadBytesMax, 'a record must fit a packet')
