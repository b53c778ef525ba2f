// TCP with node:net. Plain: whoever carries bytes over it seals them first (the session does).
// A name that resolves to several addresses is dialled on all of them in turn (happy eyeballs, RFC 8305).

import { type AddressInfo, connect, type LookupFunction, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { silentLogger } from '@myelin/base'
import {
  type AddressFault,
  addressError,
  type TcpEndpoint,
  tcpAddress,
  tcpEndpoint,
  unnamedAddress,
} from './address.ts'
import { TransportError } from './errors.ts'
import { dialNet } from './net-dial.ts'
import {
  type ListenerOptions,
  listenerBounds,
  openServer,
  serverListener,
  tcpSocketOptions,
} from './net-listener.ts'
import { NetStream } from './net-stream.ts'
import type { ByteStream, DialOptions, Listener, StreamTransport } from './ports.ts'

export interface TcpOptions extends ListenerOptions {
  /** Resolves names in place of the system's resolver (`dns.lookup` of Node). */
  readonly lookup?: LookupFunction
}

/** Streams over TCP: /ip4|ip6/…/tcp/… to dial and listen, /dns|dns4|dns6/…/tcp/… to dial. */
export function tcp(options: TcpOptions = {}): StreamTransport {
  const bounds = listenerBounds(options)
  const { logger = silentLogger, lookup } = options
  const resolver = lookup === undefined ? {} : { lookup }
  return {
    kind: 'stream',
    name: 'tcp',
    handles: (address) => tcpEndpoint(address).ok,
    dial: async (address, { signal }: DialOptions = {}) => {
      const { host, port, family } = endpointOf(address)
      if (port === 0) throw refuse(address, 'names port 0, which only a listener can use')
      return dialNet({
        what: `cannot dial ${address}`,
        signal,
        open: () =>
          connect({ ...tcpSocketOptions, ...resolver, host, port, family, autoSelectFamily: true }),
        wrap: tcpStream,
      })
    },
    listen: async (address, onStream): Promise<Listener> => {
      const { host, port, family } = endpointOf(address)
      if (!/^\/ip[46]\//.test(address))
        throw refuse(address, 'names no interface; listen on /ip4/…/tcp/… or /ip6/…/tcp/…')
      const server = await openServer({
        what: `cannot listen on ${address}`,
        socketOptions: tcpSocketOptions,
        // Without ipv6Only, /ip6/:: would take the port of /ip4/0.0.0.0 too.
        listen: { host, port, ipv6Only: family === 6 },
        bounds,
        logger,
        onSocket: (socket) => onStream(tcpStream(socket)),
      })
      const bound = server.address() as AddressInfo
      return serverListener(server, reachableAddresses(host, bound.port))
    },
  }
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

function tcpStream(socket: Socket): ByteStream {
  return new NetStream(socket, {
    transport: 'tcp',
    localAddress: nameOf(socket.localAddress, socket.localPort),
    remoteAddress: nameOf(socket.remoteAddress, socket.remotePort),
    canReset: true,
  })
}

/** A peer that is gone by the time Node hands its connection over has no address any more. */
function nameOf(host: string | undefined, port: number | undefined): string {
  return host === undefined || port === undefined ? unnamedAddress : tcpAddress(host, port)
}

function endpointOf(address: string): TcpEndpoint {
  const endpoint = tcpEndpoint(address)
  if (!endpoint.ok) throw addressError(address, endpoint.fault satisfies AddressFault)
  return endpoint.value
}

function refuse(address: string, reason: string): TransportError {
  return new TransportError('TRANSPORT_ADDRESS', `${address} ${reason}`, { kind: 'usage' })
}
