// The listener's side of WebSocket: an HTTP server that listens nowhere takes connections from the TCP or TLS
// server and knows one thing only, to become a WebSocket.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Guest } from './handshake-gate.ts'
import { upgradeHeaderBytesMax } from './limits.ts'
import { webSocketOptions } from './websocket-stream.ts'

export interface WebSocketDoor {
  /** The only path that is answered. */
  readonly path: string
  /** Whether a page of this origin may come in. */
  allows(origin: string): boolean
  /** Takes the WebSocket over; the guest has left the gate. */
  onOpen(webSocket: WebSocket, socket: Socket): void
}

/** Starts the HTTP handshake of a connection in the gate; `socket` is the TLS socket where there is one. */
export function webSocketAcceptor(door: WebSocketDoor): (guest: Guest, socket: Socket) => void {
  const guests = new WeakMap<Duplex, Guest>()
  const http = createServer({ maxHeaderSize: upgradeHeaderBytesMax }, explain)
  const upgrader = new WebSocketServer({
    ...webSocketOptions,
    noServer: true,
    clientTracking: false,
    path: door.path,
  })
  http.on('clientError', (_error, socket) => {
    guests.get(socket)?.fail('what came is no request')
  })
  http.on('upgrade', (request, socket, head) => {
    const guest = guests.get(socket)
    const { origin } = request.headers
    if (guest === undefined) socket.destroy()
    else if (origin !== undefined && !door.allows(origin)) {
      guest.noteFailure('it comes from a web page whose origin is not in origins')
      refuse(socket)
    } else {
      upgrader.handleUpgrade(request, socket, head, (webSocket) => {
        guest.leave()
        door.onOpen(webSocket, socket as Socket)
      })
    }
  })
  return (guest, socket) => {
    guests.set(socket, guest)
    http.emit('connection', socket)
  }
}

/** Browsers say which page they act for; other programs say nothing (RFC 6455 §10.2). */
function refuse(socket: Duplex): void {
  socket.on('error', () => {})
  socket.once('finish', () => socket.destroy())
  socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
}

/** To a request that asks for anything else (RFC 9110 §15.5.22). */
function explain(_request: IncomingMessage, response: ServerResponse): void {
  const headers = { Connection: 'close', Upgrade: 'websocket', 'Content-Length': 0 }
  response.writeHead(426, headers).end()
}
