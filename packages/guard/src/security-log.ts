// The security log (R076): every refusal as a structured event with a severity, counted always, logged until
// one peer repeats itself too fast, the latest kept in memory. Events carry ids and codes, never payloads,
// keys or tokens.

import { BoundedQueue, type Clock, type Logger, type LogLevel } from '@myelin/base'
import type { AgentId } from '@myelin/identity'
import { peersMax, recentEventsMax, refusalsLoggedPerSecond } from './limits.ts'
import { TokenBucket } from './token-bucket.ts'

export type Severity = 'info' | 'warning' | 'alert'

export interface SecurityEvent {
  /** Kebab-case: `message-forbidden`. */
  readonly kind: string
  readonly severity: Severity
  readonly agent?: AgentId | undefined
  /** What kind of message, which code, from where. */
  readonly detail?: string | undefined
}

export interface RecordedEvent extends SecurityEvent {
  readonly atMs: number
}

const levels: Readonly<Record<Severity, LogLevel>> = {
  info: 'info',
  warning: 'warn',
  alert: 'error',
}
/** Kinds are ours, so this is never reached by an attacker. */
const kindsMax = 256

export class SecurityLog {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #counts = new Map<string, number>()
  readonly #recent = new BoundedQueue<RecordedEvent>(recentEventsMax)
  readonly #buckets = new Map<string, TokenBucket>()

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  record(event: SecurityEvent): void {
    if (this.#counts.size < kindsMax || this.#counts.has(event.kind)) {
      this.#counts.set(event.kind, (this.#counts.get(event.kind) ?? 0) + 1)
    }
    if (this.#recent.isFull) this.#recent.shift()
    this.#recent.push({ ...event, atMs: this.#clock.wallMs() })
    if (!this.#isLogged(event)) return
    const { kind, severity, agent, detail } = event
    this.#logger.log(levels[severity], 'security', { kind, severity, agent, detail })
  }

  /** How often each kind happened. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts)
  }

  /** The latest events, oldest first. */
  recent(): RecordedEvent[] {
    const events: RecordedEvent[] = []
    for (let left = this.#recent.size; left > 0; left -= 1) {
      const event = this.#recent.shift() as RecordedEvent
      events.push(event)
      this.#recent.push(event)
    }
    return events
  }

  #isLogged(event: SecurityEvent): boolean {
    const key = `${event.kind} ${event.agent ?? ''}`
    const nowMs = this.#clock.monotonicMs()
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      if (this.#buckets.size >= peersMax)
        this.#buckets.delete(this.#buckets.keys().next().value as string)
      bucket = new TokenBucket(
        { perSecond: refusalsLoggedPerSecond, burst: refusalsLoggedPerSecond },
        nowMs,
      )
      this.#buckets.set(key, bucket)
    }
    return bucket.take(1, nowMs)
  }
}
