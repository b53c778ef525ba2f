// One bound UDP socket behind the DatagramSocket port. What cannot go out at once and in order of calls is lost,
// and counted: a datagram socket owes nothing (RFC 768), and nothing that the network does may throw here.

import type { Socket } from 'node:dgram'
import { BoundedQueue, type Logger } from '@myelin/base'
import { type UdpEndpoint, udpAddress, udpEndpoint } from './address.ts'
import { attachedTwiceError, systemCode } from './errors.ts'
import { udpPeersRemembered, udpWaitingDatagramsMax } from './limits.ts'
import type { DatagramHandlers, DatagramSocket } from './ports.ts'
import { SparseLog } from './sparse-log.ts'

/** What was lost on this side. */
export interface UdpCounts {
  /** Dropped by `send`: larger than `datagramBytesMax`. */
  readonly tooLarge: number
  /** Dropped by `send`: no address of this socket's family, or port 0. */
  readonly unaddressed: number
  /** Dropped by `send`: the system takes no more for now. */
  readonly queueFull: number
  /** Arrived before `attach` when too many waited already. */
  readonly unattached: number
  /** Errors that the system reported, of sending or receiving. */
  readonly errors: number
}

/** Bytes given to `send` belong to the socket from then on. */
export interface UdpSocket extends DatagramSocket {
  readonly counts: UdpCounts
}

/** What of a socket of node:dgram is used, so that a test can stand in for the system. */
export type UdpHandle = Pick<Socket, 'on' | 'once' | 'send' | 'close' | 'getSendQueueSize'>

export interface UdpSocketParts {
  readonly localAddress: string
  readonly family: 4 | 6
  readonly datagramBytesMax: number
  readonly sendQueueBytesMax: number
  readonly logger: Logger
}

interface Datagram {
  readonly bytes: Uint8Array
  readonly from: string
}

export class UdpDatagramSocket implements UdpSocket {
  readonly kind = 'datagram' as const
  readonly transport = 'udp'
  readonly localAddress: string
  readonly datagramBytesMax: number
  readonly counts = { tooLarge: 0, unaddressed: 0, queueFull: 0, unattached: 0, errors: 0 }
  readonly #handle: UdpHandle
  readonly #parts: UdpSocketParts
  readonly #errorLog: SparseLog
  readonly #waiting = new BoundedQueue<Datagram>(udpWaitingDatagramsMax)
  readonly #peers = new Map<string, UdpEndpoint | undefined>()
  #handlers: DatagramHandlers | undefined
  /** False while datagrams from before `attach` are still to be handed over. */
  #isFlowing = false
  #isGone = false
  #closing: Promise<void> | undefined

  /** `handle` is bound, and belongs to this object from now on. */
  constructor(handle: UdpHandle, parts: UdpSocketParts) {
    const { localAddress } = parts
    this.localAddress = localAddress
    this.datagramBytesMax = parts.datagramBytesMax
    this.#handle = handle
    this.#parts = parts
    this.#errorLog = new SparseLog(parts.logger, 'transport_datagram_error', { localAddress })
    handle.on('message', (bytes, { address, port }) => {
      this.#receive(bytes, udpAddress(address, port))
    })
    handle.on('error', this.#fail)
  }

  attach(handlers: DatagramHandlers): void {
    if (this.#handlers !== undefined) throw attachedTwiceError()
    this.#handlers = handlers
    setImmediate(this.#flow)
  }

  send(bytes: Uint8Array, to: string): boolean {
    if (this.#closing !== undefined) return false
    if (bytes.length > this.datagramBytesMax) {
      this.counts.tooLarge += 1
      return false
    }
    const peer = this.#peer(to)
    if (peer === undefined) {
      this.counts.unaddressed += 1
      return false
    }
    if (this.#handle.getSendQueueSize() + bytes.length > this.#parts.sendQueueBytesMax) {
      this.counts.queueFull += 1
      return false
    }
    this.#handle.send(bytes, peer.port, peer.host, this.#sent)
    return true
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#handle.once('close', () => {
        this.#isGone = true
        this.#waiting.clear()
        if (this.#isFlowing) this.#handlers?.closed()
        resolve()
      })
      this.#handle.close()
    })
    return this.#closing
  }

  readonly #sent = (error: Error | null): void => {
    // Closing gives up what is still queued; that is no news.
    if (error !== null && this.#closing === undefined) this.#fail(error)
  }

  readonly #fail = (error: Error): void => {
    this.counts.errors += 1
    this.#errorLog.note({ error: systemCode(error) ?? error.message })
  }

  /** Hands over what came before `attach`, in a turn of its own. */
  readonly #flow = (): void => {
    this.#isFlowing = true
    for (let left = this.#waiting.size; left > 0; left -= 1) {
      const datagram = this.#waiting.shift()
      if (datagram === undefined || this.#closing !== undefined) break
      this.#handlers?.message(datagram.bytes, datagram.from)
    }
    if (this.#isGone) this.#handlers?.closed()
  }

  #receive(bytes: Uint8Array, from: string): void {
    if (this.#closing !== undefined) return
    if (this.#isFlowing) this.#handlers?.message(bytes, from)
    else if (!this.#waiting.push({ bytes, from })) this.counts.unattached += 1
  }

  /** Undefined: nowhere that this socket could send to. Reading an address costs more than sending there. */
  #peer(to: string): UdpEndpoint | undefined {
    const known = this.#peers.get(to)
    if (known !== undefined || this.#peers.has(to)) return known
    const read = udpEndpoint(to)
    const isUsable = read.ok && read.value.family === this.#parts.family && read.value.port !== 0
    const peer = isUsable ? read.value : undefined
    if (this.#peers.size >= udpPeersRemembered) this.#peers.clear()
    this.#peers.set(to, peer)
    return peer
  }
}
