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

/** The receiver's view of what it granted. */
export class ReceiveCredit {
  readonly #window: AdaptiveWindow
  #granted: number
  #received = 0
  #released = 0
  #extra = 0
  /** What was released when credit was granted last. */
  #releasedThen = 0

  constructor(window: AdaptiveWindow) {
    this.#window = window
    this.#granted = window.bytes
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
    return this.#grant()
  }

  /**
   * Widens (or, negative, narrows again) the window for bytes that are bounded elsewhere, such as a large
   * message in reassembly, which could otherwise never be completed.
   */
  extend(bytes: number): number {
    this.#extra += bytes
    return this.#grant()
  }

  #grant(): number {
    // A quarter of the window at a time keeps announcements rare.
    const base = this.#released + this.#extra
    if (base + this.#window.bytes - this.#granted < this.#window.bytes / 4) return 0
    if (this.#released > this.#releasedThen) {
      this.#window.taken(this.#released - this.#releasedThen)
      this.#releasedThen = this.#released
    }
    this.#granted = base + this.#window.bytes
    return this.#granted
  }
}
