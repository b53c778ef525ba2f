// The multicast groups of an agent: those that it owns and those that it is in.

import { describeError } from '@myelin/base'
import { wipe } from '@myelin/crypto'
import type { AgentId } from '@myelin/identity'
import type { IncomingMessage, PlainSuite } from '@myelin/session'
import {
  datagramControlTypeName,
  isMessageTypeName,
  type MessageType,
  messageTypeNameBytesMax,
} from '@myelin/wire'
import { FabricError, type FailureCode, failureNumbers } from '../errors.ts'
import {
  channelIdBytes,
  type DatagramControl,
  decodeControl,
  encodeControl,
} from './control-codec.ts'
import { idOf } from './frames.ts'
import { Group } from './group.ts'
import { GroupOwner, ownerSender } from './group-owner.ts'
import { datagramBytesDefault, groupsMax } from './limits.ts'
import type { DatagramLink, DatagramsParts, GroupOptions } from './ports.ts'
import { isGroupAddress } from './told-routes.ts'

type ControlOf<Kind extends DatagramControl['kind']> = Extract<DatagramControl, { kind: Kind }>

interface Membership {
  readonly group: Group
  readonly link: DatagramLink
}

/** The one that every machine does well. */
const suiteDefault: PlainSuite = 'chacha20-poly1305'

export class Groups {
  readonly #parts: DatagramsParts
  readonly #self: AgentId
  readonly #owned = new Map<string, GroupOwner>()
  readonly #ownedById = new Map<bigint, GroupOwner>()
  readonly #joined = new Map<bigint, Membership>()
  /** Of groups that are ours, or are about to be. */
  readonly #names = new Set<string>()
  #opening = 0
  #isClosed = false

  constructor(parts: DatagramsParts, self: AgentId) {
    this.#parts = parts
    this.#self = self
  }

  async create(options: GroupOptions): Promise<GroupOwner> {
    const { name, type = 'data' } = options
    const codec = this.#codec(type)
    if (!isMessageTypeName(name)) {
      const message = `"${name}" is no name of a group; use kebab-case, at most ${messageTypeNameBytesMax} bytes`
      throw new FabricError('FABRIC_OPTION', message, { kind: 'usage' })
    }
    if (this.#names.has(name)) {
      const message = `a group "${name}" is there already; close it or take another name`
      throw new FabricError('FABRIC_HANDLER_EXISTS', message, { kind: 'usage' })
    }
    this.#names.add(name)
    try {
      return await this.#open(options, codec)
    } catch (error) {
      this.#names.delete(name)
      throw error
    }
  }

