// The way in: message frames into whole messages, under the credit that was granted. What it cannot accept
// it names by the code that ends the session.

import { messageCreditBytes, messagePartHeaderBytes } from '@myelin/wire'
import { ReceiveCredit } from './credit.ts'
import type { SessionErrorCode } from './errors.ts'
import { type Assembled, Reassembly, type ReassemblyFault } from './reassembly.ts'
import type { AdaptiveWindow } from './window.ts'

export interface ReceiverOptions {
  /** For what is under way. */
  readonly window: AdaptiveWindow
  /** For what has arrived and was not released. */
  readonly heldBytesMax: number
  readonly messageBytesMax: number
  /** A new limit on all data is to be told to the peer. */
  announce(limit: number): void
}

export class Receiver {
  messagesReceived = 0
  readonly #options: ReceiverOptions
  readonly #credit: ReceiveCredit
  readonly #reassembly: Reassembly

  constructor(options: ReceiverOptions) {
    this.#options = options
    this.#credit = new ReceiveCredit(options.window, options.heldBytesMax)
    this.#reassembly = new Reassembly(options.messageBytesMax)
  }

  /** Bytes received and not yet released. */
  get heldBytes(): number {
    return this.#credit.heldBytes
  }

  /** All that ever came. */
  get receivedBytes(): number {
    return this.#credit.receivedBytes
  }

  /** Counts bytes of streams. False: more than was granted. */
  receive(bytes: number): boolean {
    if (!this.#credit.receive(bytes)) return false
    this.#announce(this.#credit.grant())
    return true
  }

  release(bytes: number): void {
    this.#announce(this.#credit.release(bytes))
  }

  /** A message in one frame of `costBytes`. The code of a violation, or undefined. */
  whole(payload: Uint8Array, costBytes: number): SessionErrorCode | undefined {
    if (!this.#credit.receive(costBytes)) return 'SESSION_FLOW_CONTROL'
    if (payload.length > this.#options.messageBytesMax) return 'SESSION_MESSAGE_TOO_LARGE'
    this.messagesReceived += 1
    this.#announce(this.#credit.grant())
    return undefined
  }

  /** The first part of a message. The code of a violation, or undefined. */
  firstPart(
    flags: number,
    typeId: number,
    id: number,
    timestamp: number,
    payload: Uint8Array,
  ): SessionErrorCode | undefined {
    const costBytes = messageCreditBytes + payload.length
    if (!this.#credit.receive(costBytes)) return 'SESSION_FLOW_CONTROL'
    const fault = this.#reassembly.start({ flags, typeId, id, timestamp, payload }, costBytes)
    if (fault !== undefined) return codeOf(fault)
    this.#announce(this.#credit.extend(costBytes))
    return undefined
  }

  /** A later part: the whole message where it is the last, undefined where more follow, or the code. */
  laterPart(
    flags: number,
    id: number,
    payload: Uint8Array,
  ): Assembled | SessionErrorCode | undefined {
    const costBytes = messagePartHeaderBytes + payload.length
    if (!this.#credit.receive(costBytes)) return 'SESSION_FLOW_CONTROL'
    const outcome = this.#reassembly.add(flags, id, payload, costBytes)
    if (typeof outcome === 'string') return codeOf(outcome)
    if (outcome === undefined) {
      this.#announce(this.#credit.extend(costBytes))
      return undefined
    }
    // The message leaves reassembly: from now on it counts against the window until it is released.
    this.#announce(this.#credit.extend(costBytes - outcome.costBytes))
    this.messagesReceived += 1
    return outcome
  }

  clear(): void {
    this.#reassembly.clear()
  }

  #announce(limit: number): void {
    if (limit > 0) this.#options.announce(limit)
  }
}

function codeOf(fault: ReassemblyFault): SessionErrorCode {
  return fault === 'too_large' ? 'SESSION_MESSAGE_TOO_LARGE' : 'SESSION_PROTOCOL'
}
