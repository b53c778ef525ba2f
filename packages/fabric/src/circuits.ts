// The circuits to all peers (R088): one for each peer at which attempts have failed since the last success.

import { type Clock, MyelinError } from '@myelin/base'
import type { AgentId } from '@myelin/identity'
import type { PeerEvent } from './agent.ts'
import { CircuitBreaker, type CircuitOptions, type CircuitState } from './circuit-breaker.ts'
import { FabricError } from './errors.ts'
import { circuitOpenMs, knownPeersMax } from './limits.ts'

export interface CircuitParts {
  readonly clock: Clock
  readonly options?: CircuitOptions
  tell(event: PeerEvent): void
}

export class Circuits {
  readonly #parts: CircuitParts
  readonly #circuits = new Map<AgentId, CircuitBreaker>()

  constructor(parts: CircuitParts) {
    this.#parts = parts
  }

  state(agent: AgentId): CircuitState {
    return this.#circuits.get(agent)?.state(this.#parts.clock.monotonicMs()) ?? 'closed'
  }

  /** Throws `FABRIC_CIRCUIT_OPEN` while no attempt may be made. */
  require(agent: AgentId): void {
    const waitMs = this.#circuits.get(agent)?.waitMs(this.#parts.clock.monotonicMs()) ?? 0
    if (waitMs === 0) return
    const due = `the next attempt is due in ${Math.ceil(waitMs)} ms`
    throw new FabricError(
      'FABRIC_CIRCUIT_OPEN',
      `${agent} was unreachable again and again; ${due}, or call connect, which always tries`,
      { kind: 'recoverable' },
    )
  }

  /** Counts what becomes of an attempt. What the caller did wrong or called off says nothing of the peer. */
  async watch<Value>(agent: AgentId, attempt: () => Promise<Value>): Promise<Value> {
    const { clock, options = {}, tell } = this.#parts
    const circuit = this.#circuits.get(agent) ?? new CircuitBreaker(options)
    circuit.begin(clock.monotonicMs())
    try {
      const value = await attempt()
      this.close(agent)
      return value
    } catch (error) {
      if (!(error instanceof MyelinError) || error.kind === 'usage' || isAborted(error)) {
        circuit.abandon()
        throw error
      }
      if (this.#circuits.size < knownPeersMax) this.#circuits.set(agent, circuit)
      if (circuit.fail(clock.monotonicMs()))
        tell({ kind: 'circuit-open', agent, forMs: options.openMs ?? circuitOpenMs })
      throw error
    }
  }

  /** There is a session, whoever opened it. */
  close(agent: AgentId): void {
    const circuit = this.#circuits.get(agent)
    if (circuit === undefined) return
    const wasClosed = circuit.state(this.#parts.clock.monotonicMs()) === 'closed'
    circuit.succeed()
    this.#circuits.delete(agent)
    if (!wasClosed) this.#parts.tell({ kind: 'circuit-closed', agent })
  }
}

function isAborted(error: MyelinError): boolean {
  return error.code === 'TRANSPORT_ABORTED'
}