  async #open(options: GroupOptions, codec: MessageType): Promise<GroupOwner> {
    const { name, address } = options
    const { clock, random, logger } = this.#parts
    const { bytesMax = datagramBytesDefault, suite = suiteDefault } = this.#parts
    const socket = await this.#bind(address)
    const id = random.fill(new Uint8Array(channelIdBytes))
    const group = new Group({
      clock,
      logger,
      name,
      owner: this.#self,
      isOwner: true,
      id,
      suite,
      sender: ownerSender,
      codec,
      gate: undefined,
      socket,
      bytesMax,
      ended: () => {
        this.#names.delete(name)
        this.#owned.delete(name)
        this.#ownedById.delete(idOf(id))
        owner.ended()
      },
    })
    const tell = (link: DatagramLink, bytes: Uint8Array) => this.#tell(link, bytes)
    const owner = new GroupOwner({ clock, random, group, id, suite, bytesMax, options, tell })
    this.#owned.set(name, owner)
    this.#ownedById.set(idOf(id), owner)
    return owner
  }

  /** Takes part on the terms of a welcome, whose secret is wiped. */
  async enter(link: DatagramLink, name: string, welcome: ControlOf<'welcome'>): Promise<Group> {
    const secret = welcome.secret.slice()
    wipe(welcome.secret)
    const { sender, bytesMax, type, address, generation } = welcome
    if (!isGroupAddress(address)) {
      const message = `${address} is no address of a group; the owner of "${name}" has to name one`
      throw new FabricError('FABRIC_PAYLOAD', message)
    }
    const id = welcome.group.slice()
    const { clock, logger, bytesMax: ownMax = datagramBytesDefault } = this.#parts
    const group = new Group({
      clock,
      logger,
      name,
      owner: link.session.peer.agent,
      isOwner: false,
      id,
      suite: welcome.suite,
      sender,
      codec: this.#codec(type),
      gate: link.gate,
      socket: await this.#bind(address),
      bytesMax: Math.min(bytesMax, ownMax),
      ended: (isOurs) => {
        if (this.#joined.get(idOf(id))?.group === group) {
          this.#joined.delete(idOf(id))
          link.datagramUses -= 1
        }
        if (isOurs) this.#tell(link, encodeControl({ kind: 'leave', group: id }))
      },
    })
    group.install(generation, secret, 0)
    if (!link.session.isOpen) group.end('the session has ended', false)
    else {
      this.#joined.set(idOf(id), { group, link })
      link.datagramUses += 1
    }
    return group
  }

  /** A request to be admitted. */
  join(
    message: IncomingMessage,
    link: DatagramLink,
    { name, isListener }: ControlOf<'join'>,
  ): void {
    const owner = this.#owned.get(name)
    const code =
      owner === undefined ? 'FABRIC_NO_HANDLER' : this.#refusalOf(owner, link, isListener)
    if (owner === undefined || code !== undefined) {
      message.fail(
        failureNumbers[code ?? 'FABRIC_NO_HANDLER'],
        `the group "${name}" is not for you`,
      )
      return
    }
    message.reply(owner.admit(link, isListener), datagramControlTypeName)
  }

  /** True where a group of ours is meant. */
  rekeyed(link: DatagramLink, { group, generation, secret, graceMs }: ControlOf<'rekey'>): boolean {
    const joined = this.#joined.get(idOf(group))
    if (joined === undefined || joined.link.session !== link.session) return false
    // Only forwards: under a generation that was there already counters would begin again.
    if (generation > joined.group.generation)
      joined.group.install(generation, secret.slice(), graceMs)
    wipe(secret)
    return true
  }

  left(link: DatagramLink, { group }: ControlOf<'leave'>): boolean {
    const owner = this.#ownedById.get(idOf(group))
    if (owner !== undefined) {
      owner.gone(link)
      return true
    }
    const joined = this.#joined.get(idOf(group))
    if (joined === undefined || joined.link.session !== link.session) return false
    joined.group.end('the owner says so', false)
    return true
  }

  sessionEnded(link: DatagramLink): void {
    for (const owner of this.#owned.values()) owner.gone(link)
    for (const { group, link: theirs } of [...this.#joined.values()])
      if (theirs.session === link.session) group.end('the session has ended', false)
  }

  close(): void {
    this.#isClosed = true
    for (const owner of [...this.#owned.values()]) owner.close()
    for (const { group } of [...this.#joined.values()]) group.close()
  }

  #refusalOf(owner: GroupOwner, link: DatagramLink, isListener: boolean): FailureCode | undefined {
    const { type } = owner
    const { gate } = link
    const isAllowed =
      gate.outgoing(type) === 'allowed' && (isListener || gate.incoming(type, 0) === 'allowed')
    if (!isAllowed || !owner.allows(link)) return 'FABRIC_FORBIDDEN'
    return owner.isFull ? 'FABRIC_RATE_LIMITED' : undefined
  }

  async #bind(address: string) {
    const { transport } = this.#parts
    if (transport?.handles(address) !== true) {
      const message = `no datagram transport here handles ${address}; give a multicast address such as /ip4/239.1.2.3/udp/4001`
      throw new FabricError('FABRIC_NO_DATAGRAMS', message, { kind: 'usage' })
    }
    if (this.#owned.size + this.#joined.size + this.#opening >= groupsMax) {
      const message = `an agent has at most ${groupsMax} groups; leave one`
      throw new FabricError('FABRIC_CHANNELS_FULL', message, { kind: 'usage' })
    }
    this.#opening += 1
    try {
      const socket = await transport.bind(address)
      if (!this.#isClosed) return socket
      await socket.close()
      throw new FabricError('FABRIC_CLOSED', 'the agent is closed; create another', {
        kind: 'usage',
      })
    } finally {
      this.#opening -= 1
    }
  }

  #codec(type: string): MessageType {
    const codec = this.#parts.types.get(type)
    if (codec !== undefined) return codec
    const message = `message type "${type}" is not registered; add it with agent.types.register`
    throw new FabricError('FABRIC_TYPE_UNKNOWN', message, { kind: 'usage' })
  }

  #tell({ session }: DatagramLink, bytes: Uint8Array): void {
    try {
      if (session.isOpen) session.post(datagramControlTypeName, bytes)
    } catch (error) {
      // A member that takes no messages misses the key, and with it the group.
      this.#parts.logger.log('warn', 'datagram-control-failed', { reason: describeError(error) })
    }
  }
}

/** The welcome in an answer, or the fault. */
export function readWelcome(payload: Uint8Array): ControlOf<'welcome'> {
  const decoded = decodeControl(payload)
  if (decoded.ok && decoded.value.kind === 'welcome') return decoded.value
  throw new FabricError('FABRIC_PAYLOAD', 'the answer is no welcome to a group')
}
