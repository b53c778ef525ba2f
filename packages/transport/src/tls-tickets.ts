// Sessions to resume, a few of each address, the address used longest ago out first. A ticket is used once, so that
// two connections cannot be linked by it (RFC 8446 §C.4). A resumed handshake shows no certificate, so each ticket
// remembers the key that the full handshake proved: pins are checked against that.

import { integerOption } from './errors.ts'
import { ticketsDefault, ticketsMax as ticketsMaxMax, ticketsPerAddressMax } from './limits.ts'

export interface Ticket {
  readonly session: Buffer
  /** The pin of the peer's key, as the full handshake proved it. */
  readonly pin: string | undefined
}

export class TicketCache {
  readonly #max: number
  readonly #tickets = new Map<string, Ticket[]>()

  constructor(ticketsMax = ticketsDefault) {
    this.#max = integerOption('ticketsMax', ticketsMax, 0, ticketsMaxMax)
  }

  /** Addresses that have a ticket. */
  get size(): number {
    return this.#tickets.size
  }

  /** The newest ticket of an address, which is then gone. */
  take(address: string): Ticket | undefined {
    const tickets = this.#tickets.get(address)
    const ticket = tickets?.pop()
    if (tickets?.length === 0) this.#tickets.delete(address)
    return ticket
  }

  put(address: string, ticket: Ticket): void {
    if (this.#max === 0) return
    const tickets = this.#tickets.get(address) ?? []
    this.#tickets.delete(address)
    if (this.#tickets.size >= this.#max) {
      const [oldest = ''] = this.#tickets.keys()
      this.#tickets.delete(oldest)
    }
    tickets.push(ticket)
    if (tickets.length > ticketsPerAddressMax) tickets.shift()
    this.#tickets.set(address, tickets)
  }
}

/** Puts the tickets of one connection into the cache, but none before its peer is known to be right. */
export class TicketKeeper {
  readonly #cache: TicketCache
  readonly #address: string
  #admitted: { readonly pin: string | undefined } | undefined
  #early: Buffer | undefined

  constructor(cache: TicketCache, address: string) {
    this.#cache = cache
    this.#address = address
  }

  /** TLS 1.2 gives the ticket before the handshake ends, TLS 1.3 gives several afterwards. */
  keep(session: Buffer): void {
    if (this.#admitted === undefined) this.#early = session
    else this.#cache.put(this.#address, { session, pin: this.#admitted.pin })
  }

  admit(pin: string | undefined): void {
    this.#admitted = { pin }
    if (this.#early !== undefined) this.keep(this.#early)
    this.#early = undefined
  }
}
