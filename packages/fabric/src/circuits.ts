// The circuits to all peers (R088): one for each peer at which attempts have failed since the last success.

import { type Clock, type Logger, MyelinError } from '@myelin/base'
import type { AgentId } from '@myelin/identity'
import { CircuitBreaker, type CircuitState } from './circuit-breaker.ts'
import { FabricError } from './errors.ts'
import { circuitOpenMs, knownPeersMax } from './limits.ts'

export class Circuits {
  readonly #parts: { readonly clock: Clock; readonly logger: Logger }
  readonly #circuits = new Map<AgentId, CircuitBreaker>()

  constructor(parts: { readonly clock: Clock; readonly logger: Logger }) {
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
    const { clock, logger } = this.#parts
    const circuit = this.#circuits.get(agent) ?? new CircuitBreaker()
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
        logger.log('warn', 'circuit-open', { agent, forMs: circuitOpenMs })
      throw error
    }
  }

  /** There is a session, whoever opened it. */
  close(agent: AgentId): void {
    this.#circuits.get(agent)?.succeed()
    this.#circuits.delete(agent)
  }
}

function isAborted(error: MyelinError): boolean {
  return error.code === 'TRANSPORT_ABORTED'
}
