// One member's side of a multicast group (docs/protocol.md §12): a datagram is sealed once, whoever and how many
// receive it. The owner hands out a secret for each generation, and to each member that sends a number that nobody
// else ever has under that secret; so no key and counter come twice, whatever restarts.

import type { Clock, Logger, Timer } from '@myelin/base'
import type { Gate } from '@myelin/guard'
import type { AgentId } from '@myelin/identity'
import {
  DatagramOpener,
  DatagramSealer,
  type PlainSuite,
  readDatagramMessages,
} from '@myelin/session'
import type { DatagramSocket } from '@myelin/transport'
import type { MessageType } from '@myelin/wire'
import { FabricError } from '../errors.ts'
import { Arrivals } from './arrivals.ts'
import { groupDatagram, groupHeaderBytes, groupKind, idOf } from './frames.ts'
import { Inbox } from './inbox.ts'
import { membersMax } from './limits.ts'
import type { GroupStats, MulticastGroup, ReceivedFromGroup } from './ports.ts'
import { MeteredSealer, TurnBatch } from './sealing.ts'

/** Of a datagram of a group (packages/session, datagram.ts). */
const sealedOverheadBytes = 30
/** Where the sender's number stands in the sealed part. */
const senderOffset = groupHeaderBytes + 2

export interface GroupParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly name: string
  readonly owner: AgentId
  readonly isOwner: boolean
  readonly id: Uint8Array
  readonly suite: PlainSuite
  readonly sender: number | undefined
  readonly codec: MessageType
  /** What the group's messages are charged to; undefined for the owner. */
  readonly gate: Gate | undefined
  /** Bound to the group's address; belongs to the group. */
  readonly socket: DatagramSocket
  readonly bytesMax: number
  ended(isOurs: boolean): void
}

interface Generation {
  readonly number: number
  readonly sealer: MeteredSealer | undefined
  readonly opener: DatagramOpener
  readonly arrivals: Map<number, Arrivals>
}

export class Group implements MulticastGroup {
  readonly name: string
  readonly type: string
  readonly owner: AgentId
  readonly isOwner: boolean
  readonly address: string
  readonly sender: number | undefined
  readonly payloadBytesMax: number
  readonly closed: Promise<string>
  readonly #parts: GroupParts
  readonly #id: bigint
  readonly #batch: TurnBatch
  readonly #inbox: Inbox<ReceivedFromGroup>
  readonly #closed = Promise.withResolvers<string>()
  readonly #counts = emptyCounts()
  readonly #timers = new Set<Timer>()
  /** Oldest first: at most two. */
  #generations: Generation[] = []
  /** The one that we seal with. */
  #sealing: Generation | undefined
  /** Of generations that are gone. */
  #lostBefore = 0
  #isOpen = true

