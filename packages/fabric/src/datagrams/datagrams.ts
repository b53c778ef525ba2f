// The datagrams of an agent: its sockets, its channels, and what peers say of them in their sessions. What comes on
// a socket for no channel is dropped without an answer, so a flood from invented addresses costs a look at a map.

import { describeError, withDeadline } from '@myelin/base'
import { TokenBucket } from '@myelin/guard'
import type { AgentId } from '@myelin/identity'
import { type IncomingMessage, RequestFailure, type Session, suiteCiphers } from '@myelin/session'
import type { DatagramSocket } from '@myelin/transport'
import { datagramControlTypeName, type MessageType } from '@myelin/wire'
import { FabricError, type FailureCode, failureNumbers, failureOfNumber } from '../errors.ts'
import { begin, Channel } from './channel.ts'
import {
  type ChannelTerms,
  channelIdBytes,
  type DatagramControl,
  decodeControl,
  encodeControl,
  saltBytes,
} from './control-codec.ts'
import { channelHeaderBytes, channelKind, idOf } from './frames.ts'
import type { Group } from './group.ts'
import type { GroupOwner } from './group-owner.ts'
import { Groups, readWelcome } from './groups.ts'
import {
  addressesMax,
  challengeRate,
  channelsMax,
  channelsOfPeerMax,
  datagramBytesDefault,
  socketsMax,
} from './limits.ts'
import type { Route } from './paths.ts'
import type { DatagramLink, DatagramsParts, GroupOptions } from './ports.ts'
import { isMulticastAddress, toldRoutes } from './told-routes.ts'

const openerLabel = 'myelin datagrams of the opener'
const accepterLabel = 'myelin datagrams of the accepter'
/** What a peer says of things that are being agreed on. */
const earlyMax = 16

interface Open {
  readonly channel: Channel
  readonly link: DatagramLink
}

export class Datagrams {
  readonly groups: Groups
  readonly #parts: DatagramsParts
  readonly #bytesMax: number
  readonly #sockets: DatagramSocket[] = []
  readonly #handlers = new Map<string, (channel: Channel) => void>()
  /** By the id under which we receive. */
  readonly #channels = new Map<bigint, Open>()
  readonly #countOf = new Map<AgentId, number>()
  readonly #sharedRate: TokenBucket
  /** Requests under way by session, with what the peer said meanwhile that fits nothing yet. */
  readonly #early = new Map<Session, { waiting: number; said: DatagramControl[] }>()
  /** Datagrams for nobody. */
  #strays = 0
  #isClosed = false

  constructor(parts: DatagramsParts, self: AgentId) {
    this.#parts = parts
    this.#bytesMax = parts.bytesMax ?? datagramBytesDefault
    this.#sharedRate = new TokenBucket(challengeRate, parts.clock.monotonicMs())
    this.groups = new Groups(parts, self)
  }

  /** Where our sockets are. */
  get addresses(): readonly string[] {
    return this.#sockets.map((socket) => socket.localAddress)
  }

  get strays(): number {
    return this.#strays
  }

  get size(): number {
    return this.#channels.size
  }

  handles(address: string): boolean {
    return this.#parts.transport?.handles(address) === true
  }

