// Unix sockets, and named pipes on Windows, with node:net: between agents of one machine, guarded by the file
// system. The rules for the socket file (who may see it, what may be in its way) are in socket-file.ts.
// On Windows the pipe has the default access list of libuv: its user, administrators and the system write.

import { connect, type Socket } from 'node:net'
import { silentLogger } from '@myelin/base'
import { addressError, ipcAddress, ipcPath, pipePath, unnamedAddress } from './address.ts'
import { integerOption, TransportError } from './errors.ts'
import { unixPathBytesMaxBsd, unixPathBytesMaxLinux } from './limits.ts'
import { dialNet } from './net-dial.ts'
import {
  type ListenerOptions,
  listenerBounds,
  openServer,
  serverListener,
  socketOptions,
} from './net-listener.ts'
import { NetStream } from './net-stream.ts'
import type { ByteStream, DialOptions, StreamTransport } from './ports.ts'
import { PrivateFolder, publishSocket } from './socket-file.ts'

export interface IpcOptions extends ListenerOptions {
  /** Permission bits of the socket file; 0600 by default: this user alone. Windows ignores them. */
  readonly mode?: number
}

/** Streams over /unix/<percent-encoded path>. */
export function ipc(options: IpcOptions = {}): StreamTransport {
  const bounds = listenerBounds(options)
  const mode = integerOption('mode', options.mode ?? 0o600, 0, 0o777)
  const logger = options.logger ?? silentLogger
  const { platform } = process
  return {
    kind: 'stream',
    name: 'ipc',
    handles: (address) => ipcPath(address).ok,
    dial: async (address, { signal }: DialOptions = {}) => {
      const path = systemPath(address, platform)
      checkLength(path, path, platform)
      return dialNet({
        what: `cannot dial ${address}`,
        signal,
        open: () => connect({ ...socketOptions, path }),
        wrap: (socket) => ipcStream(socket, unnamedAddress, ipcAddress(pathOf(address))),
      })
    },
    listen: async (address, onStream) => {
      const path = systemPath(address, platform)
      const name = ipcAddress(pathOf(address))
      const what = `cannot listen on ${address}`
      const open = (bindPath: string) =>
        openServer({
          what,
          socketOptions,
          listen: { path: bindPath },
          bounds,
          logger,
          onSocket: (socket) => onStream(ipcStream(socket, name, unnamedAddress)),
        })
      if (platform === 'win32') {
        checkLength(path, path, platform)
        return serverListener(await open(path), [name])
      }
      checkLength(path, path, platform)
      checkLength(PrivateFolder.longestPathBeside(path), path, platform)
      await using folder = await PrivateFolder.beside(path, what)
      const server = await open(folder.socketPath)
      try {
        const remove = await publishSocket({ folder, path, mode, what })
        return serverListener(server, [name], remove)
      } catch (error) {
        server.close()
        throw error
      }
    },
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
function checkLength(bound: string, path: string, platform: NodeJS.Platform): void {
  const max = unixPathBytesMax(platform)
  if (max === undefined || Buffer.byteLength(bound) <= max) return
  const excess = Buffer.byteLength(bound) - max
  throw new TransportError(
    'TRANSPORT_ADDRESS',
    `the socket path ${path} is ${excess} bytes too long for this system; choose a shorter folder`,
    { kind: 'usage' },
  )
}

function ipcStream(socket: Socket, localAddress: string, remoteAddress: string): ByteStream {
  return new NetStream(socket, { transport: 'ipc', localAddress, remoteAddress, canReset: false })
}

function pathOf(address: string): string {
  const path = ipcPath(address)
  if (!path.ok) throw addressError(address, path.fault)
  return path.value
}

function systemPath(address: string, platform: NodeJS.Platform): string {
  const path = pipePath(pathOf(address), platform)
  if (!path.ok) throw addressError(address, path.fault)
  return path.value
}
