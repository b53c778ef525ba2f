// Whether a session still serves (R089): pings that stay unanswered, round trips that take too long on average, a
// queue that does not move. The heartbeat of the session ends one whose peer is gone; this finds the session that
// is there and does not work. Pure: it is asked at regular intervals.

import type { Session } from '@myelin/session'
import {
  healthMissesMax,
  healthRoundTripMsMax,
  healthSamplesMin,
  healthStalledBytesMax,
} from './limits.ts'

/** `unresponsive`: pings unanswered. `slow`: round trips too long. `stalled`: the peer takes no messages. */
export type HealthFault = 'unresponsive' | 'slow' | 'stalled'

export interface HealthOptions {
  readonly missesMax?: number
  readonly roundTripMsMax?: number
}

/** How much the newest round trip counts in the average. */
const newestWeight = 1 / 4

export class Health {
  /** Looks in a row at which a ping was unanswered. */
  misses = 0
  /** Looks in a row at which the queue had not moved. */
  stalls = 0
  /** Moving average, in ms; undefined before the first pong. */
  roundTripMs: number | undefined
  #samples = 0
  #isWaiting = false
  #last = { bytesSent: 0, queuedBytes: 0 }

  /** One look at the session; asks it for the next one. */
  check(session: Session, options: HealthOptions = {}): HealthFault | undefined {
    const { missesMax = healthMissesMax, roundTripMsMax = healthRoundTripMsMax } = options
    const { bytesSent, queuedBytes } = session.stats
    const isStuck =
      queuedBytes > 0 &&
      this.#last.queuedBytes > 0 &&
      bytesSent - this.#last.bytesSent <= healthStalledBytesMax
    this.stalls = isStuck ? this.stalls + 1 : 0
    this.#last = { bytesSent, queuedBytes }
    this.misses = this.#isWaiting ? this.misses + 1 : 0
    if (!this.#isWaiting) this.#ping(session)
    if (this.misses >= missesMax) return 'unresponsive'
    if (this.stalls >= missesMax) return 'stalled'
    const isKnown = this.#samples >= healthSamplesMin
    return isKnown && (this.roundTripMs ?? 0) > roundTripMsMax ? 'slow' : undefined
  }

  #ping(session: Session): void {
    this.#isWaiting = true
    session.ping().then(
      (ms) => {
        this.#isWaiting = false
        this.#samples += 1
        this.roundTripMs =
          this.roundTripMs === undefined
            ? ms
            : this.roundTripMs + (ms - this.roundTripMs) * newestWeight
      },
      () => {},
    )
  }
}
