// The byte-stream transports over which real sockets are tried, and where each of them listens.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ipc, ipcAddress, type StreamTransport, tcp } from '@myelin/transport'

export interface Place {
  readonly name: string
  readonly transport: StreamTransport
  /** Addresses for the listener and the recorder. */
  addresses(): Promise<{ at: string; recordAt: string; clear(): Promise<void> }>
}

export const places: readonly Place[] = [
  {
    name: 'tcp',
    transport: tcp(),
    addresses: async () => ({
      at: '/ip4/127.0.0.1/tcp/0',
      recordAt: '/ip4/127.0.0.1/tcp/0',
      clear: async () => {},
    }),
  },
  {
    name: 'ipc',
    transport: ipc(),
    addresses: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'myelin-'))
      const at = (name: string) =>
        ipcAddress(
          process.platform === 'win32' ? `\\\\.\\pipe\\${folder}-${name}` : join(folder, name),
        )
      return {
        at: at('a'),
        recordAt: at('b'),
        clear: () => rm(folder, { recursive: true, force: true }),
      }
    },
  },
]
