// TCP with node:net. Plain: whoever carries bytes over it seals them first (the session does).

import type { LookupFunction, Socket } from 'node:net'
import { silentLogger } from '@myelin/base'
import { tcpEndpoint } from './address.ts'
import { type ListenerOptions, listenerBounds } from './net-listener.ts'
import { NetStream } from './net-stream.ts'
import type { ByteStream, DialOptions, Listener, StreamTransport } from './ports.ts'
import { dialTcp, endpointOf, endsOf, listenTcp } from './tcp-socket.ts'

export interface TcpOptions extends ListenerOptions {
  /** Resolves names in place of the system's resolver (`dns.lookup` of Node). */
  readonly lookup?: LookupFunction
  /** Several listeners, of threads or processes, share one port: the system deals connections out (SO_REUSEPORT). */
  readonly reusePort?: boolean
}

/** Streams over TCP: /ip4|ip6/…/tcp/… to dial and listen, /dns|dns4|dns6/…/tcp/… to dial. */
export function tcp(options: TcpOptions = {}): StreamTransport {
  const bounds = listenerBounds(options)
  const { logger = silentLogger, lookup, reusePort = false } = options
  return {
    kind: 'stream',
    name: 'tcp',
    handles: (address) => tcpEndpoint(address).ok,
    dial: async (address, { signal }: DialOptions = {}) => {
      const endpoint = endpointOf(address, tcpEndpoint)
      return dialTcp({ address, endpoint, signal, lookup, wrap: tcpStream })
    },
    listen: async (address, onStream): Promise<Listener> => {
      const endpoint = endpointOf(address, tcpEndpoint)
      const onSocket = (socket: Socket) => onStream(tcpStream(socket))
      return listenTcp({ address, endpoint, bounds, logger, reusePort, onSocket })
    },
  }
}

function tcpStream(socket: Socket): ByteStream {
  return new NetStream(socket, { transport: 'tcp', canReset: true, ...endsOf(socket) })
}
