/**
 * Dials agents from a browser, over its own WebSocket. Imports nothing of Node.
 *
 * ```ts
 * import { websocketClient } from '@myelin/transport/browser'
 *
 * const transport = websocketClient()
 * console.log(transport.handles('/dns4/agent.example.org/tcp/443/tls/ws'))
 * ```
 *
 * What a browser cannot do: stop its socket from receiving. A reader that pauses leaves bytes in memory, and at
 * 64 MiB the stream breaks. The credit of the session keeps peers far below.
 */
import {
  addressError,
  parseAddress,
  unnamedAddress,
  type WebSocketEndpoint,
  websocketEndpoint,
} from './address.ts'
import { abortedError, handshakeError, TransportError } from './errors.ts'
import { webSocketPollMs } from './limits.ts'
import { type MessageEvents, type MessageSocket, MessageStream } from './message-stream.ts'
import type { ByteStream, DialOptions, StreamTransport } from './ports.ts'

export interface WebSocketClientOptions {
  /** The path of the URL; `/` by default. */
  readonly path?: string
  /** Makes the socket, in place of the platform's own WebSocket. */
  readonly connect?: (url: string) => PlatformWebSocket
}

/** What is used of a platform's WebSocket (WHATWG WebSockets §3.1). */
export interface PlatformWebSocket {
  binaryType: string
  readonly bufferedAmount: number
  send(bytes: Uint8Array<ArrayBuffer>): void
  close(code?: number): void
  addEventListener(type: 'open' | 'error', listener: () => void): void
  addEventListener(type: 'close', listener: (event: { readonly code: number }) => void): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
}

/** A code for private use (RFC 6455 §7.4.2): the stream was destroyed. Any but 1000 says so. */
const closeCodeDestroyed = 4_000

/** Dials /…/tcp/…/ws and /…/tcp/…/tls/ws; it cannot listen. */
export function websocketClient(options: WebSocketClientOptions = {}): StreamTransport {
  const { path = '/', connect = (url: string) => new WebSocket(url) } = options
  return {
    kind: 'stream',
    name: 'websocket',
    handles: (address) => websocketEndpoint(address).ok,
    dial: async (text, dialOptions) => {
      const { address, endpoint } = read(text)
      if (endpoint.serverName !== undefined)
        throw refusal(address, 'has a /sni/ name, which a browser cannot set; dial that name')
      if (endpoint.port === 0) throw refusal(address, 'names port 0, which cannot be dialled')
      return open(address, () => connect(urlOf(endpoint, path)), dialOptions)
    },
    listen: async (address) => {
      read(address)
      throw refusal(
        address,
        'cannot be listened on in a browser; listen in Node, and dial from here',
      )
    },
  }
}

function open(
  address: string,
  connect: () => PlatformWebSocket,
  { signal }: DialOptions = {},
): Promise<ByteStream> {
  const what = `cannot dial ${address}`
  if (signal?.aborted) return Promise.reject(abortedError(what, signal.reason))
  return new Promise((resolve, reject) => {
    let socket: PlatformWebSocket
    try {
      socket = connect()
    } catch (cause) {
      // From a page of https:// a browser refuses ws:// (WHATWG Mixed Content).
      reject(handshakeError(what, 'the browser refuses it; use /tls/ws', cause))
      return
    }
    socket.binaryType = 'arraybuffer'
    const onAbort = () => {
      reject(abortedError(what, signal?.reason))
      socket.close()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    // Browsers tell nobody why, so that pages cannot explore networks.
    const onFailure = () => {
      signal?.removeEventListener('abort', onAbort)
      const reason = 'no WebSocket is to be had there; check address, certificate and its origins'
      reject(handshakeError(what, reason))
    }
    socket.addEventListener('error', onFailure)
    socket.addEventListener('close', onFailure)
    socket.addEventListener('open', () => {
      signal?.removeEventListener('abort', onAbort)
      if (signal?.aborted) return
      resolve(streamOf(socket, address))
    })
  })
}

function streamOf(socket: PlatformWebSocket, remoteAddress: string): ByteStream {
  const names = { transport: 'websocket', localAddress: unnamedAddress, remoteAddress }
  return new MessageStream(names, (events) => messageSocket(socket, events))
}

function messageSocket(socket: PlatformWebSocket, events: MessageEvents): MessageSocket {
  let isWatching = false
  const poll = () => {
    isWatching = false
    events.sent()
  }
  socket.addEventListener('message', ({ data }) => {
    if (data instanceof ArrayBuffer) events.message(new Uint8Array(data))
    else events.textMessage()
  })
  socket.addEventListener('close', ({ code }) => events.closed(code))
  return {
    get bufferedAmount() {
      return socket.bufferedAmount
    },
    send: (bytes) => socket.send(bytes as Uint8Array<ArrayBuffer>),
    watchBuffer: () => {
      if (isWatching) return
      isWatching = true
      setTimeout(poll, webSocketPollMs)
    },
    pause: () => {},
    resume: () => {},
    close: () => socket.close(1_000),
    terminate: () => socket.close(closeCodeDestroyed),
    defer: (callback) => setTimeout(callback, 0),
  }
}

function urlOf({ host, port, isTls }: WebSocketEndpoint, path: string): string {
  const name = host.includes(':') ? `[${host}]` : host
  return `${isTls ? 'wss' : 'ws'}://${name}:${port}${path}`
}

function read(text: string): { readonly address: string; readonly endpoint: WebSocketEndpoint } {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw addressError(text, parsed.fault)
  const { kind, address, endpoint } = { endpoint: undefined, ...parsed.value }
  if (kind !== 'websocket') throw addressError(text, 'address_unsupported')
  return { address, endpoint }
}

function refusal(address: string, reason: string): TransportError {
  return new TransportError('TRANSPORT_ADDRESS', `${address} ${reason}`, { kind: 'usage' })
}
