// What TCP, TLS and WebSocket share: a connected socket, a server that accepts them, and their addresses.
// A name that resolves to several addresses is dialled on all of them in turn (happy eyeballs, RFC 8305).

import { type AddressInfo, connect, type LookupFunction, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Logger, Result } from '@myelin/base'
import {
  type AddressFault,
  addressError,
  type TcpEndpoint,
  tcpAddress,
  unnamedAddress,
} from './address.ts'
import { TransportError } from './errors.ts'
import { dialNet } from './net-dial.ts'
import {
  type ListenerBounds,
  openServer,
  serverListener,
  tcpSocketOptions,
} from './net-listener.ts'
import type { Listener } from './ports.ts'

export interface TcpDial<Outcome> {
  readonly address: string
  readonly endpoint: TcpEndpoint
  readonly signal: AbortSignal | undefined
  readonly lookup: LookupFunction | undefined
  wrap(socket: Socket): Outcome | Promise<Outcome>
}

export async function dialTcp<Outcome>(dial: TcpDial<Outcome>): Promise<Outcome> {
  const { address, endpoint, signal, lookup, wrap } = dial
  const { host, port, family } = endpoint
  if (port === 0) throw refuseAddress(address, 'names port 0, which only a listener can use')
  const resolver = lookup === undefined ? {} : { lookup }
  return dialNet({
    what: `cannot dial ${address}`,
    signal,
    open: () =>
      connect({ ...tcpSocketOptions, ...resolver, host, port, family, autoSelectFamily: true }),
    wrap,
  })
}

export interface TcpListen {
  readonly address: string
  readonly endpoint: TcpEndpoint
  /** What follows the port in the addresses that are reported: `/tls`. */
  readonly suffix?: string
  readonly bounds: ListenerBounds
  readonly logger: Logger
  /** Others may listen on the same port and ask for it too. */
  readonly reusePort?: boolean
  onSocket(socket: Socket): void
  /** Runs once, when the listener closes. */
  onClose?(): void
}

export async function listenTcp(options: TcpListen): Promise<Listener> {
  const { address, endpoint, suffix = '', bounds, logger, reusePort = false, onSocket } = options
  const { host, port, family } = endpoint
  if (!/^\/ip[46]\//.test(address))
    throw refuseAddress(address, 'names no interface; listen on /ip4/…/tcp/… or /ip6/…/tcp/…')
  const server = await openServer({
    what: `cannot listen on ${address}`,
    socketOptions: tcpSocketOptions,
    // Without ipv6Only, /ip6/:: would take the port of /ip4/0.0.0.0 too.
    listen: { host, port, ipv6Only: family === 6, reusePort },
    bounds,
    logger,
    onSocket,
  })
  const bound = server.address() as AddressInfo
  const addresses = reachableAddresses(host, bound.port).map((reached) => reached + suffix)
  return serverListener(server, addresses, async () => options.onClose?.())
}

/** The addresses under which a socket bound to `host` is dialled: a wildcard has those of all interfaces. */
export function reachableAddresses(
  host: string,
  port: number,
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): string[] {
  const family = host === '0.0.0.0' ? 'IPv4' : host === '::' ? 'IPv6' : undefined
  if (family === undefined) return [tcpAddress(host, port)]
  const loopback = family === 'IPv4' ? '127.0.0.1' : '::1'
  const addresses = Object.values(interfaces)
    .flatMap((entries) => entries ?? [])
    // A link-local IPv6 address means nothing without its zone, which differs on the machine of the peer.
    .filter((entry) => entry.family === family && !/^fe[89ab]/i.test(entry.address))
    .map((entry) => tcpAddress(entry.address, port))
  return addresses.length > 0 ? [...new Set(addresses)] : [tcpAddress(loopback, port)]
}

/** Both ends of a connection. */
export function endsOf(socket: Socket, suffix = '') {
  return {
    localAddress: nameOf(socket.localAddress, socket.localPort, suffix),
    remoteAddress: nameOf(socket.remoteAddress, socket.remotePort, suffix),
  }
}

/** A peer that is gone by the time Node hands its connection over has no address any more. */
function nameOf(host: string | undefined, port: number | undefined, suffix: string): string {
  return host === undefined || port === undefined
    ? unnamedAddress
    : `${tcpAddress(host, port)}${suffix}`
}

/** The endpoint of an address, or a throw that names its fault. */
export function endpointOf<Endpoint>(
  address: string,
  read: (address: string) => Result<Endpoint, AddressFault>,
): Endpoint {
  const endpoint = read(address)
  if (!endpoint.ok) throw addressError(address, endpoint.fault)
  return endpoint.value
}

export function refuseAddress(address: string, reason: string): TransportError {
  return new TransportError('TRANSPORT_ADDRESS', `${address} ${reason}`, { kind: 'usage' })
}
