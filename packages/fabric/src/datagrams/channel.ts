// Sealed datagrams between two agents (docs/protocol.md §12). The keys come from the session and from fresh salts of
// both sides, so they serve this channel alone; the session's end is the channel's end.
//
// Messages go only to an address that has proved itself. What comes is taken from any address, as its seal proves
// who sent it; where the latest messages come from a new address, that address is challenged, and once it has
// answered it is where the peer is (RFC 9000 §9).

import { type Clock, describeError, type Logger, type Random, type Timer } from '@myelin/base'
import type { Gate, TokenBucket } from '@myelin/guard'
import type { AgentId } from '@myelin/identity'
import { DatagramOpener, DatagramSealer, type PlainSuite } from '@myelin/session'
import type { MessageType } from '@myelin/wire'
import { FabricError } from '../errors.ts'
import { Arrivals } from './arrivals.ts'
import {
  addressFrames,
  type ChannelContent,
  channelDatagram,
  channelHeaderBytes,
  messagesFrame,
  readChannelContent,
  tokenBytes,
} from './frames.ts'
import { Inbox } from './inbox.ts'
import { challengeFirstWaitMs, forgeriesMax, keepAliveMs, validationTimeoutMs } from './limits.ts'
import { Paths, type Route } from './paths.ts'
import type { DatagramChannel, DatagramStats, ReceivedDatagram } from './ports.ts'
import { MeteredSealer, TurnBatch } from './sealing.ts'

export interface ChannelParts {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Challenges of all channels of the agent. */
  readonly sharedRate: TokenBucket
  readonly gate: Gate
  readonly peer: AgentId
  readonly codec: MessageType
  readonly suite: PlainSuite
  /** Belong to the channel from now on. */
  readonly sendSecret: Uint8Array
  readonly receiveSecret: Uint8Array
  /** The peer's id of the channel, under which it receives. */
  readonly remoteId: Uint8Array
  /** Largest datagram that goes out. */
  readonly bytesMax: number
  /** Largest datagram that comes in. */
  readonly receivedBytesMax: number
  /** Where the peer says it may be reached. */
  readonly told: readonly Route[]
  /** Datagrams that do not open, after which the channel ends; the limit of the ciphers by default. */
  readonly forgeriesMax?: number | undefined
  send(datagram: Uint8Array, route: Route): boolean
  /** The channel is over. `isOurs`: the peer does not know yet. */
  ended(isOurs: boolean): void
}

export class Channel implements DatagramChannel {
  readonly peer: AgentId
  readonly type: string
  readonly payloadBytesMax: number
  readonly ready: Promise<void>
  readonly closed: Promise<string>
  readonly #parts: ChannelParts
  readonly #sealer: MeteredSealer
  readonly #opener: DatagramOpener
  readonly #paths: Paths
  readonly #batch: TurnBatch
  readonly #inbox: Inbox<ReceivedDatagram>
  readonly #arrivals = new Arrivals()
  readonly #maySend: boolean
  readonly #ready = Promise.withResolvers<void>()
  readonly #closed = Promise.withResolvers<string>()
  readonly #counts: DatagramStats = emptyStats()
  #timer: Timer | undefined
  #lastSentMs: number
  #isOpen = true

