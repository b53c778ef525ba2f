// js-libp2p: TCP, Noise and Yamux, one stream, each message behind a 32-bit length and in a send of its own, as its
// protocols send them. The node has no other service.

import { ignore, type Kind, type Link } from '../peers/link.ts'
import { load } from './rivals.ts'

interface Stream {
  send(bytes: Uint8Array): boolean
  onDrain(): Promise<void>
  addEventListener(
    event: 'message',
    listener: (message: { readonly data: { subarray(): Uint8Array } }) => void,
  ): void
  abort(error: Error): void
}

interface Node {
  handle(protocol: string, onStream: (stream: Stream) => void): Promise<void>
  getMultiaddrs(): readonly { toString(): string }[]
  dialProtocol(address: unknown, protocol: string): Promise<Stream>
  stop(): Promise<void>
}

type Factory = () => unknown

const protocol = '/bench/1.0.0'
const lengthBytes = 4

export async function libp2p(): Promise<Kind> {
  const { createLibp2p } = await load<{ createLibp2p(options: object): Promise<Node> }>('libp2p')
  const { tcp } = await load<{ tcp: Factory }>('@libp2p/tcp')
  const { noise } = await load<{ noise: Factory }>('@chainsafe/libp2p-noise')
  const { yamux } = await load<{ yamux: Factory }>('@chainsafe/libp2p-yamux')
  const { multiaddr } = await load<{ multiaddr(text: string): unknown }>('@multiformats/multiaddr')
  const start = (listen: readonly string[]) =>
    createLibp2p({
      addresses: { listen },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionMonitor: { enabled: false },
    })
  return {
    name: 'libp2p',
    listen: async (onLink) => {
      const node = await start(['/ip4/127.0.0.1/tcp/0'])
      await node.handle(protocol, (stream) => onLink(new StreamLink(stream, ignore)))
      return { address: String(node.getMultiaddrs()[0]) }
    },
    dial: async ({ address }) => {
      const node = await start([])
      const stream = await node.dialProtocol(multiaddr(String(address)), protocol)
      return new StreamLink(stream, () => void node.stop().catch(ignore))
    },
  }
}

class StreamLink implements Link {
  receive: (payload: Uint8Array) => void = ignore
  readonly #stream: Stream
  readonly #close: () => void
  #rest: Buffer = Buffer.alloc(0)

  constructor(stream: Stream, close: () => void) {
    this.#stream = stream
    this.#close = close
    stream.addEventListener('message', ({ data }) => this.#read(data.subarray()))
  }

  send(payload: Uint8Array): boolean {
    const bytes = Buffer.allocUnsafe(lengthBytes + payload.length)
    bytes.writeUInt32BE(payload.length, 0)
    bytes.set(payload, lengthBytes)
    return this.#stream.send(bytes)
  }

  drained(): Promise<void> {
    return this.#stream.onDrain()
  }

  destroy(): void {
    this.#stream.abort(new Error('the run is over'))
    this.#close()
  }

  #read(chunk: Uint8Array): void {
    const bytes = this.#rest.length === 0 ? viewOf(chunk) : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (bytes.length - at >= lengthBytes) {
      const end = at + lengthBytes + bytes.readUInt32BE(at)
      if (end > bytes.length) break
      this.receive(bytes.subarray(at + lengthBytes, end))
      at = end
    }
    this.#rest = bytes.subarray(at)
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
