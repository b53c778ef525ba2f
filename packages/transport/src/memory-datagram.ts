// A datagram socket in memory: whole messages, a bounded queue at the receiver, loss when it is full.

import { BoundedQueue } from '@myelin/base'
import { attachedTwiceError } from './errors.ts'
import { datagramBytesMax, memoryDatagramsMax } from './limits.ts'
import type { Defer } from './memory-stream.ts'
import type { DatagramHandlers, DatagramSocket } from './ports.ts'

export interface MemoryDatagramParts {
  readonly defer: Defer
  /** The socket bound to an address of the same network. */
  find(address: string): MemoryDatagramSocket | undefined
  /** Takes this socket's name out of the network. */
  forget(): void
}

interface Datagram {
  readonly bytes: Uint8Array
  readonly from: string
}

export class MemoryDatagramSocket implements DatagramSocket {
  readonly kind = 'datagram' as const
  readonly transport = 'memory'
  readonly localAddress: string
  readonly datagramBytesMax = datagramBytesMax
  readonly #parts: MemoryDatagramParts
  readonly #inbound = new BoundedQueue<Datagram>(memoryDatagramsMax)
  #handlers: DatagramHandlers | undefined
  #isScheduled = false
  #isClosed = false
  #isClosedTold = false

  constructor(localAddress: string, parts: MemoryDatagramParts) {
    this.localAddress = localAddress
    this.#parts = parts
  }

  attach(handlers: DatagramHandlers): void {
    if (this.#handlers !== undefined) throw attachedTwiceError()
    this.#handlers = handlers
    this.#schedule()
  }

  send(bytes: Uint8Array, to: string): boolean {
    if (this.#isClosed || bytes.length > datagramBytesMax) return false
    const receiver = this.#parts.find(to)
    // As with UDP, nobody says that nobody is there.
    if (receiver === undefined) return true
    // A copy: the sender may use its buffer again, and the receiver owns what it gets.
    return receiver.#receive({ bytes: bytes.slice(), from: this.localAddress })
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#parts.forget()
    this.#inbound.clear()
    this.#schedule()
  }

  #receive(datagram: Datagram): boolean {
    if (!this.#inbound.push(datagram)) return false
    this.#schedule()
    return true
  }

  #schedule(): void {
    if (this.#isScheduled || this.#handlers === undefined) return
    this.#isScheduled = true
    this.#parts.defer(this.#run)
  }

  readonly #run = (): void => {
    this.#isScheduled = false
    const handlers = this.#handlers
    if (handlers === undefined || this.#isClosedTold) return
    for (let left = this.#inbound.size; left > 0; left -= 1) {
      const datagram = this.#inbound.shift()
      if (datagram === undefined) break
      handlers.message(datagram.bytes, datagram.from)
    }
    if (this.#isClosed) {
      this.#isClosedTold = true
      handlers.closed()
    } else if (this.#inbound.size > 0) this.#schedule()
  }
}