  /** Opens a socket for channels. */
  async bind(address: string): Promise<void> {
    const { transport } = this.#parts
    if (transport === undefined || this.#sockets.length >= socketsMax) throw noDatagrams()
    if (isMulticastAddress(address)) {
      const message = `${address} is a group's address; listen on one of this machine, and give groups theirs`
      throw new FabricError('FABRIC_OPTION', message, { kind: 'usage' })
    }
    const socket = await transport.bind(address)
    if (this.#isClosed) {
      await socket.close()
      return
    }
    const index = this.#sockets.push(socket) - 1
    socket.attach({
      message: (bytes, from) => this.#receive(bytes, { socket: index, address: from }),
      closed: () => {},
    })
  }

  handle(type: string, handler: (channel: Channel) => void): Disposable {
    this.#codec(type)
    if (this.#handlers.has(type)) {
      const message = `channels for "${type}" are handled already; dispose that handler first`
      throw new FabricError('FABRIC_HANDLER_EXISTS', message, { kind: 'usage' })
    }
    this.#handlers.set(type, handler)
    return { [Symbol.dispose]: () => void this.#handlers.delete(type) }
  }

  /** Opens a channel over a session, and finds a way to the peer. */
  async open(link: DatagramLink, type: string, signal?: AbortSignal): Promise<Channel> {
    const { session, gate } = link
    const codec = this.#codec(type)
    const { agent } = session.peer
    if (this.#sockets.length === 0) throw noDatagrams()
    if (gate.outgoing(type) !== 'allowed') {
      const message = `${agent} may not receive "${type}"; change its roles or the policy`
      throw new FabricError('FABRIC_FORBIDDEN', message)
    }
    if (this.#isFullFor(agent)) {
      const message = `there are ${this.#channels.size} channels; close some`
      throw new FabricError('FABRIC_CHANNELS_FULL', message, { kind: 'recoverable' })
    }
    const ours = this.#terms()
    const channel = await this.#ask(
      link,
      { kind: 'open', type, ...ours },
      (answer) => {
        if (answer.kind === 'accept') return this.#start(link, codec, ours, answer, true)
        throw new FabricError('FABRIC_PAYLOAD', 'the answer does not accept a channel')
      },
      signal,
    )
    try {
      const { clock } = this.#parts
      await withDeadline(channel.ready, { clock, signal, what: 'the peer to answer datagrams' })
    } catch (error) {
      channel.close()
      throw error
    }
    return channel
  }

  createGroup(options: GroupOptions): Promise<GroupOwner> {
    return this.groups.create(options)
  }

  async joinGroup(
    link: DatagramLink,
    name: string,
    { isListener = false, signal }: { isListener?: boolean; signal?: AbortSignal | undefined } = {},
  ): Promise<Group> {
    const enter = (answer: DatagramControl, payload: Uint8Array) =>
      this.groups.enter(link, name, answer.kind === 'welcome' ? answer : readWelcome(payload))
    return await this.#ask(link, { kind: 'join', name, isListener }, enter, signal)
  }

  /** Takes a control message off a session. */
  message(message: IncomingMessage, link: DatagramLink): void {
    try {
      const decoded = decodeControl(message.payload)
      if (!decoded.ok) this.#refuse(message, link, 'FABRIC_PAYLOAD', decoded.fault)
      else if (message.kind === 'request') this.#requested(message, link, decoded.value)
      else this.#told(link, decoded.value)
    } catch (error) {
      const { agent } = link.session.peer
      const reason = describeError(error)
      this.#parts.logger.log('warn', 'datagram-control-failed', { agent, reason })
    } finally {
      message.release()
    }
  }

  sessionEnded(link: DatagramLink): void {
    this.#early.delete(link.session)
    for (const { channel, link: theirs } of [...this.#channels.values()])
      if (theirs.session === link.session) channel.end('the session has ended', false)
    this.groups.sessionEnded(link)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const { channel } of [...this.#channels.values()]) channel.close()
    this.groups.close()
    await Promise.all(this.#sockets.map((socket) => socket.close()))
  }

  // ── Sockets ────────────────────────────────────────────────────────────────────────────────────────────

  #receive(datagram: Uint8Array, route: Route): void {
    const isOurs = datagram.length > channelHeaderBytes && datagram[0] === channelKind
    const open = isOurs ? this.#channels.get(idOf(datagram, 1)) : undefined
    if (open === undefined) this.#strays += 1
    else open.channel.receive(datagram, route)
  }

  // ── Control ────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends a request and makes something of the answer, before what the peer says after it. */
  async #ask<Value>(
    link: DatagramLink,
    question: DatagramControl,
    take: (answer: DatagramControl, payload: Uint8Array) => Value | Promise<Value>,
    signal: AbortSignal | undefined,
  ): Promise<Value> {
    const { session } = link
    const early = this.#early.get(session) ?? { waiting: 0, said: [] }
    this.#early.set(session, early)
    early.waiting += 1
    try {
      const { payload } = await session.request(
        datagramControlTypeName,
        encodeControl(question),
        signal === undefined ? {} : { signal },
      )
      const decoded = decodeControl(payload)
      if (!decoded.ok) throw new FabricError('FABRIC_PAYLOAD', `the answer: ${decoded.fault}`)
      return await take(decoded.value, payload)
    } catch (error) {
      if (!(error instanceof RequestFailure)) throw error
      const code = failureOfNumber(error.remoteCode)
      const message = `${session.peer.agent} does not agree: ${error.remoteMessage}`
      throw new FabricError(code, message, { cause: error, kind: 'recoverable' })
    } finally {
      early.waiting -= 1
      for (const said of early.said.splice(0)) this.#told(link, said)
      if (early.waiting === 0) this.#early.delete(session)
    }
  }

  #requested(message: IncomingMessage, link: DatagramLink, control: DatagramControl): void {
    if (control.kind === 'open') this.#accept(message, link, control)
    else if (control.kind === 'join') this.groups.join(message, link, control)
    else this.#refuse(message, link, 'FABRIC_PAYLOAD', 'not a question')
  }

  #told(link: DatagramLink, control: DatagramControl): void {
    if (this.#apply(link, control)) return
    const early = this.#early.get(link.session)
    if (early !== undefined && early.waiting > 0 && early.said.length < earlyMax)
      early.said.push(control)
  }

  /** False where nothing here is meant. */
  #apply(link: DatagramLink, control: DatagramControl): boolean {
    if (control.kind === 'rekey') return this.groups.rekeyed(link, control)
    if (control.kind === 'leave') return this.groups.left(link, control)
    if (control.kind !== 'close') return true
    const open = this.#channels.get(idOf(control.channel))
    if (open === undefined || open.link.session !== link.session) return false
    open.channel.end('the peer closed it', false)
    return true
  }

  #accept(
    message: IncomingMessage,
    link: DatagramLink,
    theirs: Extract<DatagramControl, { kind: 'open' }>,
  ): void {
    const { type } = theirs
    const { agent } = link.session.peer
    const verdict = link.gate.incoming(type, message.payload.length)
    const handler = this.#handlers.get(type)
    const codec = this.#parts.types.get(type)
    if (verdict === 'forbidden') this.#refuse(message, link, 'FABRIC_FORBIDDEN', type)
    else if (verdict !== 'allowed' || this.#isFullFor(agent))
      this.#refuse(message, link, 'FABRIC_RATE_LIMITED', type)
    else if (handler === undefined || codec === undefined || this.#sockets.length === 0)
      this.#refuse(message, link, 'FABRIC_NO_HANDLER', type)
    else {
      const ours = this.#terms()
      const accept = encodeControl({ kind: 'accept', ...ours })
      const channel = this.#start(link, codec, ours, theirs, false)
      begin(channel, handler, this.#parts.logger)
      message.reply(accept, datagramControlTypeName)
    }
  }

  #refuse(message: IncomingMessage, link: DatagramLink, code: FailureCode, detail: string): void {
    const { agent } = link.session.peer
    this.#parts.log.record({ kind: 'datagrams-refused', severity: 'warning', agent, detail })
    if (message.kind === 'request') message.fail(failureNumbers[code], `no datagrams: ${detail}`)
  }

  // ── Channels ───────────────────────────────────────────────────────────────────────────────────────────

  #terms(): ChannelTerms {
    const { random } = this.#parts
    return {
      channel: random.fill(new Uint8Array(channelIdBytes)),
      salt: random.fill(new Uint8Array(saltBytes)),
      bytesMax: this.#bytesMax,
      addresses: this.addresses.slice(0, addressesMax),
    }
  }

  #start(
    link: DatagramLink,
    codec: MessageType,
    ours: ChannelTerms,
    theirs: ChannelTerms,
    isOpener: boolean,
  ): Channel {
    const { session, gate } = link
    const { clock, random, logger } = this.#parts
    const { agent } = session.peer
    const context = contextOf(isOpener ? ours : theirs, isOpener ? theirs : ours)
    const fromOpener = session.exportSecret(openerLabel, context)
    const fromAccepter = session.exportSecret(accepterLabel, context)
    const id = idOf(ours.channel)
    const remoteId = theirs.channel.slice()
    const channel: Channel = new Channel({
      clock,
      random,
      logger,
      gate,
      codec,
      remoteId,
      sharedRate: this.#sharedRate,
      peer: agent,
      // A datagram is short: the cipher for such.
      suite: suiteCiphers[session.agreement.suite][0],
      sendSecret: isOpener ? fromOpener : fromAccepter,
      receiveSecret: isOpener ? fromAccepter : fromOpener,
      bytesMax: Math.min(ours.bytesMax, theirs.bytesMax),
      receivedBytesMax: ours.bytesMax,
      told: toldRoutes(theirs.addresses, session.remoteAddress, this.addresses),
      send: (bytes, route) => this.#sockets[route.socket]?.send(bytes, route.address) ?? false,
      ended: (isOurs) => {
        this.#channels.delete(id)
        this.#count(agent, -1)
        link.datagramUses -= 1
        if (isOurs && session.isOpen)
          session.post(datagramControlTypeName, encodeControl({ kind: 'close', channel: remoteId }))
      },
    })
    this.#channels.set(id, { channel, link })
    this.#count(agent, 1)
    link.datagramUses += 1
    return channel
  }

  #isFullFor(agent: AgentId): boolean {
    const ofPeer = this.#countOf.get(agent) ?? 0
    return this.#channels.size >= channelsMax || ofPeer >= channelsOfPeerMax
  }

  #count(agent: AgentId, change: number): void {
    const count = (this.#countOf.get(agent) ?? 0) + change
    if (count === 0) this.#countOf.delete(agent)
    else this.#countOf.set(agent, count)
  }

  #codec(type: string): MessageType {
    const codec = this.#parts.types.get(type)
    if (codec !== undefined) return codec
    const message = `message type "${type}" is not registered; add it with agent.types.register`
    throw new FabricError('FABRIC_TYPE_UNKNOWN', message, { kind: 'usage' })
  }
}

/** Both sides put something fresh in, so neither can bring an old key back. */
function contextOf(opener: ChannelTerms, accepter: ChannelTerms): Uint8Array {
  const context = new Uint8Array(2 * (channelIdBytes + saltBytes))
  let offset = 0
  for (const part of [opener.channel, opener.salt, accepter.channel, accepter.salt]) {
    context.set(part, offset)
    offset += part.length
  }
  return context
}

function noDatagrams(): FabricError {
  const message = `this agent has no socket for datagrams; listen on a UDP address such as /ip4/0.0.0.0/udp/0, at most ${socketsMax}`
  return new FabricError('FABRIC_NO_DATAGRAMS', message, { kind: 'usage' })
}