  constructor(parts: ChannelParts) {
    const { clock, random, sharedRate, suite } = parts
    this.#parts = parts
    this.peer = parts.peer
    this.type = parts.codec.name
    this.ready = this.#ready.promise
    this.ready.catch(() => {})
    this.closed = this.#closed.promise
    const sealer = new DatagramSealer(suite, parts.sendSecret)
    this.#sealer = new MeteredSealer(sealer)
    this.#opener = new DatagramOpener(suite, parts.receiveSecret)
    this.#maySend = parts.gate.outgoing(this.type) === 'allowed'
    this.#inbox = new Inbox(parts.logger, parts.receivedBytesMax)
    this.#batch = new TurnBatch({
      clock,
      bytesMax: parts.bytesMax - channelHeaderBytes - sealer.datagramOverheadBytes - 1,
      flush: (messages) => this.#flush(messages),
    })
    this.payloadBytesMax = this.#batch.payloadBytesMax
    const nowMs = clock.monotonicMs()
    this.#lastSentMs = nowMs
    this.#paths = new Paths({ random, nowMs, sharedRate })
    for (const route of parts.told) this.#paths.tell(route, nowMs)
    this.#seek(challengeFirstWaitMs, nowMs + validationTimeoutMs)
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get remoteAddress(): string | undefined {
    return this.#paths.current?.address
  }

  get stats(): DatagramChannel['stats'] {
    const rekeys = this.#sealer.sealer.epoch
    const { lost } = this.#arrivals
    return { ...this.#counts, rekeys, lost, migrations: this.#paths.migrations }
  }

  send(payload: unknown): boolean {
    if (!this.#maySend) {
      const message = `${this.peer} may not receive "${this.type}"; change its roles or the policy`
      throw new FabricError('FABRIC_FORBIDDEN', message)
    }
    const bytes = this.#parts.codec.encode(payload)
    const isTaken =
      this.#isOpen && this.#paths.current !== undefined ? this.#batch.add(bytes) : false
    if (isTaken) this.#counts.messagesSent += 1
    else this.#counts.unsent += 1
    return isTaken
  }

  handle(handler: (received: ReceivedDatagram) => void): void {
    this.#inbox.handle(handler)
  }

  [Symbol.asyncIterator](): AsyncIterator<ReceivedDatagram> {
    return this.#inbox.read()
  }

  close(): void {
    this.end('closed here', true)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** The channel is over; nothing is delivered after this. */
  end(reason: string, isOurs: boolean): void {
    if (!this.#isOpen) return
    this.#batch.flush()
    this.#isOpen = false
    this.#timer?.cancel()
    this.#batch.close()
    this.#sealer.sealer[Symbol.dispose]()
    this.#opener[Symbol.dispose]()
    this.#inbox.close()
    const message = `no datagrams reach ${this.peer}: ${reason}; send messages or streams instead`
    this.#ready.reject(new FabricError('FABRIC_UNREACHABLE', message, { kind: 'recoverable' }))
    this.#closed.resolve(reason)
    this.#parts.ended(isOurs)
  }

  /** `datagram` came under our id, and may be anything. */
  receive(datagram: Uint8Array, route: Route): void {
    if (!this.#isOpen || datagram.length > this.#parts.receivedBytesMax) return
    const opened = this.#opener.open(datagram.subarray(channelHeaderBytes))
    if (!opened.ok) {
      this.#refused(opened.fault)
      return
    }
    const { plaintext, epoch, counter } = opened.value
    this.#counts.datagramsReceived += 1
    this.#counts.bytesReceived += datagram.length
    const isLatest = this.#arrivals.add(epoch, counter)
    const content = readChannelContent(plaintext)
    if (!content.ok) {
      this.#counts.refused += 1
      return
    }
    const nowMs = this.#parts.clock.monotonicMs()
    const isNewest = isLatest && content.value.messages !== undefined
    const isDoubtful = this.#paths.heard(route, datagram.length, isNewest, nowMs)
    this.#prove(content.value, route, isDoubtful, nowMs)
    for (const message of content.value.messages ?? []) this.#deliver(message)
  }

  #refused(fault: string): void {
    if (fault === 'datagram_replayed' || fault === 'datagram_late') this.#counts.replayed += 1
    else this.#counts.forged += 1
    if (this.#counts.forged >= (this.#parts.forgeriesMax ?? forgeriesMax))
      this.end('too many forged datagrams', true)
  }

  #prove(content: ChannelContent, route: Route, isDoubtful: boolean, nowMs: number): void {
    const { challenge, answer } = content
    if (answer !== undefined) this.#paths.answered(answer, nowMs)
    if (this.#paths.current !== undefined) this.#ready.resolve()
    const size = this.#proofBytes
    // Each is counted against what came from there before it is sent.
    const proof =
      challenge !== undefined && this.#paths.mayAnswer(route, size) ? challenge : undefined
    const token = isDoubtful ? this.#paths.challenge(route, size, nowMs) : undefined
    if (token !== undefined) this.#counts.challenges += 1
    if (proof !== undefined || token !== undefined)
      this.#transmit(addressFrames({ answer: proof, challenge: token }), route)
  }

  /** Bytes of a datagram with one token; two in one datagram are less than twice that. */
  get #proofBytes(): number {
    return channelHeaderBytes + this.#sealer.sealer.datagramOverheadBytes + 1 + tokenBytes
  }

  #deliver(message: Uint8Array): void {
    const { codec, gate } = this.#parts
    if (gate.incoming(this.type, message.length) !== 'allowed') {
      this.#counts.refused += 1
      return
    }
    const decoded = codec.decode(message)
    if (!decoded.ok) {
      this.#counts.refused += 1
      return
    }
    const received = { type: this.type, payload: decoded.value, from: this.peer }
    if (this.#inbox.push(received)) this.#counts.messagesReceived += 1
    else this.#counts.dropped += 1
  }

  #flush(messages: Uint8Array): boolean {
    const route = this.#paths.current
    return route !== undefined && this.#transmit(messagesFrame(messages), route)
  }

  #transmit(plaintext: Uint8Array, route: Route): boolean {
    const datagram = channelDatagram(this.#parts.remoteId, this.#sealer.seal(plaintext))
    this.#lastSentMs = this.#parts.clock.monotonicMs()
    if (!this.#parts.send(datagram, route)) {
      this.#counts.unsent += 1
      return false
    }
    this.#counts.datagramsSent += 1
    this.#counts.bytesSent += datagram.length
    return true
  }

  /** Challenges the addresses that were told, with growing waits, until one has answered. */
  #seek(waitMs: number, deadlineMs: number): void {
    const { clock } = this.#parts
    const nowMs = clock.monotonicMs()
    if (this.#paths.current !== undefined) {
      this.#keepAlive()
      return
    }
    if (nowMs >= deadlineMs) {
      this.end('no address answered', true)
      return
    }
    for (const route of this.#paths.unproved) {
      const challenge = this.#paths.challenge(route, this.#proofBytes, nowMs)
      if (challenge === undefined) continue
      this.#counts.challenges += 1
      this.#transmit(addressFrames({ challenge }), route)
    }
    const nextMs = Math.min(waitMs, deadlineMs - nowMs)
    this.#timer = clock.setTimer(nextMs, () => this.#seek(2 * waitMs, deadlineMs))
  }

  #keepAlive(): void {
    const { clock } = this.#parts
    const silentMs = clock.monotonicMs() - this.#lastSentMs
    if (silentMs >= keepAliveMs) this.#flush(new Uint8Array(0))
    const waitMs = silentMs >= keepAliveMs ? keepAliveMs : keepAliveMs - silentMs
    this.#timer = clock.setTimer(waitMs, () => this.#keepAlive())
  }
}

/** Calls what the program gave for a channel; what it throws ends the channel alone. */
export function begin(channel: Channel, handler: (channel: Channel) => void, log: Logger): void {
  try {
    handler(channel)
  } catch (error) {
    log.log('error', 'datagram-handler-failed', { reason: describeError(error) })
    channel.close()
  }
}

function emptyStats(): DatagramStats {
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
    challenges: 0,
    rekeys: 0,
  }
}
