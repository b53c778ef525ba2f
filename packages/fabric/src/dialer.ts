// Sessions that we open: one attempt at a time for each peer, over its addresses in turn, and none for a while at a
// peer that has been unreachable again and again.

import { describeError, MyelinError } from '@myelin/base'
import type { AgentId } from '@myelin/identity'
import {
  dialSession,
  type SessionEnvironment,
  type SessionError,
  type SessionHandlers,
} from '@myelin/session'
import type { StreamTransport } from '@myelin/transport'
import type { AddressBook } from './address-book.ts'
import type { PeerEvent } from './agent.ts'
import type { CircuitOptions, CircuitState } from './circuit-breaker.ts'
import { Circuits } from './circuits.ts'
import { FabricError } from './errors.ts'
import type { Link } from './links.ts'
import type { Pool } from './pool.ts'

export interface ConnectOptions {
  readonly signal?: AbortSignal | undefined
  /** Secret of a join token. */
  readonly token?: Uint8Array | undefined
}

export interface DialerParts {
  readonly environment: SessionEnvironment
  readonly transport: Pick<StreamTransport, 'dial'>
  readonly book: AddressBook
  readonly pool: Pool
  readonly circuits?: CircuitOptions | undefined
  /** Aborted when the agent closes. */
  readonly closing: AbortSignal
  tell(event: PeerEvent): void
  /** Handlers that make a link of their session, and the link. */
  adoption(startedMs: number): { readonly promise: Promise<Link>; readonly adopt: SessionHandlers }
}

export class Dialer {
  readonly #parts: DialerParts
  readonly #circuits: Circuits
  readonly #dialing = new Map<AgentId, PromiseWithResolvers<Link>>()

  constructor(parts: DialerParts) {
    this.#parts = parts
    const { circuits, environment, tell } = parts
    const { clock } = environment
    this.#circuits = new Circuits({ clock, tell, ...(circuits && { options: circuits }) })
  }

  circuit(agent: AgentId): CircuitState {
    return this.#circuits.state(agent)
  }

  /**
   * One attempt for all who wait; a call from the peer that comes first serves them as well, in order. Who only
   * wants to send is refused while the circuit is open, who asks to connect never.
   */
  async link(agent: AgentId, options: ConnectOptions, isAsked: boolean): Promise<Link> {
    const dialing = this.#dialing.get(agent)
    if (dialing === undefined && !isAsked) this.#circuits.require(agent)
    return await (dialing ?? this.#start(agent, options)).promise
  }

  /** Opens one more session beside the one that is to be replaced. */
  async succeed(agent: AgentId): Promise<Link> {
    const dialing = this.#dialing.get(agent)
    return await (dialing ?? this.#start(agent, { isSuccessor: true })).promise
  }

  /** There is a session with the agent, whoever opened it. */
  arrived(agent: AgentId, link: Link): void {
    this.#circuits.close(agent)
    this.#dialing.get(agent)?.resolve(link)
    this.#dialing.delete(agent)
  }

  #start(
    agent: AgentId,
    options: ConnectOptions & { readonly isSuccessor?: boolean },
  ): PromiseWithResolvers<Link> {
    const { pool, tell } = this.#parts
    const dialing = Promise.withResolvers<Link>()
    this.#dialing.set(agent, dialing)
    const attempt = async () => {
      tell({ kind: 'connecting', agent })
      return await this.#circuits.watch(agent, () => this.#dial(agent, options))
    }
    pool
      .open(attempt, options)
      .then(dialing.resolve, dialing.reject)
      .finally(() => {
        if (this.#dialing.get(agent) === dialing) this.#dialing.delete(agent)
      })
    return dialing
  }

  /** Tries the known addresses in turn. */
  async #dial(agent: AgentId, options: ConnectOptions): Promise<Link> {
    const { book, closing, environment } = this.#parts
    const addresses = book.get(agent)?.addresses ?? []
    if (addresses.length === 0) {
      throw new FabricError(
        'FABRIC_PEER_UNKNOWN',
        `no address of ${agent} is known; give one that ends in /p2p/${agent}`,
        { kind: 'usage' },
      )
    }
    const signals = [closing, ...(options.signal === undefined ? [] : [options.signal])]
    const signal = AbortSignal.any(signals)
    let last: unknown
    for (const address of addresses) {
      try {
        return await this.#dialAddress(agent, address, { signal, token: options.token })
      } catch (error) {
        if (signal.aborted) throw signal.reason
        last = error
        const reason = describeError(error)
        environment.logger.log('debug', 'dial-failed', { agent, address, reason })
      }
    }
    if (last instanceof MyelinError && addresses.length === 1) throw last
    throw new FabricError(
      'FABRIC_UNREACHABLE',
      `none of ${addresses.length} addresses of ${agent} answers: ${describeError(last)}`,
      { cause: last, kind: 'recoverable' },
    )
  }

  async #dialAddress(agent: AgentId, address: string, options: ConnectOptions): Promise<Link> {
    const { book } = this.#parts
    const staticKey = book.get(agent)?.staticKey
    try {
      return await this.#handshake(agent, address, staticKey, options)
    } catch (error) {
      // The peer's static key has changed since its record: ask again without it, once.
      const isStale =
        staticKey !== undefined && (error as SessionError).code === 'SESSION_HANDSHAKE_DECRYPT'
      if (!isStale) throw error
      book.forgetStaticKey(agent)
      return await this.#handshake(agent, address, undefined, options)
    }
  }

  async #handshake(
    agent: AgentId,
    address: string,
    staticKey: Uint8Array | undefined,
    options: ConnectOptions,
  ): Promise<Link> {
    const { environment, transport, adoption } = this.#parts
    const { signal, token } = options
    const stream = await transport.dial(address, signal === undefined ? {} : { signal })
    const { promise, adopt } = adoption(environment.clock.monotonicMs())
    await dialSession(stream, environment, {
      handlers: adopt,
      expected: agent,
      staticKey,
      token,
      signal,
    })
    return await promise
  }
}
