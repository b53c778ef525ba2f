// Connections that have been given up and whose last bytes, an alert or a close, are still to leave. Each is
// destroyed when its time is over, whatever the peer does; beyond the bound the oldest goes at once, so that
// refusing costs a fixed amount of memory however many are refused. One timer for all of them.

import { BoundedQueue, type Clock, type Timer } from '@myelin/base'
import type { ByteStream } from '@myelin/transport'

interface Leaving {
  readonly stream: ByteStream
  readonly untilMs: number
}

export interface LingeringOptions {
  readonly clock: Clock
  readonly lingerMs: number
  readonly streamsMax: number
}

export class Lingering {
  readonly #options: LingeringOptions
  readonly #queue: BoundedQueue<Leaving>
  #timer: Timer | undefined

  constructor(options: LingeringOptions) {
    this.#options = options
    this.#queue = new BoundedQueue(options.streamsMax)
  }

  /** From now on the stream is ours to destroy. */
  add(stream: ByteStream): void {
    const { clock, lingerMs } = this.#options
    if (this.#queue.isFull) this.#queue.shift()?.stream.destroy()
    this.#queue.push({ stream, untilMs: clock.monotonicMs() + lingerMs })
    this.#timer ??= clock.setTimer(lingerMs, () => this.#sweep())
  }

  #sweep(): void {
    const { clock } = this.#options
    const nowMs = clock.monotonicMs()
    this.#timer = undefined
    // All have the same time to leave, so the oldest is due first.
    for (let next = this.#queue.peek(); next !== undefined; next = this.#queue.peek()) {
      if (next.untilMs > nowMs) {
        this.#timer = clock.setTimer(next.untilMs - nowMs, () => this.#sweep())
        return
      }
      this.#queue.shift()
      next.stream.destroy()
    }
  }
}
