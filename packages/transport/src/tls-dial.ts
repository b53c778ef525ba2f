// The dialler's side of TLS, over a socket that is connected: name and authority are checked by Node, the pins here,
// on full and on resumed sessions alike.

import { isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import type { Logger } from '@myelin/base'
import type { TlsEndpoint } from './address.ts'
import { untrustedError } from './errors.ts'
import { socketHighWaterBytes } from './limits.ts'
import { attempt } from './net-dial.ts'
import type { TlsSettings } from './tls-options.ts'
import { pinFault, pinOf } from './tls-pins.ts'
import { type Ticket, type TicketCache, TicketKeeper } from './tls-tickets.ts'

export interface TlsDialler {
  readonly settings: TlsSettings
  readonly tickets: TicketCache
  readonly logger: Logger
}

export interface TlsDial<Outcome> {
  readonly address: string
  readonly endpoint: TlsEndpoint
  readonly signal: AbortSignal | undefined
  /** Takes the socket over, in the turn in which the peer was found right. */
  wrap(socket: TLSSocket): Outcome | Promise<Outcome>
}

/** Speaks TLS over `raw`, whose errors become those of the TLS socket. */
export function secure<Outcome>(
  raw: Socket,
  { settings, tickets, logger }: TlsDialler,
  { address, endpoint, signal, wrap }: TlsDial<Outcome>,
): Promise<Outcome> {
  const what = `cannot dial ${address}`
  const key = ticketKey(endpoint)
  const ticket = tickets.take(key)
  const keeper = new TicketKeeper(tickets, key)
  return attempt<TLSSocket, Outcome>({
    what,
    signal,
    event: 'secureConnect',
    open: () =>
      connect(optionsOf(raw, settings, endpoint, ticket)).on('session', (session) =>
        keeper.keep(session),
      ),
    stop: (socket) => socket.destroy(),
    wrap: (socket) => {
      const pin = provedPin(socket, ticket)
      const fault = pinFault(settings.pins, pin)
      if (fault !== undefined) throw untrustedError(what, fault)
      keeper.admit(pin)
      logger.log('debug', 'transport_tls_connected', {
        address,
        version: socket.getProtocol(),
        suite: socket.getCipher().name,
        isResumed: socket.isSessionReused(),
      })
      return wrap(socket)
    },
  })
}

/** Node takes a high-water mark here as for any stream, which its types do not know. */
function optionsOf(
  socket: Socket,
  settings: TlsSettings,
  endpoint: TlsEndpoint,
  ticket: Ticket | undefined,
): ConnectionOptions & { readonly highWaterMark: number } {
  return {
    socket,
    host: endpoint.serverName ?? endpoint.host,
    servername: serverNameOf(endpoint),
    secureContext: settings.secureContext(),
    rejectUnauthorized: settings.options.rejectUnauthorized ?? true,
    highWaterMark: socketHighWaterBytes,
    ...(ticket === undefined ? {} : { session: ticket.session }),
  }
}

/** The key that the peer has proved: now, or in the handshake whose session this one resumes. */
function provedPin(socket: TLSSocket, ticket: Ticket | undefined): string | undefined {
  const certificate = socket.getPeerX509Certificate()
  if (certificate !== undefined) return pinOf(certificate)
  return socket.isSessionReused() ? ticket?.pin : undefined
}

/** SNI names hosts, never addresses, and has no dot at its end (RFC 6066 §3). */
function serverNameOf({ host, serverName = host }: TlsEndpoint): string {
  return isIP(serverName) === 0 ? serverName.replace(/\.$/, '') : ''
}

function ticketKey({ host, port, family, serverName = '' }: TlsEndpoint): string {
  return [host, port, family, serverName].join('/')
}
