// The bound on what an attack can make the daemon hold (docs/limits.md): from the limits, and from what one thing
// of each kind costs beside its bytes. The costs were measured with scripts/hostile.ts and rounded up.

import { messageCreditBytes } from '@myelin/wire'
import * as doors from '../../packages/fabric/src/limits.ts'
import * as identities from '../../packages/identity/src/limits.ts'
import * as sessions from '../../packages/session/src/limits.ts'
import type { Attack } from './attack.ts'

const kib = 1024
const mib = 1024 * kib

/** Bytes of memory for one of each. */
export const costs = {
  /** A connection that has said nothing, or whose last bytes are leaving. */
  connection: 16 * kib,
  /** A handshake under way, without what its second message may fill. */
  handshake: 32 * kib,
  nonce: 256,
  /** A digest of a peer record that was verified. */
  digest: 128,
  session: 32 * kib,
  stream: 4 * kib,
  type: kib / 2,
  part: kib / 2,
  /** A message whose asynchronous handler runs. */
  heldMessage: 1.25 * kib,
  /** What the collector lets lie before it comes, whatever is thrown away. */
  garbage: 96 * mib,
} as const

export interface Limits {
  readonly handshakesPendingMax: number
  readonly windowBytes: number
  readonly messageBytesMax: number
}

export const defaultLimits: Limits = {
  handshakesPendingMax: doors.handshakesPendingMax,
  windowBytes: sessions.dataWindowBytes,
  messageBytesMax: sessions.messageBytesMax,
}

/** All strangers together. */
export function strangersBytesMax({ handshakesPendingMax }: Limits): number {
  // The buffer of a message that comes in pieces doubles, and its last half is garbage for a while.
  const pending = handshakesPendingMax * (costs.handshake + 2 * sessions.handshakeBytesMax)
  const silent = doors.connectionsSilentMax * (costs.connection + 2 * sessions.helloBytesMax)
  const leaving = (sessions.refusedLingeringMax + sessions.endedLingeringMax) * costs.connection
  const records = identities.verifiedRecordsMax * costs.digest
  return pending + silent + leaving + sessions.noncesRemembered * costs.nonce + records
}

/** One session of a trusted peer, its messages with running handlers not counted. */
export function sessionBytesMax({ windowBytes, messageBytesMax }: Limits): number {
  const records = (sessions.retainedWindowsMax + 2) * windowBytes
  const copies = sessions.recordBytesMax / sessions.partCopiedBytesMax
  const reassembly =
    sessions.reassemblyFullMessagesMax * messageBytesMax * copies +
    sessions.reassemblyPartsMax * costs.part
  const out = 2 * sessions.sendQueueBytesMax + sessions.controlBacklogBytesMax
  const tables = sessions.streamsMax * costs.stream + sessions.typesMax * costs.type
  return costs.session + records + reassembly + out + tables
}

/** One trusted peer in all its sessions, past ones included. */
export function peerBytesMax(limits: Limits): number {
  const { windowBytes, messageBytesMax } = limits
  const running = (windowBytes / messageCreditBytes) * costs.heldMessage
  const held = windowBytes + sessions.reassemblyFullMessagesMax * messageBytesMax
  return doors.sessionsOfPeerMax * sessionBytesMax(limits) + running + held
}

/** What an attack may add to the memory of the process. */
export function boundOf({ place }: Pick<Attack, 'place'>, limits: Limits = defaultLimits): number {
  const strangers = strangersBytesMax(limits) + costs.garbage
  return place === 'door' ? strangers : strangers + peerBytesMax(limits)
}
