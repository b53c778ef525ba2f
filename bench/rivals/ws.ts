// ws: WebSocket in the clear, without compression.

import { ignore, type Kind, type Link } from '../peers/link.ts'
import { load } from './rivals.ts'

interface Socket {
  readonly bufferedAmount: number
  on(event: 'message', listener: (payload: Buffer) => void): void
  on(event: 'open', listener: () => void): void
  on(event: 'error', listener: (error: Error) => void): void
  send(payload: Uint8Array, options: object, sent?: () => void): void
  terminate(): void
}

interface Server {
  on(event: 'connection', listener: (socket: Socket) => void): void
  on(event: 'listening', listener: () => void): void
  address(): { readonly port: number }
}

interface Ws {
  readonly WebSocket: new (url: string, options: object) => Socket
  readonly WebSocketServer: new (options: object) => Server
}

const highWaterBytes = 256 * 1024
const options = { perMessageDeflate: false } as const
const binary = { binary: true } as const

export async function ws(): Promise<Kind> {
  const { WebSocket, WebSocketServer } = await load<Ws>('ws')
  return {
    name: 'ws',
    listen: (onLink) => {
      const server = new WebSocketServer({ ...options, host: '127.0.0.1', port: 0 })
      server.on('connection', (socket) => onLink(new WsLink(socket)))
      return new Promise((resolve) =>
        server.on('listening', () => resolve({ port: server.address().port })),
      )
    },
    dial: ({ port }) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, options)
      return new Promise((resolve, reject) => {
        socket.on('error', reject)
        socket.on('open', () => resolve(new WsLink(socket)))
      })
    },
  }
}

class WsLink implements Link {
  receive: (payload: Uint8Array) => void = ignore
  readonly #socket: Socket
  #onSent: () => void = ignore

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', (payload) => this.receive(payload))
    socket.on('error', ignore)
  }

  send(payload: Uint8Array): boolean {
    if (this.#socket.bufferedAmount < highWaterBytes) {
      this.#socket.send(payload, binary)
      return true
    }
    this.#socket.send(payload, binary, () => this.#onSent())
    return false
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSent = resolve
    })
  }

  destroy(): void {
    this.#socket.terminate()
  }
}
