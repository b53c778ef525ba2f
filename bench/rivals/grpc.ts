// grpc-js: one call that streams both ways, over TLS with both sides authenticated. Messages are bytes as they are,
// so that no encoding is measured.

import { ignore, type Kind, type Link } from '../peers/link.ts'
import { type Certificate, certificateName } from '../peers/sockets.ts'
import { load } from './rivals.ts'

interface Call {
  write(payload: Uint8Array): boolean
  on(event: 'data', listener: (payload: Buffer) => void): void
  on(event: 'error' | 'drain' | 'end', listener: () => void): void
  end?(): void
}

interface Client {
  waitForReady(deadline: Date, done: (error?: Error) => void): void
  makeBidiStreamRequest(
    path: string,
    serialize: (payload: Uint8Array) => Buffer,
    deserialize: (bytes: Buffer) => Buffer,
  ): Call
  close(): void
}

interface Server {
  addService(service: object, handlers: { bench(call: Call): void }): void
  bindAsync(
    address: string,
    credentials: unknown,
    done: (error: Error | null, port: number) => void,
  ): void
}

interface Grpc {
  readonly Server: new () => Server
  readonly Client: new (address: string, credentials: unknown, options: object) => Client
  readonly credentials: { createSsl(ca: Buffer, key: Buffer, cert: Buffer): unknown }
  readonly ServerCredentials: {
    createSsl(ca: Buffer, pairs: readonly object[], checksClient: boolean): unknown
  }
}

const path = '/bench/bench'
const readyMs = 10_000
// Node takes no address for a server's name.
const named = { 'grpc.ssl_target_name_override': certificateName }

function asBuffer(payload: Uint8Array): Buffer {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.length)
}

function asIs(bytes: Buffer): Buffer {
  return bytes
}

const service = {
  bench: {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: asBuffer,
    requestDeserialize: asIs,
    responseSerialize: asBuffer,
    responseDeserialize: asIs,
  },
}

export async function grpc(certificate: Certificate): Promise<Kind> {
  const { Server, Client, credentials, ServerCredentials } = await load<Grpc>('@grpc/grpc-js')
  const [key, cert] = [Buffer.from(certificate.key), Buffer.from(certificate.cert)]
  return {
    name: 'grpc TLS',
    listen: (onLink) => {
      const server = new Server()
      server.addService(service, { bench: (call) => onLink(new CallLink(call, ignore)) })
      const pairs = [{ private_key: key, cert_chain: cert }]
      const trust = ServerCredentials.createSsl(cert, pairs, true)
      return new Promise((resolve, reject) => {
        server.bindAsync('127.0.0.1:0', trust, (error, port) =>
          error === null ? resolve({ port }) : reject(error),
        )
      })
    },
    dial: async ({ port }) => {
      const client = new Client(`127.0.0.1:${port}`, credentials.createSsl(cert, key, cert), named)
      await new Promise<void>((resolve, reject) => {
        const deadline = new Date(Date.now() + readyMs)
        client.waitForReady(deadline, (error) => (error ? reject(error) : resolve()))
      })
      const call = client.makeBidiStreamRequest(path, asBuffer, asIs)
      return new CallLink(call, () => client.close())
    },
  }
}

class CallLink implements Link {
  receive: (payload: Uint8Array) => void = ignore
  readonly #call: Call
  readonly #close: () => void
  #onDrain: () => void = ignore

  constructor(call: Call, close: () => void) {
    this.#call = call
    this.#close = close
    call.on('data', (payload) => this.receive(payload))
    call.on('drain', () => this.#onDrain())
    call.on('end', () => call.end?.())
    call.on('error', ignore)
  }

  send(payload: Uint8Array): boolean {
    return this.#call.write(payload)
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#onDrain = resolve
    })
  }

  destroy(): void {
    this.#call.end?.()
    this.#close()
  }
}
