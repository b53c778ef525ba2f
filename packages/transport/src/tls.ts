// TLS 1.3 and 1.2 over TCP with node:tls (R174). It hides the session's own handshake from onlookers and passes where
// only TLS passes. The session still runs inside, end to end, and takes the TLS exporter into its prologue, so
// whoever ends TLS on the way and opens another one behind (a man in the middle, a proxy) is found out.
//
// The exporter is sound for TLS 1.2 too: all suites use ephemeral ECDH on X25519, so nobody can force two
// connections to one master secret (RFC 7627 §1). Node does not tell a close_notify from a bare FIN, so a
// connection that was cut short looks ended: as with TCP, the session knows its own end.

import type { LookupFunction, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { silentLogger } from '@myelin/base'
import { tlsEndpoint } from './address.ts'
import { optionError } from './errors.ts'
import { HandshakeGate, handshakeBounds } from './handshake-gate.ts'
import { type ListenerOptions, listenerBounds } from './net-listener.ts'
import { NetStream } from './net-stream.ts'
import type { ByteStream, DialOptions, Listener, StreamTransport } from './ports.ts'
import { dialTcp, endpointOf, endsOf, listenTcp, refuseAddress } from './tcp-socket.ts'
import { tlsAcceptor } from './tls-accept.ts'
import { secure, type TlsDialler } from './tls-dial.ts'
import { type TlsOptions, type TlsSettings, tlsSettings } from './tls-options.ts'
import { TicketCache } from './tls-tickets.ts'

export interface TlsTransportOptions extends TlsOptions, ListenerOptions {
  /** Resolves names in place of the system's resolver (`dns.lookup` of Node). */
  readonly lookup?: LookupFunction
}

/** RFC 9266 §2: the label, 32 bytes, and a context that is there and empty. */
const exporterLabel = 'EXPORTER-Channel-Binding'
const exporterBytes = 32
const exporterContext = Buffer.alloc(0)

/** Streams over TLS: /…/tcp/…/tls. To listen it needs `key` and `cert`. */
export function tls(options: TlsTransportOptions = {}): StreamTransport {
  const bounds = listenerBounds(options)
  const handshakes = handshakeBounds(options)
  const settings = tlsSettings(options)
  const { logger = silentLogger, lookup } = options
  const dialler: TlsDialler = { settings, tickets: new TicketCache(options.ticketsMax), logger }
  return {
    kind: 'stream',
    name: 'tls',
    handles: (address) => tlsEndpoint(address).ok,
    dial: async (address, { signal }: DialOptions = {}) => {
      const endpoint = endpointOf(address, tlsEndpoint)
      const wrap = (raw: Socket) =>
        secure(raw, dialler, {
          address,
          endpoint,
          signal,
          wrap: (socket) => tlsStream(socket, raw),
        })
      return dialTcp({ address, endpoint, signal, lookup, wrap })
    },
    listen: async (address, onStream): Promise<Listener> => {
      const endpoint = endpointOf(address, tlsEndpoint)
      requireServerOptions(address, endpoint.serverName, settings)
      const gate = new HandshakeGate(handshakes, logger, `a TLS handshake on ${address}`)
      const accept = tlsAcceptor(settings, (socket, guest) => {
        guest.leave()
        onStream(tlsStream(socket, guest.socket))
      })
      return listenTcp({
        address,
        endpoint,
        suffix: '/tls',
        bounds,
        logger,
        onSocket: (raw) => {
          const guest = gate.enter(raw)
          if (guest !== undefined) accept(guest)
        },
        onClose: () => gate.close(),
      })
    },
  }
}

/** What listening with TLS needs beyond an address. */
export function requireServerOptions(
  address: string,
  serverName: string | undefined,
  { options }: TlsSettings,
): void {
  if (serverName !== undefined)
    throw refuseAddress(address, 'names a server with /sni/, which only who dials does')
  if (options.key === undefined)
    throw optionError(`cannot listen on ${address}: TLS needs key and cert; give both`)
}

function tlsStream(socket: TLSSocket, raw: Socket): ByteStream {
  return new NetStream(socket, {
    transport: 'tls',
    canReset: true,
    beneath: raw,
    channelBinding: socket.exportKeyingMaterial(exporterBytes, exporterLabel, exporterContext),
    ...endsOf(socket, '/tls'),
  })
}
