// What a peer says of where it may be reached becomes routes, or nothing. Nobody is sent anything for being named
// here but a few challenges, and groups and everybody-addresses not even those.

import { type UdpEndpoint, udpAddress, udpEndpoint } from '@myelin/transport'
import { addressesMax } from './limits.ts'
import type { Route } from './paths.ts'

/**
 * `sessionAddress` is where the session's peer is: an unspecified host, as of a socket on all interfaces, means the
 * host there, and this machine where the session has none.
 */
export function toldRoutes(
  addresses: readonly string[],
  sessionAddress: string,
  localAddresses: readonly string[],
): Route[] {
  const routes: Route[] = []
  for (const address of addresses.slice(0, addressesMax)) {
    const usable = usableAddress(address, sessionAddress)
    if (usable === undefined) continue
    const family = familyOf(usable)
    const socket = localAddresses.findIndex((local) => familyOf(local) === family)
    if (socket >= 0) routes.push({ socket, address: usable })
  }
  return routes
}

/** For a group whose address somebody else names: multicast, and not the network's own (RFC 5771 §4). */
export function isGroupAddress(address: string): boolean {
  const read = udpEndpoint(address)
  // Of other transports the transport itself decides.
  if (!read.ok) return !address.includes('/udp/')
  const { host } = read.value
  return isMulticast(read.value) && !host.startsWith('224.0.0.') && !/^ff.[12]::/i.test(host)
}

export function isMulticastAddress(address: string): boolean {
  const read = udpEndpoint(address)
  return read.ok && isMulticast(read.value)
}

function usableAddress(address: string, sessionAddress: string): string | undefined {
  const read = udpEndpoint(address)
  if (!read.ok) return address.includes('/udp/') ? undefined : address
  const { host, port, family } = read.value
  if (port === 0 || isMulticast(read.value) || host === '255.255.255.255') return undefined
  if (host !== '0.0.0.0' && host !== '::') return udpAddress(host, port)
  const [, kind, remote = ''] = sessionAddress.split('/')
  if (kind === 'ip4' || kind === 'ip6')
    return kind === `ip${family}` ? udpAddress(remote, port) : undefined
  return udpAddress(family === 4 ? '127.0.0.1' : '::1', port)
}

function isMulticast({ host, family }: UdpEndpoint): boolean {
  if (family === 6) return /^ff/i.test(host)
  const first = Number.parseInt(host, 10)
  return first >= 224 && first <= 239
}

/** The first part of an address: what one socket can send to. */
function familyOf(address: string): string | undefined {
  return address.split('/', 2)[1]
}
