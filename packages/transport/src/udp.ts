// UDP with node:dgram, unicast and multicast. Plain: whoever sends datagrams seals them first.
//
// A multicast group is an address like any other: binding it joins the group, sending to it reaches all members
// (RFC 1112; IPv6: RFC 4291 §2.7). Path MTU: no datagram exceeds 1,200 bytes unless the options say so, which
// RFC 9000 §14.1 takes every path to carry; Node cannot set the bit that forbids the network to cut larger ones.

import { createSocket, type Socket } from 'node:dgram'
import { type Logger, silentLogger } from '@myelin/base'
import { addressError, type UdpEndpoint, udpAddress, udpEndpoint } from './address.ts'
import { integerOption, optionError, transportErrorOf } from './errors.ts'
import {
  datagramBytesMax,
  multicastTtlDefault,
  multicastTtlMax,
  udpDatagramBytesDefault,
  udpSendQueueBytesDefault,
  udpSendQueueBytesMax,
  udpSocketBufferBytesMax,
  udpSocketBufferBytesMin,
} from './limits.ts'
import type { DatagramTransport } from './ports.ts'
import { UdpDatagramSocket, type UdpSocket } from './udp-socket.ts'

export interface MulticastOptions {
  /** The interface by one of its addresses, for IPv6 by name as in `::%eth0`; otherwise the system chooses. */
  readonly interface?: string
  /** Hops that datagrams may take; 1 stays in the local network. */
  readonly ttl?: number
  /** Whether members on this machine, the sender included, hear what is sent. */
  readonly loopback?: boolean
}

export interface UdpOptions {
  /** Largest datagram to send. Above 1,200 the network may cut it up, and loses it whole with any piece. */
  readonly datagramBytesMax?: number
  /** Bytes that may wait for the system; what exceeds them is dropped. */
  readonly sendQueueBytesMax?: number
  /** SO_RCVBUF and SO_SNDBUF; the system's own unless given. */
  readonly receiveBufferBytes?: number
  readonly sendBufferBytes?: number
  readonly multicast?: MulticastOptions
  /** Hears of errors that have no caller. */
  readonly logger?: Logger
}

export interface UdpTransport extends DatagramTransport {
  bind(address: string): Promise<UdpSocket>
}

interface UdpSettings {
  readonly datagramBytesMax: number
  readonly sendQueueBytesMax: number
  readonly receiveBufferBytes: number | undefined
  readonly sendBufferBytes: number | undefined
  readonly multicastInterface: string | undefined
  readonly ttl: number
  readonly isLoopback: boolean
  readonly logger: Logger
}

/** Datagrams over /ip4|ip6/…/udp/…; a multicast address is joined. */
export function udp(options: UdpOptions = {}): UdpTransport {
  const settings = checkedSettings(options)
  return {
    kind: 'datagram',
    name: 'udp',
    handles: (address) => udpEndpoint(address).ok,
    bind: async (address) => {
      const read = udpEndpoint(address)
      if (!read.ok) throw addressError(address, read.fault)
      return bindSocket(address, read.value, settings)
    },
  }
}

function checkedSettings(options: UdpOptions): UdpSettings {
  const { multicast = {}, logger = silentLogger } = options
  const largest = options.datagramBytesMax ?? udpDatagramBytesDefault
  const queue = options.sendQueueBytesMax ?? udpSendQueueBytesDefault
  const ttl = multicast.ttl ?? multicastTtlDefault
  if (multicast.interface === '')
    throw optionError('multicast.interface is empty; leave it out or give an address')
  return {
    datagramBytesMax: integerOption('datagramBytesMax', largest, 1, datagramBytesMax),
    sendQueueBytesMax: integerOption('sendQueueBytesMax', queue, 1, udpSendQueueBytesMax),
    receiveBufferBytes: bufferOption('receiveBufferBytes', options.receiveBufferBytes),
    sendBufferBytes: bufferOption('sendBufferBytes', options.sendBufferBytes),
    multicastInterface: multicast.interface,
    ttl: integerOption('multicast.ttl', ttl, 0, multicastTtlMax),
    isLoopback: multicast.loopback ?? true,
    logger,
  }
}

function bufferOption(name: string, value: number | undefined): number | undefined {
  if (value === undefined) return undefined
  return integerOption(name, value, udpSocketBufferBytesMin, udpSocketBufferBytesMax)
}

async function bindSocket(
  address: string,
  endpoint: UdpEndpoint,
  settings: UdpSettings,
): Promise<UdpSocket> {
  const { family } = endpoint
  const isGroup = isMulticast(endpoint)
  const socket = createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    // Each address family has a socket of its own, so that an address says who can be reached.
    ipv6Only: family === 6,
    // Members of a group on one machine share its port; any other port has one owner.
    reuseAddr: isGroup,
    // Addresses are never names. Answered at once, a datagram is in the system's hands when `send` returns.
    lookup: (host, _options, callback) => callback(null, host, family),
  })
  try {
    const local = isGroup ? groupHost(endpoint, settings.multicastInterface) : endpoint.host
    await bound(socket, local, endpoint.port)
    configure(socket, endpoint, isGroup, settings)
    const host = isGroup ? endpoint.host : socket.address().address
    return new UdpDatagramSocket(socket, {
      localAddress: udpAddress(host, socket.address().port),
      family,
      datagramBytesMax: settings.datagramBytesMax,
      sendQueueBytesMax: settings.sendQueueBytesMax,
      logger: settings.logger,
    })
  } catch (cause) {
    socket.close()
    throw transportErrorOf(cause, `cannot bind ${address}`)
  }
}

function bound(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', reject)
      resolve()
    })
  })
}

/** Throws what the system says, at the latest before anything is sent. */
function configure(
  socket: Socket,
  { host, family }: UdpEndpoint,
  isGroup: boolean,
  settings: UdpSettings,
): void {
  const { receiveBufferBytes, sendBufferBytes, multicastInterface } = settings
  if (receiveBufferBytes !== undefined) socket.setRecvBufferSize(receiveBufferBytes)
  if (sendBufferBytes !== undefined) socket.setSendBufferSize(sendBufferBytes)
  socket.setMulticastTTL(settings.ttl)
  socket.setMulticastLoopback(settings.isLoopback)
  const outward = multicastInterface ?? ownInterface(host, family, isGroup)
  if (outward !== undefined) socket.setMulticastInterface(outward)
  if (isGroup) socket.addMembership(host, multicastInterface)
}

/** A socket with an address of its own sends to groups from there. */
function ownInterface(host: string, family: 4 | 6, isGroup: boolean): string | undefined {
  return family === 4 && !isGroup && host !== '0.0.0.0' ? host : undefined
}

/**
 * Bound to the group itself, a socket hears nothing of other groups on its port; Windows cannot do that. A group of
 * narrow scope is another one on each link, so it takes the zone of the interface along (RFC 4007 §11).
 */
function groupHost({ host, family }: UdpEndpoint, multicastInterface: string | undefined): string {
  if (process.platform === 'win32') return family === 4 ? '0.0.0.0' : '::'
  const zone = /%.+$/.exec(multicastInterface ?? '')
  return family === 6 && zone !== null ? host + zone[0] : host
}

/** 224.0.0.0/4 (RFC 1112 §4) and ff00::/8 (RFC 4291 §2.7), in canonical spelling. */
function isMulticast({ host, family }: UdpEndpoint): boolean {
  if (family === 6) return /^ff[0-9a-f]{2}:/i.test(host)
  const first = Number(host.slice(0, host.indexOf('.')))
  return first >= 224 && first <= 239
}
