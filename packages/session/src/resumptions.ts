// Tickets: what sessions that were confirmed left for the next one, in memory alone. At most one for each agent and
// direction, each good for one handshake and for as long as the full handshake at its beginning allows. A ticket
// says who is there, not whether that agent may come in: that is asked anew each time.

import { type Clock, equalBytes, hexEncode } from '@myelin/base'
import { concealFields, wipe } from '@myelin/crypto'
import type { AgentId, PeerRecord } from '@myelin/identity'
import { SessionError } from './errors.ts'
import { resumptionLifetimeMs, resumptionLifetimeMsMax, ticketsMax } from './limits.ts'
import type { Resumption } from './resumption-secret.ts'

export interface ResumptionsOptions {
  readonly clock: Clock
  /** Tickets for each direction. */
  readonly ticketsMax?: number
  /** After the full handshake. */
  readonly lifetimeMs?: number
}

/** A session that may be resumed: its peer, its secret, and until when (monotonic). */
export interface Ticket extends Resumption {
  readonly peer: PeerRecord
  readonly expiresMs: number
}

export class Resumptions {
  readonly #clock: Clock
  readonly #ticketsMax: number
  readonly #lifetimeMs: number
  /** Of sessions that we opened, and of those that peers did: a secret serves in one direction only. */
  readonly #dialled = new Map<AgentId, Ticket>()
  readonly #accepted = new Map<AgentId, Ticket>()
  readonly #acceptedById = new Map<string, Ticket>()

  constructor(options: ResumptionsOptions) {
    this.#clock = options.clock
    this.#ticketsMax = options.ticketsMax ?? ticketsMax
    this.#lifetimeMs = options.lifetimeMs ?? resumptionLifetimeMs
    const isLifetime = this.#lifetimeMs > 0 && this.#lifetimeMs <= resumptionLifetimeMsMax
    if (!isLifetime || !Number.isSafeInteger(this.#ticketsMax) || this.#ticketsMax < 1) {
      const message = `${this.#ticketsMax} tickets for ${this.#lifetimeMs} ms cannot be; keep 1 or more for up to an hour`
      throw new SessionError('SESSION_OPTION', message, { kind: 'usage' })
    }
  }

  /** Tickets of both directions. */
  get size(): number {
    return this.#dialled.size + this.#accepted.size
  }

  /** Takes the secret over; the ticket replaces the one of the same agent and direction. */
  keep(peer: PeerRecord, resumption: Resumption, isInitiator: boolean): void {
    const nowMs = this.#clock.monotonicMs()
    const expiresMs = resumption.expiresMs ?? nowMs + this.#lifetimeMs
    const ticket = concealFields({ ...resumption, peer, expiresMs }, 'secret')
    const tickets = isInitiator ? this.#dialled : this.#accepted
    this.#drop(tickets, tickets.get(peer.agent))
    for (const kept of tickets.values()) {
      const isFull = tickets.size >= this.#ticketsMax
      if (!isFull && kept.expiresMs > nowMs) break
      this.#drop(tickets, kept)
    }
    tickets.set(peer.agent, ticket)
    if (!isInitiator) this.#acceptedById.set(hexEncode(ticket.id), ticket)
  }

  /**
   * The ticket for calling an agent, taken out: the caller wipes its secret. Undefined where there is none, or where
   * our own record is another one by now: then the peer shall get it, in a full handshake.
   */
  take(agent: AgentId, ownRecord: Uint8Array): Ticket | undefined {
    const ticket = this.#dialled.get(agent)
    if (ticket === undefined) return undefined
    this.#dialled.delete(agent)
    if (this.#isGood(ticket, ownRecord)) return ticket
    wipe(ticket.secret)
    return undefined
  }

  /** The ticket that a caller names. It stays until it is spent: anybody can name one. */
  find(id: Uint8Array, ownRecord: Uint8Array): Ticket | undefined {
    const ticket = this.#acceptedById.get(hexEncode(id))
    if (ticket === undefined || this.#isGood(ticket, ownRecord)) return ticket
    this.spend(ticket)
    return undefined
  }

  /** Forgets a ticket that was used, and wipes its secret. */
  spend(ticket: Ticket): void {
    this.#drop(this.#accepted, ticket)
  }

  /** Forgets what is kept of an agent, as one does with an agent that is no longer trusted. */
  forget(agent: AgentId): void {
    for (const tickets of [this.#dialled, this.#accepted]) this.#drop(tickets, tickets.get(agent))
  }

  /** Forgets all. */
  clear(): void {
    for (const tickets of [this.#dialled, this.#accepted])
      for (const ticket of tickets.values()) this.#drop(tickets, ticket)
  }

  #isGood(ticket: Ticket, ownRecord: Uint8Array): boolean {
    return ticket.expiresMs > this.#clock.monotonicMs() && equalBytes(ticket.ownRecord, ownRecord)
  }

  #drop(tickets: Map<AgentId, Ticket>, ticket: Ticket | undefined): void {
    if (ticket === undefined) return
    if (tickets.get(ticket.peer.agent) === ticket) tickets.delete(ticket.peer.agent)
    this.#acceptedById.delete(hexEncode(ticket.id))
    wipe(ticket.secret)
  }
}
