// A server on a socket file: its path checked, its folder private until it listens, and its removal in the end.

import type { Server, Socket } from 'node:net'
import type { Logger } from '@myelin/base'
import { TransportError } from './errors.ts'
import { unixPathBytesMaxBsd, unixPathBytesMaxLinux } from './limits.ts'
import { type ListenerBounds, openServer, serverListener, socketOptions } from './net-listener.ts'
import type { Listener } from './ports.ts'
import { PrivateFolder, publishSocket } from './socket-file.ts'

export interface ListenUnix {
  /** As the system calls it: an absolute path, or the name of a Windows pipe. */
  readonly path: string
  readonly platform: NodeJS.Platform
  /** Permission bits of the socket file. */
  readonly mode: number
  /** What is attempted, for messages: `cannot listen on /unix/…`. */
  readonly what: string
  /** The addresses that the listener reports. */
  readonly addresses: readonly string[]
  readonly bounds: ListenerBounds
  readonly logger: Logger
  onSocket(socket: Socket): void
}

export async function listenUnix(options: ListenUnix): Promise<Listener> {
  const { path, platform, mode, what, addresses, bounds, logger, onSocket } = options
  const open = (bindPath: string): Promise<Server> =>
    openServer({ what, socketOptions, listen: { path: bindPath }, bounds, logger, onSocket })
  checkUnixPath(path, path, platform)
  if (platform === 'win32') return serverListener(await open(path), addresses)
  checkUnixPath(PrivateFolder.longestPathBeside(path), path, platform)
  await using folder = await PrivateFolder.beside(path, what)
  const server = await open(folder.socketPath)
  try {
    return serverListener(server, addresses, await publishSocket({ folder, path, mode, what }))
  } catch (error) {
    server.close()
    throw error
  }
}

/** The longest socket path in bytes, or undefined where it is bounded otherwise. */
export function unixPathBytesMax(platform: NodeJS.Platform): number | undefined {
  if (platform === 'win32') return undefined
  return platform === 'linux' || platform === 'android'
    ? unixPathBytesMaxLinux
    : unixPathBytesMaxBsd
}

/** A path that does not fit `sun_path` is refused: some systems would cut it and bind elsewhere. */
export function checkUnixPath(bound: string, path: string, platform: NodeJS.Platform): void {
  const max = unixPathBytesMax(platform)
  if (max === undefined || Buffer.byteLength(bound) <= max) return
  const excess = Buffer.byteLength(bound) - max
  throw new TransportError(
    'TRANSPORT_ADDRESS',
    `the socket path ${path} is ${excess} bytes too long for this system; choose a shorter folder`,
    { kind: 'usage' },
  )
}
