// Keepalive and dead-peer detection (R140, R141): a ping when nothing was sent or heard for one interval, an
// end when nothing was heard for several. One timer per session, whatever the traffic.

import type { Clock, Timer } from '@myelin/base'

export interface HeartbeatOptions {
  readonly intervalMs: number
  /** Silent intervals after which the peer counts as dead. */
  readonly missesMax: number
}

export interface HeartbeatParts {
  readonly clock: Clock
  /** Monotonic milliseconds of the last bytes in each direction. */
  lastHeardMs(): number
  lastSentMs(): number
  ping(): void
  peerDead(silentMs: number): void
  /** Called once an interval, for chores that need a clock. */
  tick(): void
}

export interface Heartbeat {
  stop(): void
}

export function heartbeat({
  intervalMs,
  missesMax,
}: HeartbeatOptions): (parts: HeartbeatParts) => Heartbeat {
  return (parts) => {
    let timer: Timer | undefined
    const beat = () => {
      const nowMs = parts.clock.monotonicMs()
      const silentMs = nowMs - parts.lastHeardMs()
      if (silentMs >= intervalMs * missesMax) {
        parts.peerDead(silentMs)
        return
      }
      parts.tick()
      // Half an interval of tolerance: traffic just after the last beat must not cost a whole interval.
      const isQuiet = silentMs >= intervalMs / 2 || nowMs - parts.lastSentMs() >= intervalMs / 2
      if (isQuiet) parts.ping()
      timer = parts.clock.setTimer(intervalMs, beat)
    }
    timer = parts.clock.setTimer(intervalMs, beat)
    return { stop: () => timer?.cancel() }
  }
}
