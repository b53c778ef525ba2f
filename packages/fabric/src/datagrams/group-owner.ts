// The owner of a multicast group: admits members, numbers them, and hands out a new key when one is gone. Numbers
// are not given twice, secrets are random; so whoever restarts begins with what nobody has used.

import type { Clock, Random, Timer } from '@myelin/base'
import { wipe } from '@myelin/crypto'
import type { AgentId } from '@myelin/identity'
import type { PlainSuite } from '@myelin/session'
import { encodeControl, groupSecretBytes, senderMax } from './control-codec.ts'
import type { Group } from './group.ts'
import { generationGraceMs, membersMax, rekeyWaitMs } from './limits.ts'
import type {
  DatagramLink,
  GroupOptions,
  GroupStats,
  OwnedGroup,
  ReceivedFromGroup,
} from './ports.ts'

export interface GroupOwnerParts {
  readonly clock: Clock
  readonly random: Random
  readonly group: Group
  readonly id: Uint8Array
  readonly suite: PlainSuite
  readonly bytesMax: number
  readonly options: GroupOptions
  /** Sends a control message in a session; what cannot be sent ends with the session. */
  tell(link: DatagramLink, bytes: Uint8Array): void
}

/** The number of the owner itself. */
export const ownerSender = 0

export class GroupOwner implements OwnedGroup {
  readonly #parts: GroupOwnerParts
  readonly #group: Group
  readonly #members = new Map<AgentId, DatagramLink>()
  readonly #membersMax: number
  #secret: Uint8Array
  #generation = 0
  #nextSender = ownerSender + 1
  #rekeyTimer: Timer | undefined

  constructor(parts: GroupOwnerParts) {
    this.#parts = parts
    this.#group = parts.group
    this.#membersMax = Math.min(parts.options.membersMax ?? membersMax, membersMax)
    this.#secret = parts.random.fill(new Uint8Array(groupSecretBytes))
    this.#group.install(0, this.#secret.slice(), 0)
  }

  get members(): readonly AgentId[] {
    return [...this.#members.keys()]
  }

  /** Whether there is room for one more, and a number. */
  get isFull(): boolean {
    return this.#members.size >= this.#membersMax || this.#nextSender > senderMax
  }

  allows({ session }: DatagramLink): boolean {
    return this.#parts.options.allow?.(session.peer.agent, session.roles) ?? true
  }

  /** The welcome to a member that was allowed in. It holds the secret: the session owns it from then on. */
  admit(link: DatagramLink, isListener: boolean): Uint8Array {
    const { id, suite, bytesMax } = this.#parts
    const { agent } = link.session.peer
    this.#forget(agent)
    this.#members.set(agent, link)
    link.datagramUses += 1
    const sender = isListener ? undefined : this.#nextSender
    if (!isListener) this.#nextSender += 1
    return encodeControl({
      kind: 'welcome',
      group: id,
      generation: this.#generation,
      sender,
      suite,
      secret: this.#secret,
      bytesMax,
      type: this.type,
      address: this.address,
    })
  }

  /** A member goes by its own will, or with its session. */
  gone(link: DatagramLink): void {
    const { agent } = link.session.peer
    if (this.#members.get(agent)?.session !== link.session) return
    this.#forget(agent)
    this.#rekeyTimer ??= this.#parts.clock.setTimer(rekeyWaitMs, () =>
      this.#replaceKey(generationGraceMs),
    )
  }

  remove(agent: AgentId): boolean {
    const link = this.#members.get(agent)
    if (link === undefined) return false
    this.#forget(agent)
    this.#parts.tell(link, encodeControl({ kind: 'leave', group: this.#parts.id }))
    this.#replaceKey(0)
    return true
  }

  rekey(): void {
    this.#replaceKey(generationGraceMs)
  }

  #replaceKey(graceMs: number): void {
    if (!this.isOpen) return
    this.#rekeyTimer?.cancel()
    this.#rekeyTimer = undefined
    const { random, id, tell } = this.#parts
    wipe(this.#secret)
    this.#secret = random.fill(new Uint8Array(groupSecretBytes))
    this.#generation += 1
    const terms = {
      kind: 'rekey',
      group: id,
      generation: this.#generation,
      secret: this.#secret,
      graceMs,
    } as const
    // Each session owns what it is given, so each gets its own.
    for (const link of this.#members.values()) tell(link, encodeControl(terms))
    this.#group.install(this.#generation, this.#secret.slice(), graceMs)
  }

  /** The group is over: its members hear of it. */
  ended(): void {
    this.#rekeyTimer?.cancel()
    const { id, tell } = this.#parts
    for (const [agent, link] of [...this.#members]) {
      this.#forget(agent)
      tell(link, encodeControl({ kind: 'leave', group: id }))
    }
    wipe(this.#secret)
  }

  #forget(agent: AgentId): void {
    const link = this.#members.get(agent)
    if (link !== undefined) link.datagramUses -= 1
    this.#members.delete(agent)
  }

  // ── The group itself ───────────────────────────────────────────────────────────────────────────────────

  get name(): string {
    return this.#group.name
  }

  get type(): string {
    return this.#group.type
  }

  get owner(): AgentId {
    return this.#group.owner
  }

  get isOwner(): boolean {
    return true
  }

  get address(): string {
    return this.#group.address
  }

  get sender(): number | undefined {
    return this.#group.sender
  }

  get generation(): number {
    return this.#group.generation
  }

  get payloadBytesMax(): number {
    return this.#group.payloadBytesMax
  }

  get isOpen(): boolean {
    return this.#group.isOpen
  }

  get stats(): GroupStats & { readonly lost: number } {
    return this.#group.stats
  }

  get closed(): Promise<string> {
    return this.#group.closed
  }

  send(payload: unknown): boolean {
    return this.#group.send(payload)
  }

  handle(handler: (received: ReceivedFromGroup) => void): void {
    this.#group.handle(handler)
  }

  [Symbol.asyncIterator](): AsyncIterator<ReceivedFromGroup> {
    return this.#group[Symbol.asyncIterator]()
  }

  close(): void {
    this.#group.close()
  }

  [Symbol.dispose](): void {
    this.#group.close()
  }
}
