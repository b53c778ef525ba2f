// An open WebSocket of the package ws as a ByteStream.

import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { type TransportError, transportErrorOf } from './errors.ts'
import {
  webSocketChunksMax,
  webSocketCloseTimeoutMs,
  webSocketFragmentsMax,
  webSocketMessageBytesMax,
} from './limits.ts'
import { type MessageEvents, type MessageSocket, MessageStream } from './message-stream.ts'
import type { ByteStream } from './ports.ts'
import { endsOf } from './tcp-socket.ts'

/** What both ends ask of ws. Records are sealed, so compressing them would cost and gain nothing. */
export const webSocketOptions = {
  perMessageDeflate: false,
  maxPayload: webSocketMessageBytesMax,
  maxFragments: webSocketFragmentsMax,
  maxBufferedChunks: webSocketChunksMax,
  closeTimeout: webSocketCloseTimeoutMs,
} as const

/** Takes an open WebSocket over, in the turn in which it opened. `socket` is what it runs on. */
export function webSocketStream(webSocket: WebSocket, socket: Socket, suffix: string): ByteStream {
  const ends = endsOf(socket, suffix)
  return new MessageStream({ transport: 'websocket', ...ends }, (events) =>
    messageSocket(webSocket, events, ends.remoteAddress),
  )
}

function messageSocket(
  webSocket: WebSocket,
  events: MessageEvents,
  remoteAddress: string,
): MessageSocket {
  let error: TransportError | undefined
  const sent = () => events.sent()
  webSocket.pause()
  webSocket.on('message', (data, isBinary) => {
    // With the binaryType of Node, `nodebuffer`, it is one.
    if (isBinary) events.message(data as Buffer)
    else events.textMessage()
  })
  webSocket.on('error', (cause) => {
    error ??= transportErrorOf(cause, `the stream to ${remoteAddress} broke`)
  })
  webSocket.on('close', (code) => events.closed(code, error))
  return {
    get bufferedAmount() {
      return webSocket.bufferedAmount
    },
    send: (bytes) => webSocket.send(bytes, sent),
    watchBuffer: () => {},
    pause: () => webSocket.pause(),
    resume: () => webSocket.resume(),
    close: () => webSocket.close(1_000),
    terminate: () => webSocket.terminate(),
    defer: (callback) => setImmediate(callback),
  }
}
