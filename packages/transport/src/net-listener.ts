// Listening with node:net: a server whose `close` lets the streams live, unlike the callback of Node's, which
// waits for the last of them.

import { createServer, type ListenOptions, type Server, type Socket } from 'node:net'
import type { Logger } from '@myelin/base'
import { integerOption, transportErrorOf } from './errors.ts'
import {
  backlogDefault,
  backlogMax,
  connectionsDefault,
  connectionsMax,
  keepAliveDelayMs,
  socketHighWaterBytes,
} from './limits.ts'
import type { Listener } from './ports.ts'
import { SparseLog } from './sparse-log.ts'

export interface ListenerOptions {
  /** Connections that wait to be accepted; the system may cap it lower. */
  readonly backlog?: number
  /** Open streams per listener; a connection beyond is closed at once. */
  readonly connectionsMax?: number
  /** Hears of dropped connections and of errors that have no caller. */
  readonly logger?: Logger
}

export interface ListenerBounds {
  readonly backlog: number
  readonly connectionsMax: number
}

/** What both ends of a connection ask of Node. */
export const socketOptions = {
  allowHalfOpen: true,
  highWaterMark: socketHighWaterBytes,
} as const

/** TCP alone: small records go out at once, and dead peers are noticed. */
export const tcpSocketOptions = {
  ...socketOptions,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: keepAliveDelayMs,
} as const

/** Checks the options once, when the transport is made. */
export function listenerBounds(options: ListenerOptions): ListenerBounds {
  const { backlog = backlogDefault, connectionsMax: streams = connectionsDefault } = options
  return {
    backlog: integerOption('backlog', backlog, 1, backlogMax),
    connectionsMax: integerOption('connectionsMax', streams, 1, connectionsMax),
  }
}

export interface OpenServer {
  readonly what: string
  readonly socketOptions: typeof socketOptions
  readonly listen: ListenOptions
  readonly bounds: ListenerBounds
  readonly logger: Logger
  onSocket(socket: Socket): void
}

export function openServer(options: OpenServer): Promise<Server> {
  const { what, bounds, logger } = options
  return new Promise((resolve, reject) => {
    const server = createServer(options.socketOptions, options.onSocket)
    const onError = (cause: Error) => reject(transportErrorOf(cause, what))
    server.maxConnections = bounds.connectionsMax
    server.once('error', onError)
    server.once('listening', () => {
      server.off('error', onError)
      server.on('error', (error) => {
        logger.log('error', 'transport_listener_error', { what, error: error.message })
      })
      resolve(server)
    })
    const drops = new SparseLog(logger, 'transport_connection_dropped', {
      what,
      connectionsMax: bounds.connectionsMax,
    })
    server.on('drop', () => drops.note())
    // `exclusive`: a worker of node:cluster has an identity of its own and shares no port with its siblings.
    const { backlog } = bounds
    server.listen({ ...options.listen, backlog, exclusive: true })
  })
}

/** The Listener of a server. `beforeClose` runs once, first. */
export function serverListener(
  server: Server,
  addresses: readonly string[],
  beforeClose: () => Promise<void> = async () => {},
): Listener {
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= beforeClose().finally(() => {
      server.close()
    })
    return closing
  }
  return { addresses, close, [Symbol.asyncDispose]: close }
}
