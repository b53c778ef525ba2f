// Any Duplex of Node as a ByteStream: what a transport of one's own needs when its bytes come as a Node stream. The
// compliance suite of @myelin/testkit says what else there is to keep (own-transport.test.ts runs it).

import { Duplex, type Readable, type Writable } from 'node:stream'
import { type ByteStream, type ByteStreamHandlers, TransportError } from '@myelin/transport'

/** A stream to read and one to write as one. */
export function duplexOf(readable: Readable, writable: Writable): Duplex {
  // Node takes streams of its own here; the types know those of the web alone.
  return Duplex.from({ readable, writable } as unknown as Iterable<Uint8Array>)
}

export interface DuplexNames {
  readonly transport: string
  readonly localAddress: string
  readonly remoteAddress: string
}

export class DuplexStream implements ByteStream {
  readonly kind = 'stream' as const
  readonly transport: string
  readonly localAddress: string
  readonly remoteAddress: string
  /** Runs once when this end is destroyed: the other one learns of it where the Duplex itself has no reset. */
  onDestroy: () => void = () => {}
  readonly #duplex: Duplex
  #handlers: ByteStreamHandlers | undefined
  #error: Error | undefined
  #isGone = false
  #missedDrain = false

  constructor(duplex: Duplex, { transport, localAddress, remoteAddress }: DuplexNames) {
    this.transport = transport
    this.localAddress = localAddress
    this.remoteAddress = remoteAddress
    this.#duplex = duplex
    duplex.on('error', (cause: Error) => {
      this.#error ??= new TransportError('TRANSPORT_RESET', `the stream broke: ${cause.message}`)
    })
    duplex.on('drain', () => {
      this.#missedDrain = this.#handlers === undefined
      this.#handlers?.drain()
    })
    duplex.on('close', () => {
      this.#isGone = true
      this.#handlers?.closed(this.#error)
    })
  }

  get bufferedBytes(): number {
    return this.#duplex.destroyed ? 0 : this.#duplex.writableLength
  }

  attach(handlers: ByteStreamHandlers): void {
    if (this.#handlers !== undefined) throw new TransportError('TRANSPORT_ATTACHED', 'attach once')
    this.#handlers = handlers
    if (this.#isGone) return void setImmediate(() => handlers.closed(this.#error))
    this.#duplex.on('data', (chunk: Uint8Array) => {
      if (!this.#duplex.destroyed) handlers.data(chunk)
    })
    if (this.#missedDrain) setImmediate(() => handlers.drain())
    this.#duplex.on('end', () => {
      if (!this.#duplex.destroyed) handlers.end()
    })
  }

  write(bytes: Uint8Array): boolean {
    return this.#duplex.writable && this.#duplex.write(bytes)
  }

  cork(): void {
    this.#duplex.cork()
  }

  uncork(): void {
    this.#duplex.uncork()
  }

  pause(): void {
    this.#duplex.pause()
  }

  resume(): void {
    if (this.#handlers !== undefined) this.#duplex.resume()
    else if (this.#duplex.isPaused()) this.#duplex.once('newListener', () => this.#duplex.resume())
  }

  end(): void {
    if (this.#duplex.writable) this.#duplex.end()
  }

  destroy(error?: Error): void {
    if (this.#duplex.destroyed) return
    this.#error = error
    this.#duplex.destroy()
    this.onDestroy()
  }

  /** The other end was destroyed. */
  reset(): void {
    this.destroy(new TransportError('TRANSPORT_RESET', 'the peer destroyed the stream'))
  }
}
