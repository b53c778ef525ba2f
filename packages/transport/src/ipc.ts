// Unix sockets, and named pipes on Windows, with node:net: between agents of one machine, guarded by the file
// system. The rules for the socket file (who may see it, what may be in its way) are in unix-server.ts and
// socket-file.ts.
// On Windows the pipe has the default access list of libuv: its user, administrators and the system write.

import { connect, type Socket } from 'node:net'
import { silentLogger } from '@myelin/base'
import { addressError, ipcAddress, ipcPath, pipePath, unnamedAddress } from './address.ts'
import { integerOption } from './errors.ts'
import { dialNet } from './net-dial.ts'
import { type ListenerOptions, listenerBounds, socketOptions } from './net-listener.ts'
import { NetStream } from './net-stream.ts'
import type { ByteStream, DialOptions, StreamTransport } from './ports.ts'
import { checkUnixPath, listenUnix } from './unix-server.ts'

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
      checkUnixPath(path, path, platform)
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
      const onSocket = (socket: Socket) => onStream(ipcStream(socket, name, unnamedAddress))
      const addresses = [name]
      return listenUnix({ path, platform, mode, what, addresses, bounds, logger, onSocket })
    },
  }
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
