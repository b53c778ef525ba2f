// A transport as somebody outside of Myelin would write it, over the duplex pairs of node:stream: it imports
// the port's types and the error class, and proves itself with the public suite.

import { type Duplex, duplexPair } from 'node:stream'
import { test } from 'node:test'
import { streamTransportCompliance, verifies } from '@myelin/testkit'
import {
  type ByteStream,
  type ByteStreamHandlers,
  memoryName,
  type StreamTransport,
  TransportError,
} from '@myelin/transport'

verifies('R011', 'R051')

class PairStream implements ByteStream {
  readonly kind = 'stream' as const
  readonly transport = 'pair'
  readonly localAddress: string
  readonly remoteAddress: string
  readonly #duplex: Duplex
  #peer: PairStream | undefined
  #handlers: ByteStreamHandlers | undefined
  #error: Error | undefined
  #isGone = false
  #missedDrain = false

  private constructor(duplex: Duplex, localAddress: string, remoteAddress: string) {
    this.localAddress = localAddress
    this.remoteAddress = remoteAddress
    this.#duplex = duplex
    duplex.on('error', () => {})
    duplex.on('drain', () => {
      this.#missedDrain = this.#handlers === undefined
      this.#handlers?.drain()
    })
    duplex.on('close', () => {
      this.#isGone = true
      this.#handlers?.closed(this.#error)
    })
  }

  static join(from: string, to: string): [PairStream, PairStream] {
    const [left, right] = duplexPair({ allowHalfOpen: true, highWaterMark: 65_536 })
    const streams: [PairStream, PairStream] = [
      new PairStream(left, from, to),
      new PairStream(right, to, from),
    ]
    streams[0].#peer = streams[1]
    streams[1].#peer = streams[0]
    return streams
  }

  get bufferedBytes(): number {
    return this.#duplex.destroyed ? 0 : this.#duplex.writableLength
  }

  attach(handlers: ByteStreamHandlers): void {
    if (this.#handlers !== undefined) throw fault('TRANSPORT_ATTACHED', 'attach once')
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
    const peer = this.#peer
    if (peer === undefined || peer.#duplex.destroyed) return
    peer.#error = fault('TRANSPORT_RESET', 'the peer destroyed the stream')
    peer.#duplex.destroy()
  }
}

function pairs(): StreamTransport {
  const doors = new Map<string, (stream: ByteStream) => void>()
  const nameOf = (address: string) => {
    const name = memoryName(address)
    if (!name.ok) throw fault('TRANSPORT_ADDRESS', `${address}: ${name.fault}`)
    return name.value
  }
  return {
    kind: 'stream',
    name: 'pair',
    handles: (address) => memoryName(address).ok,
    dial: async (address, { signal } = {}) => {
      const name = nameOf(address)
      await new Promise((resolve) => setImmediate(resolve))
      if (signal?.aborted) throw fault('TRANSPORT_ABORTED', 'the signal aborted the dial')
      const door = doors.get(name)
      if (door === undefined) throw fault('TRANSPORT_REFUSED', `nobody listens on ${address}`)
      const [client, server] = PairStream.join('/memory/caller', `/memory/${name}`)
      door(server)
      return client
    },
    listen: async (address, onStream) => {
      const name = nameOf(address)
      if (doors.has(name)) throw fault('TRANSPORT_IN_USE', `${address} has a listener`)
      const door = (stream: ByteStream) => onStream(stream)
      doors.set(name, door)
      const close = async () => {
        if (doors.get(name) === door) doors.delete(name)
      }
      return { addresses: [`/memory/${name}`], close, [Symbol.asyncDispose]: close }
    },
  }
}

function fault(code: ConstructorParameters<typeof TransportError>[0], message: string) {
  return new TransportError(code, message)
}

streamTransportCompliance(
  async () => ({ transport: pairs(), address: () => '/memory/door', dispose: async () => {} }),
  { test, name: 'a third-party transport' },
)
