// A warning about what an attacker can cause at will: the first is logged, then how many there were, now and then.

import type { LogFields, Logger } from '@myelin/base'
import { dropLoggedMs } from './limits.ts'

export class SparseLog {
  readonly #logger: Logger
  readonly #event: string
  readonly #fields: LogFields
  #loggedMs = Number.NEGATIVE_INFINITY
  #dropped = 0

  constructor(logger: Logger, event: string, fields: LogFields) {
    this.#logger = logger
    this.#event = event
    this.#fields = fields
  }

  /** One more. `fields` tell of this one, in case it is the one that is logged. */
  note(fields: LogFields = {}): void {
    this.#dropped += 1
    const nowMs = performance.now()
    if (nowMs - this.#loggedMs < dropLoggedMs) return
    this.#logger.log('warn', this.#event, { ...this.#fields, ...fields, dropped: this.#dropped })
    this.#loggedMs = nowMs
    this.#dropped = 0
  }
}
