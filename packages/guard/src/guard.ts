// What a peer may do: each message passes its role's permissions and its rates, on the way in and out. The
// verdict on a type is looked up once per peer; a message then costs two additions and no allocation.

import type { Clock } from '@myelin/base'
import type { AgentId } from '@myelin/identity'
import { defaultRates, peersMax, verdictsCachedMax } from './limits.ts'
import { allows, checkPolicy, defaultPolicy, type Policy, type RoleRules } from './policy.ts'
import type { SecurityLog } from './security-log.ts'
import { TokenBucket } from './token-bucket.ts'

export interface Rates {
  readonly messagesPerSecond: number
  readonly messagesBurst: number
  readonly bytesPerSecond: number
  readonly bytesBurst: number
}

export type Verdict = 'allowed' | 'forbidden' | 'rate-limited'

export interface GuardOptions {
  readonly clock: Clock
  readonly log: SecurityLog
  readonly policy?: Policy | undefined
  readonly rates?: Partial<Rates> | undefined
}

interface PeerRates {
  readonly messages: TokenBucket
  readonly bytes: TokenBucket
}

export class Guard {
  readonly #clock: Clock
  readonly #log: SecurityLog
  readonly #policy: Policy
  readonly #rates: Rates
  // By agent, not by session: a new session does not fill the bucket again.
  readonly #peers = new Map<AgentId, PeerRates>()

  /** Throws `GUARD_POLICY` for a malformed policy. */
  constructor(options: GuardOptions) {
    this.#clock = options.clock
    this.#log = options.log
    this.#policy = options.policy ?? defaultPolicy
    this.#rates = { ...defaultRates, ...options.rates }
    checkPolicy(this.#policy)
  }

  /** The gate for one peer in its roles. */
  gate(agent: AgentId, roles: readonly string[]): Gate {
    return new Gate({
      agent,
      roles,
      policy: this.#policy,
      rates: this.#ratesOf(agent),
      clock: this.#clock,
      log: this.#log,
    })
  }

  #ratesOf(agent: AgentId): PeerRates {
    const known = this.#peers.get(agent)
    this.#peers.delete(agent)
    const rates = known ?? this.#newRates()
    if (this.#peers.size >= peersMax) this.#peers.delete(this.#peers.keys().next().value as AgentId)
    this.#peers.set(agent, rates)
    return rates
  }

  #newRates(): PeerRates {
    const nowMs = this.#clock.monotonicMs()
    const { messagesPerSecond, messagesBurst, bytesPerSecond, bytesBurst } = this.#rates
    return {
      messages: new TokenBucket({ perSecond: messagesPerSecond, burst: messagesBurst }, nowMs),
      bytes: new TokenBucket({ perSecond: bytesPerSecond, burst: bytesBurst }, nowMs),
    }
  }
}

interface GateParts {
  readonly agent: AgentId
  readonly roles: readonly string[]
  readonly policy: Policy
  readonly rates: PeerRates
  readonly clock: Clock
  readonly log: SecurityLog
}

/** Made by `Guard.gate`. */
export class Gate {
  readonly #parts: GateParts
  readonly #verdicts: Record<keyof RoleRules, Map<string, boolean>> = {
    sends: new Map(),
    receives: new Map(),
  }

  constructor(parts: GateParts) {
    this.#parts = parts
  }

  /** May the peer send us this? Every refusal is counted and logged. */
  incoming(type: string, bytes: number): Verdict {
    const { agent, rates, clock, log } = this.#parts
    if (!this.#allows('sends', type)) {
      log.record({ kind: 'message-forbidden', severity: 'warning', agent, detail: type })
      return 'forbidden'
    }
    const nowMs = clock.monotonicMs()
    if (rates.messages.take(1, nowMs) && rates.bytes.take(bytes, nowMs)) return 'allowed'
    log.record({ kind: 'rate-limited', severity: 'warning', agent, detail: type })
    return 'rate-limited'
  }

  /**
   * Counts what the peer sends beside messages for handlers: acknowledgements, repetitions. False, counted and
   * logged: it comes faster than messages may.
   */
  metered(what: string, bytes: number): boolean {
    const { agent, rates, clock, log } = this.#parts
    const nowMs = clock.monotonicMs()
    if (rates.messages.take(1, nowMs) && rates.bytes.take(bytes, nowMs)) return true
    log.record({ kind: 'rate-limited', severity: 'warning', agent, detail: what })
    return false
  }

  /** May the peer be sent this? */
  outgoing(type: string): Verdict {
    if (this.#allows('receives', type)) return 'allowed'
    const { agent, log } = this.#parts
    log.record({ kind: 'send-forbidden', severity: 'warning', agent, detail: type })
    return 'forbidden'
  }

  #allows(direction: keyof RoleRules, type: string): boolean {
    const cache = this.#verdicts[direction]
    const known = cache.get(type)
    if (known !== undefined) return known
    const verdict = allows(this.#parts.policy, this.#parts.roles, direction, type)
    // The peer chooses the names of custom types; it does not choose how much of them we remember.
    if (cache.size >= verdictsCachedMax) cache.clear()
    cache.set(type, verdict)
    return verdict
  }
}
