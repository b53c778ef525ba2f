// What datagrams need from the agent, and what they are to the program.

import type { Clock, Logger, Random } from '@myelin/base'
import type { Gate, SecurityLog } from '@myelin/guard'
import type { AgentId } from '@myelin/identity'
import type { PlainSuite, Session } from '@myelin/session'
import type { DatagramTransport } from '@myelin/transport'
import type { MessageTypes } from '@myelin/wire'

/** A session, and what its peer may do. */
export interface DatagramLink {
  readonly session: Session
  readonly gate: Gate
  /** Channels and groups in it: a session that has any is not idle. */
  datagramUses: number
}

export interface DatagramsParts {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly log: SecurityLog
  readonly types: MessageTypes
  /** Undefined: this agent has no datagrams. */
  readonly transport: DatagramTransport | undefined
  /** Largest datagram that is sent and accepted. */
  readonly bytesMax?: number | undefined
  /** Of our own groups; the faster one on this machine. */
  readonly suite?: PlainSuite | undefined
}

export interface ReceivedDatagram<Payload = unknown> {
  readonly type: string
  readonly payload: Payload
  readonly from: AgentId
}

/** Counters since the channel began. */
export interface DatagramStats {
  messagesSent: number
  messagesReceived: number
  datagramsSent: number
  datagramsReceived: number
  /** On the wire, sealed. */
  bytesSent: number
  bytesReceived: number
  /** Not sent: no address was proved yet, or the system took no more. */
  unsent: number
  /** Arrived and dropped: nobody read them fast enough. */
  dropped: number
  /** Arrived and dropped: the guard refuses them, or their type cannot read them. */
  refused: number
  /** Datagrams that came a second time, or so late that nobody can tell. */
  replayed: number
  /** Datagrams that do not open. */
  forged: number
  /** Challenges sent to addresses that had not proved themselves. */
  challenges: number
  /** Key updates of ours. */
  rekeys: number
}

/** Datagrams to and from one peer: each arrives once or never, in any order. */
export interface DatagramChannel<Payload = unknown>
  extends AsyncIterable<ReceivedDatagram<Payload>>,
    Disposable {
  readonly peer: AgentId
  readonly type: string
  /** Largest payload, in bytes as its type encodes it. */
  readonly payloadBytesMax: number
  readonly isOpen: boolean
  /** Where the peer was proved to be; undefined before. */
  readonly remoteAddress: string | undefined
  readonly stats: Readonly<DatagramStats> & {
    /** Datagrams that counters say were sent to us and that have not come. */
    readonly lost: number
    /** How often the peer came from a new address that proved itself. */
    readonly migrations: number
  }
  /** Resolves when the peer's address is proved, so that `send` works; rejects when the channel ends before. */
  readonly ready: Promise<void>
  /** Resolves when the channel is over, with the reason. */
  readonly closed: Promise<string>
  /**
   * Sends a payload, in one datagram with others of this turn. False when it is lost here: no proved address, no
   * room, the end. Throws `FABRIC_DATAGRAM_TOO_LARGE`, and `FABRIC_FORBIDDEN` where the peer may not receive it.
   */
  send(payload: Payload): boolean
  /** Calls `handler` for each payload, instead of the loop. */
  handle(handler: (received: ReceivedDatagram<Payload>) => void): void
  close(): void
}

export interface ReceivedFromGroup<Payload = unknown> {
  readonly type: string
  readonly payload: Payload
  /** The number of a member. A group's key proves that a member spoke; the number is that member's word. */
  readonly sender: number
}

export type GroupStats = Omit<DatagramStats, 'challenges' | 'rekeys'>

/** A multicast group: what one member sends is sealed once for all. */
export interface MulticastGroup<Payload = unknown>
  extends AsyncIterable<ReceivedFromGroup<Payload>>,
    Disposable {
  readonly name: string
  readonly type: string
  /** Who admits members and hands out the keys. */
  readonly owner: AgentId
  readonly isOwner: boolean
  readonly address: string
  /** Our number among the senders; undefined for one that only listens. */
  readonly sender: number | undefined
  /** How many keys the group has had. */
  readonly generation: number
  readonly payloadBytesMax: number
  readonly isOpen: boolean
  readonly stats: Readonly<GroupStats> & { readonly lost: number }
  readonly closed: Promise<string>
  /** As `DatagramChannel.send`; a listener throws `FABRIC_FORBIDDEN`. */
  send(payload: Payload): boolean
  handle(handler: (received: ReceivedFromGroup<Payload>) => void): void
  /** Leaves; the owner's group ends for all. */
  close(): void
}

/** The owner's side of a group. */
export interface OwnedGroup<Payload = unknown> extends MulticastGroup<Payload> {
  readonly members: readonly AgentId[]
  /** Removes a member: the others get a new key, and the old one is void at once. */
  remove(agent: AgentId): boolean
  /** A new key for all members, without anybody leaving. */
  rekey(): void
}

export interface GroupOptions {
  /** Kebab-case, as types are: members ask for the group by it. */
  readonly name: string
  /** A multicast address such as /ip4/239.1.2.3/udp/4001; port 0 takes a free one. */
  readonly address: string
  /** Of the messages; `data` by default. Members need the right to receive it, and to send it unless they listen. */
  readonly type?: string
  /** Asked beside the guard. */
  readonly allow?: (agent: AgentId, roles: readonly string[]) => boolean
  readonly membersMax?: number
}
