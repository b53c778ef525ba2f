// The bound on what an attack can make the daemon hold (docs/limits.md): from the limits, and from what one thing
// of each kind costs beside its bytes. The costs were measured with scripts/hostile.ts and rounded up.

import { messageCreditBytes } from '@myelin/wire'
import * as datagrams from '../../packages/fabric/src/datagrams/limits.ts'
import * as doors from '../../packages/fabric/src/limits.ts'
import * as identities from '../../packages/identity/src/limits.ts'
import * as sessions from '../../packages/session/src/limits.ts'
import * as transports from '../../packages/transport/src/limits.ts'
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
  /** A number of an acknowledged message that came in, and one of ours that waits for its acknowledgement. */
  number: 256,
  unacknowledged: kib / 2,
  /** A ticket for resuming a session, with the peer's record, encoded and read. */
  ticket: 20 * kib,
  /** A channel of datagrams without what waits in it, and one member's window and keys in a group. */
  channel: 32 * kib,
  member: 4 * kib,
  /** A lane without the record that is coming in. */
  lane: 8 * kib,
  /** A QUIC handshake under way, and a first packet of one that waits for its turn inside the package. */
  quicHandshake: 96 * kib,
  quicWaiting: 4 * kib,
  /** What the collector lets lie before it comes, whatever is thrown away. */
  garbage: 96 * mib,
} as const

/** First packets that the QUIC package lets wait, by its own constants (quinn-proto 0.11), and bytes behind them. */
const quicWaitingMax = 65_536
const quicWaitingBytesMax = 100 * mib

/** A handler of a stream counts for so many messages (fabric/dispatcher.ts). */
const messagesOfStream = 64

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

/** … and those that come by QUIC, where the agent listens for it. */
export function quicStrangersBytesMax(): number {
  const pending = transports.handshakesPendingDefault * costs.quicHandshake
  return pending + quicWaitingMax * costs.quicWaiting + quicWaitingBytesMax
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

/** What a QUIC session has beside that: its lanes, each with a record in pieces, and what the package holds. */
export function lanesBytesMax(): number {
  const record = 2 * sessions.recordBytesMax
  const windows = 2 * transports.quicWindowBytesDefault
  return sessions.streamsMax * (costs.lane + record) + 2 * windows
}

/** Acknowledged messages: numbers and reasons of those from the peer, and ours that it never acknowledges. */
export function deliveryBytesMax(): number {
  const remembered = doors.incarnationsMax * doors.deliveryWindowMax
  const numbers = remembered * (costs.number + doors.ackTextBytesMax)
  return numbers + doors.outboxBytesMax + doors.outboxMessagesMax * costs.unacknowledged
}

/** The channels of one peer, where the agent listens on a UDP address. */
export function channelsBytesMax(): number {
  return datagrams.channelsOfPeerMax * (datagrams.waitingBytesMax + costs.channel)
}

/** One group, for as many members as have sent. */
export function groupBytesMax(members: number): number {
  return datagrams.waitingBytesMax + members * costs.member
}

/** One trusted peer in all its sessions, past ones included. */
export function peerBytesMax(limits: Limits, over?: Attack['over']): number {
  const { windowBytes, messageBytesMax } = limits
  const messages = windowBytes / messageCreditBytes
  const running = messages * costs.heldMessage
  const held = windowBytes + sessions.reassemblyFullMessagesMax * messageBytesMax
  // Handlers of streams that have written up to the mark, to a peer that reads nothing.
  const written = (messages / messagesOfStream) * sessions.streamHighWaterBytes
  const tickets = 2 * costs.ticket
  const session = sessionBytesMax(limits) + (over === 'quic' ? lanesBytesMax() : 0)
  const channels = over === 'udp' ? channelsBytesMax() : 0
  const own = running + held + written + tickets + deliveryBytesMax() + channels
  return doors.sessionsOfPeerMax * session + own
}

/** What an attack may add to the memory of the process. */
export function boundOf(
  { place, over }: Pick<Attack, 'place' | 'over'>,
  limits: Limits = defaultLimits,
): number {
  const quic = over === 'quic' ? quicStrangersBytesMax() : 0
  const strangers = strangersBytesMax(limits) + quic + costs.garbage
  return place === 'door' ? strangers : strangers + peerBytesMax(limits, over)
}
