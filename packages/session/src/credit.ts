// Flow control by credit, as in QUIC (RFC 9000 §4): the receiver grants a limit on all bytes ever sent, the
// sender stays below it. Pure counters; used for the session and for each stream.

import type { AdaptiveWindow } from './window.ts'

/** The sender's view of what the peer grants. */
export class SendCredit {
  #limit = 0
  #used = 0

  get available(): number {
    return this.#limit - this.#used
  }

  /** A peer can raise the limit, never lower it. */
  raise(limit: number): void {
    if (limit > this.#limit) this.#limit = limit
  }

  use(bytes: number): void {
    this.#used += bytes
  }
}

/**
 * The receiver's view of what it granted. The window bounds what is under way. Where `heldBytesMax` is given, what has
 * arrived waits for its handlers in addition, up to that; else it counts against the window too.
 */
export class ReceiveCredit {
  readonly #window: AdaptiveWindow
  readonly #heldBytesMax: number | undefined
  #granted: number
  #received = 0
  #released = 0
  #extra = 0
  /** How far things were when credit was granted last. */
  #progressThen = 0

  constructor(window: AdaptiveWindow, heldBytesMax?: number) {
    this.#window = window
    this.#heldBytesMax = heldBytesMax
    this.#granted = window.bytes
  }

  /** All that ever came. */
  get receivedBytes(): number {
    return this.#received
  }

  /** Received and not yet released. */
  get heldBytes(): number {
    return this.#received - this.#released
  }

  /** False: the peer sent more than it was granted. */
  receive(bytes: number): boolean {
    this.#received += bytes
    return this.#received <= this.#granted
  }

  /** The application has taken these bytes. Returns the limit to announce, or 0 while it is not worth it. */
  release(bytes: number): number {
    this.#released += bytes
    return this.grant()
  }

  /**
   * Widens (or, negative, narrows again) the window for bytes that are bounded elsewhere, such as a large
   * message in reassembly, which could otherwise never be completed.
   */
  extend(bytes: number): number {
    this.#extra += bytes
    return this.grant()
  }

  /** A new limit to announce, or 0 while it is not worth it: a quarter of the window at a time keeps them rare. */
  grant(): number {
    const window = this.#window
    if (this.#limit() - this.#granted < window.bytes / 4) return 0
    const progress = this.#heldBytesMax === undefined ? this.#released : this.#received
    if (progress > this.#progressThen) {
      window.taken(progress - this.#progressThen)
      this.#progressThen = progress
    }
    this.#granted = this.#limit()
    return this.#granted
  }

  #limit(): number {
    const released = this.#released + this.#extra
    if (this.#heldBytesMax === undefined) return released + this.#window.bytes
    return Math.min(this.#received + this.#window.bytes, released + this.#heldBytesMax)
  }
}
