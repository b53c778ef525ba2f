// The peers: node:net in the clear and node:tls 1.3, each with messages behind a 32-bit length. Written as one
// would for speed: small messages of one turn of the event loop share a write of up to 64 KiB, large ones are
// written by reference, and a message that came in pieces is copied once. TLS authenticates both sides, as our
// handshake does, and negotiates the hybrid X25519MLKEM768, Node's default.

import { connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net'
import {
  type ConnectionOptions,
  connect as connectTls,
  createServer as createTlsServer,
} from 'node:tls'
import { type Address, ignore, type Kind, type Link } from './link.ts'
import { temporaryPath } from './temporary.ts'

/** PEM texts of one self-signed certificate that both sides use and trust. */
export interface Certificate {
  readonly key: string
  readonly cert: string
}

/** Whom it names, beside the loopback address. */
export const certificateName = 'bench'

const lengthBytes = 4
/** Messages share a write up to here, and are written by reference from here on. */
const writeBytesMax = 64 * 1024
/** As our own transport's. */
const highWaterMark = 256 * 1024
const nothing: Buffer = Buffer.alloc(0)
const socketOptions = { noDelay: true, highWaterMark } as const

export interface SocketVariant {
  /** Over a Unix socket. */
  readonly isLocal?: boolean
  /** The stream as it is, without messages: `receive` gets chunks. */
  readonly isRaw?: boolean
}

export function net({ isLocal = false, isRaw = false }: SocketVariant = {}): Kind {
  const link = linkOf(isRaw)
  return {
    name: 'node:net',
    listen: (onLink) => {
      const path = isLocal ? temporaryPath() : undefined
      return bound(
        createServer(socketOptions, (socket) => onLink(link(socket))),
        path,
      )
    },
    dial: (address) => {
      const open = () => connect({ ...socketOptions, ...target(address) } as NetConnectOpts)
      return ready('connect', open, link)
    },
  }
}

export function tls({ key, cert }: Certificate, { isRaw = false }: SocketVariant = {}): Kind {
  const both = { key, cert, ca: cert, minVersion: 'TLSv1.3' } as const
  const link = linkOf(isRaw)
  return {
    name: 'node:tls',
    listen: (onLink) => {
      const options = { ...both, ...socketOptions, requestCert: true, rejectUnauthorized: true }
      return bound(createTlsServer(options, (socket) => onLink(link(socket))))
    },
    dial: (address) => {
      const open = () => {
        // The types of `connect` leave the mark out; Node hands it on to the socket.
        const options: ConnectionOptions = { ...both, ...target(address), ...{ highWaterMark } }
        return connectTls(options).setNoDelay(true)
      }
      return ready('secureConnect', open, link)
    },
  }
}

function linkOf(isRaw: boolean): (socket: Socket) => Link {
  return isRaw ? (socket) => new RawLink(socket) : (socket) => new SocketLink(socket)
}

function target({ path, port }: Address) {
  return path === undefined ? { host: '127.0.0.1', port: Number(port) } : { path: String(path) }
}

function bound(server: Server, path?: string): Promise<Address> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const where = path === undefined ? { host: '127.0.0.1', port: 0 } : { path }
    server.listen({ ...where, backlog: 511 }, () => {
      const address = server.address() as { readonly port: number }
      resolve(path === undefined ? { port: address.port } : { path })
    })
  })
}

function ready(
  event: 'connect' | 'secureConnect',
  open: () => Socket,
  link: (socket: Socket) => Link,
): Promise<Link> {
  return new Promise((resolve, reject) => {
    const socket = open()
    socket.once('error', reject)
    socket.once(event, () => {
      socket.off('error', reject)
      resolve(link(socket))
    })
  })
}

class RawLink implements Link {
  receive: (payload: Uint8Array) => void = ignore
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.receive(chunk))
    socket.on('error', ignore)
  }

  send(payload: Uint8Array): boolean {
    return this.#socket.write(payload)
  }

  drained(): Promise<void> {
    return new Promise((resolve) => this.#socket.once('drain', resolve))
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

class SocketLink implements Link {
  receive: (payload: Uint8Array) => void = ignore
  readonly #socket: Socket
  /** What stands in it from start to end is still to be written; what stands before belongs to the socket. */
  #out: Buffer = nothing
  #outStart = 0
  #outEnd = writeBytesMax
  #isFlushDue = false
  #isFull = false
  #onDrain: () => void = ignore
  /** The beginning of a message whose rest is still to come, or of its length. */
  #partial: Buffer = nothing
  #have = 0

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('drain', () => {
      this.#isFull = false
      this.#onDrain()
    })
    // Ends of both kinds are part of the game: whoever dialled destroys.
    socket.on('error', ignore)
  }

  send(payload: Uint8Array): boolean {
    const bytes = lengthBytes + payload.length
    if (bytes > writeBytesMax) return this.#sendLarge(payload)
    if (this.#outEnd + bytes > writeBytesMax) this.#turnOver()
    this.#out.writeUInt32BE(payload.length, this.#outEnd)
    this.#out.set(payload, this.#outEnd + lengthBytes)
    this.#outEnd += bytes
    if (!this.#isFlushDue) {
      this.#isFlushDue = true
      queueMicrotask(this.#flushLater)
    }
    return !this.#isFull
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#onDrain = resolve
    })
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #sendLarge(payload: Uint8Array): boolean {
    if (this.#out !== nothing) this.#flush()
    const head = Buffer.allocUnsafe(lengthBytes)
    head.writeUInt32BE(payload.length, 0)
    this.#socket.cork()
    this.#socket.write(head)
    this.#isFull = !this.#socket.write(payload)
    this.#socket.uncork()
    return !this.#isFull
  }

  readonly #flushLater = (): void => {
    this.#isFlushDue = false
    this.#flush()
  }

  #flush(): void {
    if (this.#outEnd === this.#outStart) return
    this.#isFull = !this.#socket.write(this.#out.subarray(this.#outStart, this.#outEnd))
    this.#outStart = this.#outEnd
  }

  #turnOver(): void {
    if (this.#out !== nothing) this.#flush()
    this.#out = Buffer.allocUnsafeSlow(writeBytesMax)
    this.#outStart = 0
    this.#outEnd = 0
  }

  #read(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#have > 0) {
        at = this.#gather(chunk, at)
        continue
      }
      const body = at + lengthBytes
      const end = body <= chunk.length ? body + chunk.readUInt32BE(at) : Number.POSITIVE_INFINITY
      if (end > chunk.length) {
        at = this.#begin(chunk, at, end - at)
        continue
      }
      this.receive(chunk.subarray(body, end))
      at = end
    }
  }

  /** Keeps the start of a message of `bytes` with its length, or of a length alone where that is cut. */
  #begin(chunk: Buffer, at: number, bytes: number): number {
    this.#partial = Buffer.allocUnsafeSlow(Number.isFinite(bytes) ? bytes : lengthBytes)
    this.#have = chunk.copy(this.#partial, 0, at)
    return chunk.length
  }

  #gather(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#partial, this.#have, at, at + this.#partial.length - this.#have)
    this.#have += copied
    if (this.#have < this.#partial.length) return at + copied
    const whole = this.#partial
    if (whole.length === lengthBytes) {
      // The length is complete: now the buffer for the message.
      const bytes = lengthBytes + whole.readUInt32BE(0)
      if (bytes > lengthBytes) {
        this.#partial = Buffer.allocUnsafeSlow(bytes)
        this.#partial.set(whole)
        return at + copied
      }
    }
    this.#have = 0
    this.receive(whole.subarray(lengthBytes))
    return at + copied
  }
}
