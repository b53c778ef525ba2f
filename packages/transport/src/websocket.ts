// WebSocket (RFC 6455) on the package ws, plain or over TLS: for browsers, and for networks that let nothing pass but
// the web. How messages become a byte stream: message-stream.ts.
//
// No channelBinding, not even over TLS: a browser cannot read the TLS exporter, and what stands in front of web
// servers ends TLS before us, so one side would often have a binding that the other lacks. The session inside is
// authenticated end to end all the same.

import type { LookupFunction, Socket } from 'node:net'
import { silentLogger } from '@myelin/base'
import { WebSocket } from 'ws'
import { type WebSocketEndpoint, websocketEndpoint } from './address.ts'
import { handshakeError, optionError } from './errors.ts'
import { HandshakeGate, type HandshakeOptions, handshakeBounds } from './handshake-gate.ts'
import { originsMax } from './limits.ts'
import { attempt } from './net-dial.ts'
import { type ListenerOptions, listenerBounds } from './net-listener.ts'
import type { ByteStream, DialOptions, Listener, StreamTransport } from './ports.ts'
import { dialTcp, endpointOf, listenTcp } from './tcp-socket.ts'
import { requireServerOptions } from './tls.ts'
import { tlsAcceptor } from './tls-accept.ts'
import { secure, type TlsDialler } from './tls-dial.ts'
import { type TlsOptions, tlsSettings } from './tls-options.ts'
import { TicketCache } from './tls-tickets.ts'
import { webSocketAcceptor } from './websocket-accept.ts'
import { webSocketOptions, webSocketStream } from './websocket-stream.ts'

export interface WebSocketOptions extends ListenerOptions, HandshakeOptions {
  /** The path of the URL, for both sides; `/` by default. */
  readonly path?: string
  /**
   * Origins of web pages that may connect, such as `https://example.org`; none by default, since any page that a
   * person opens could otherwise reach a listener on that person's machine. What is no browser names no origin.
   */
  readonly origins?: readonly string[] | 'any'
  /** For addresses with /tls. To listen it needs `key` and `cert`. */
  readonly tls?: TlsOptions
  /** Resolves names in place of the system's resolver (`dns.lookup` of Node). */
  readonly lookup?: LookupFunction
}

/** Streams over WebSocket: /…/tcp/…/ws and /…/tcp/…/tls/ws, which may be written /wss. */
export function websocket(options: WebSocketOptions = {}): StreamTransport {
  const bounds = listenerBounds(options)
  const handshakes = handshakeBounds(options)
  const path = readPath(options.path)
  const allows = readOrigins(options.origins)
  const settings = tlsSettings(options.tls ?? {})
  const { logger = silentLogger, lookup } = options
  const tickets = new TicketCache(options.tls?.ticketsMax)
  const dialler: TlsDialler = { settings, tickets, logger }
  return {
    kind: 'stream',
    name: 'websocket',
    handles: (address) => websocketEndpoint(address).ok,
    dial: async (address, { signal }: DialOptions = {}) => {
      const endpoint = endpointOf(address, websocketEndpoint)
      const upgrade = (socket: Socket) => open(socket, { address, endpoint, path, signal })
      const wrap = (raw: Socket) =>
        endpoint.isTls
          ? secure(raw, dialler, { address, endpoint, signal, wrap: upgrade })
          : upgrade(raw)
      return dialTcp({ address, endpoint, signal, lookup, wrap })
    },
    listen: async (address, onStream): Promise<Listener> => {
      const endpoint = endpointOf(address, websocketEndpoint)
      const suffix = suffixOf(endpoint)
      if (endpoint.isTls) requireServerOptions(address, endpoint.serverName, settings)
      const gate = new HandshakeGate(handshakes, logger, `a WebSocket handshake on ${address}`)
      const upgrade = webSocketAcceptor({
        path,
        allows,
        onOpen: (webSocket, socket) => onStream(webSocketStream(webSocket, socket, suffix)),
      })
      const accept = endpoint.isTls
        ? tlsAcceptor(settings, (socket, guest) => upgrade(guest, socket))
        : undefined
      return listenTcp({
        address,
        endpoint,
        suffix,
        bounds,
        logger,
        onSocket: (raw) => {
          const guest = gate.enter(raw)
          if (guest === undefined) return
          if (accept === undefined) upgrade(guest, raw)
          else accept(guest)
        },
        onClose: () => gate.close(),
      })
    },
  }
}

interface Opening {
  readonly address: string
  readonly endpoint: WebSocketEndpoint
  readonly path: string
  readonly signal: AbortSignal | undefined
}

/** The HTTP handshake over a socket that is connected, and secure where the address says so. */
function open(socket: Socket, { address, endpoint, path, signal }: Opening): Promise<ByteStream> {
  const { host, port, serverName = host } = endpoint
  const what = `cannot dial ${address}`
  return attempt<WebSocket, ByteStream>({
    what,
    signal,
    event: 'open',
    open: () =>
      new WebSocket(`ws://${host === serverName ? hostOf(host) : serverName}:${port}${path}`, {
        ...webSocketOptions,
        createConnection: () => socket,
      }),
    stop: (webSocket) => webSocket.terminate(),
    wrap: (webSocket) => webSocketStream(webSocket, socket, suffixOf(endpoint)),
    explain: (cause) => {
      const reason = `no WebSocket is to be had there (${cause.message}); check address and path`
      return handshakeError(what, reason, cause)
    },
  })
}

/** As a URL has it (RFC 3986 §3.2.2). */
function hostOf(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

function suffixOf({ isTls }: WebSocketEndpoint): string {
  return isTls ? '/tls/ws' : '/ws'
}

function readPath(path = '/'): string {
  if (/^\/[\w.~!$&'()*+,;=:@%/-]{0,200}$/.test(path)) return path
  throw optionError(`path is ${JSON.stringify(path)}; give the path of a URL, such as /agents`)
}

function readOrigins(origins: WebSocketOptions['origins'] = []): (origin: string) => boolean {
  if (origins === 'any') return () => true
  if (origins.length > originsMax)
    throw optionError(`origins has ${origins.length} items; give at most ${originsMax}`)
  const allowed = new Set(origins)
  for (const origin of allowed) {
    if (URL.canParse(origin) && new URL(origin).origin === origin) continue
    const shown = JSON.stringify(origin)
    throw optionError(`${shown} is no origin; write scheme, host and port as browsers do`)
  }
  return (origin) => allowed.has(origin)
}