  constructor(parts: GroupParts) {
    this.#parts = parts
    this.name = parts.name
    this.type = parts.codec.name
    this.owner = parts.owner
    this.isOwner = parts.isOwner
    this.address = parts.socket.localAddress
    this.sender = parts.sender
    this.closed = this.#closed.promise
    this.#id = idOf(parts.id)
    this.#inbox = new Inbox(parts.logger, parts.bytesMax)
    this.#batch = new TurnBatch({
      clock: parts.clock,
      bytesMax: parts.bytesMax - groupHeaderBytes - sealedOverheadBytes,
      flush: (messages) => this.#flush(messages),
    })
    this.payloadBytesMax = this.#batch.payloadBytesMax
    parts.socket.attach({
      message: (bytes) => this.#receive(bytes),
      closed: () => this.end('its socket is gone', true),
    })
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get generation(): number {
    return this.#generations.at(-1)?.number ?? 0
  }

  get stats(): GroupStats & { readonly lost: number } {
    let lost = this.#lostBefore
    for (const generation of this.#generations) lost += lostOf(generation)
    return { ...this.#counts, lost }
  }

  /**
   * The next key. Takes ownership of `secret`. For `graceMs` the one before still opens, and for the first half of
   * that time we go on sealing with it, as others may not have heard yet.
   */
  install(generation: number, secret: Uint8Array, graceMs: number): void {
    const { suite, sender } = this.#parts
    const sealer =
      sender === undefined
        ? undefined
        : new MeteredSealer(new DatagramSealer(suite, secret.slice(), { sender }))
    const opener = new DatagramOpener(suite, secret, { isGroup: true, sendersMax: membersMax })
    const next = { number: generation, sealer, opener, arrivals: new Map<number, Arrivals>() }
    this.#batch.flush()
    while (this.#generations.length > (graceMs > 0 ? 1 : 0)) this.#forgetOldest()
    this.#generations.push(next)
    if (graceMs === 0 || this.#generations.length === 1) {
      this.#sealing = next
      return
    }
    this.#after(graceMs / 2, () => this.#sealWith(next))
    this.#after(graceMs, () => {
      while (this.#generations.length > 1 && this.#generations[0] !== next) this.#forgetOldest()
    })
  }

  send(payload: unknown): boolean {
    if (this.#parts.sender === undefined) {
      const message = `this member of "${this.name}" only listens; join without isListener`
      throw new FabricError('FABRIC_FORBIDDEN', message, { kind: 'usage' })
    }
    const isTaken = this.#isOpen && this.#batch.add(this.#parts.codec.encode(payload))
    if (isTaken) this.#counts.messagesSent += 1
    else this.#counts.unsent += 1
    return isTaken
  }

  handle(handler: (received: ReceivedFromGroup) => void): void {
    this.#inbox.handle(handler)
  }

  [Symbol.asyncIterator](): AsyncIterator<ReceivedFromGroup> {
    return this.#inbox.read()
  }

  close(): void {
    this.end('closed here', true)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  end(reason: string, isOurs: boolean): void {
    if (!this.#isOpen) return
    this.#batch.flush()
    this.#isOpen = false
    this.#batch.close()
    for (const timer of this.#timers) timer.cancel()
    while (this.#generations.length > 0) this.#forgetOldest()
    this.#inbox.close()
    void this.#parts.socket.close()
    this.#closed.resolve(reason)
    this.#parts.ended(isOurs)
  }

  #receive(datagram: Uint8Array): void {
    const { length } = datagram
    if (!this.#isOpen || length < senderOffset + 4 || length > this.#parts.bytesMax) return
    // Others may use the same address; and we hear ourselves.
    if (datagram[0] !== groupKind || idOf(datagram, 1) !== this.#id || this.#isOurs(datagram))
      return
    const byte = datagram[groupHeaderBytes - 1]
    const generation = this.#generations.find(({ number }) => number % 256 === byte)
    if (generation === undefined) {
      this.#counts.forged += 1
      return
    }
    const opened = generation.opener.open(datagram.subarray(groupHeaderBytes))
    if (!opened.ok) {
      const isSeen = opened.fault === 'datagram_replayed' || opened.fault === 'datagram_late'
      this.#counts[isSeen ? 'replayed' : 'forged'] += 1
      return
    }
    const { plaintext, sender = 0, epoch, counter } = opened.value
    this.#counts.datagramsReceived += 1
    this.#counts.bytesReceived += datagram.length
    const arrivals = generation.arrivals.get(sender) ?? new Arrivals()
    generation.arrivals.set(sender, arrivals)
    arrivals.add(epoch, counter)
    const read = readDatagramMessages(plaintext)
    if (!read.ok) this.#counts.refused += 1
    else for (const message of read.value) this.#deliver(message, sender)
  }

  #isOurs(datagram: Uint8Array): boolean {
    const { sender } = this.#parts
    if (sender === undefined) return false
    const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength)
    return view.getUint32(senderOffset) === sender
  }

  #deliver(message: Uint8Array, sender: number): void {
    const { codec, gate } = this.#parts
    const verdict = gate?.incoming(this.type, message.length) ?? 'allowed'
    const decoded = verdict === 'allowed' ? codec.decode(message) : undefined
    if (decoded?.ok !== true) {
      this.#counts.refused += 1
      return
    }
    const received = { type: this.type, payload: decoded.value, sender }
    if (this.#inbox.push(received)) this.#counts.messagesReceived += 1
    else this.#counts.dropped += 1
  }

  #flush(messages: Uint8Array): boolean {
    const generation = this.#sealing
    const sealer = generation?.sealer
    if (generation === undefined || sealer === undefined) return false
    // Key updates of one sender are followed by all, or its datagrams would be too far ahead (§12).
    while (sealer.sealer.epoch < generation.opener.epoch) sealer.sealer.update()
    const { id, socket } = this.#parts
    const datagram = groupDatagram(id, generation.number, sealer.seal(messages))
    const { length } = datagram
    if (!socket.send(datagram, this.address)) {
      this.#counts.unsent += 1
      return false
    }
    this.#counts.datagramsSent += 1
    this.#counts.bytesSent += length
    return true
  }

  #sealWith(generation: Generation): void {
    if (!this.#generations.includes(generation)) return
    this.#batch.flush()
    this.#sealing = generation
  }

  #forgetOldest(): void {
    const oldest = this.#generations.shift()
    if (oldest === undefined) return
    this.#lostBefore += lostOf(oldest)
    oldest.sealer?.sealer[Symbol.dispose]()
    oldest.opener[Symbol.dispose]()
    if (this.#sealing === oldest) this.#sealing = this.#generations.at(-1)
  }

  #after(ms: number, action: () => void): void {
    const timer = this.#parts.clock.setTimer(ms, () => {
      this.#timers.delete(timer)
      action()
    })
    this.#timers.add(timer)
  }
}

function lostOf(generation: Generation): number {
  let lost = 0
  for (const arrivals of generation.arrivals.values()) lost += arrivals.lost
  return lost
}

function emptyCounts(): GroupStats {
  return {
    messagesSent: 0,
    messagesReceived: 0,
    datagramsSent: 0,
    datagramsReceived: 0,
    bytesSent: 0,
    bytesReceived: 0,
    unsent: 0,
    dropped: 0,
    refused: 0,
    replayed: 0,
    forged: 0,
  }
}
