// One direction out: messages of one turn share a datagram, and the key is replaced in time.

import type { Clock } from '@myelin/base'
import { DatagramBatch, type DatagramSealer } from '@myelin/session'
import { varintLength } from '@myelin/wire'
import { FabricError } from '../errors.ts'
import { datagramBytesPerKeyMax } from './limits.ts'

export interface OutboxParts {
  readonly clock: Clock
  /** Bytes that the messages of one datagram may take, lengths included. */
  readonly bytesMax: number
  /** Sends what a batch gave. False: it was lost here. */
  flush(messages: Uint8Array): boolean
}

/** Collects messages until the turn ends or a datagram is full. */
export class TurnBatch {
  readonly payloadBytesMax: number
  readonly #parts: OutboxParts
  readonly #batch: DatagramBatch
  #isDue = false
  #isClosed = false
  readonly #flushDue = () => {
    this.#isDue = false
    this.flush()
  }

  constructor(parts: OutboxParts) {
    this.#parts = parts
    this.#batch = new DatagramBatch(parts.bytesMax)
    this.payloadBytesMax = parts.bytesMax - varintLength(parts.bytesMax)
  }

  /** False: lost, as the system takes no more. */
  add(message: Uint8Array): boolean {
    if (message.length > this.payloadBytesMax) {
      const text = `${message.length} bytes do not fit a datagram, which takes ${this.payloadBytesMax}; send a message or a stream of the session`
      throw new FabricError('FABRIC_DATAGRAM_TOO_LARGE', text, { kind: 'usage' })
    }
    if (!this.#batch.add(message)) {
      if (!this.flush()) return false
      this.#batch.add(message)
    }
    if (!this.#isDue) {
      this.#isDue = true
      this.#parts.clock.defer(this.#flushDue)
    }
    return true
  }

  flush(): boolean {
    if (this.#isClosed || this.#batch.byteLength === 0) return true
    return this.#parts.flush(this.#batch.take())
  }

  close(): void {
    this.#isClosed = true
  }
}

/** Seals, and updates the key before the bytes under it are too many; the sealer itself counts datagrams. */
export class MeteredSealer {
  readonly sealer: DatagramSealer
  readonly #bytesPerKey: number
  #bytes = 0
  #epoch = 0

  constructor(sealer: DatagramSealer, bytesPerKey = datagramBytesPerKeyMax) {
    this.sealer = sealer
    this.#bytesPerKey = bytesPerKey
  }

  seal(plaintext: Uint8Array): Uint8Array {
    if (this.#bytes + plaintext.length > this.#bytesPerKey && this.#bytes > 0) this.sealer.update()
    const sealed = this.sealer.seal(plaintext)
    if (this.sealer.epoch !== this.#epoch) {
      this.#epoch = this.sealer.epoch
      this.#bytes = 0
    }
    this.#bytes += plaintext.length
    return sealed
  }
}
