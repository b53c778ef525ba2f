// The byte-stream transports over which sessions are tried, and where each of them listens.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  ipc,
  ipcAddress,
  memory,
  quic,
  type StreamTransport,
  shm,
  shmAddress,
  tcp,
  websocket,
} from '@myelin/transport'

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

const fixed = (name: string, transport: StreamTransport, at: string): Place => ({
  name,
  transport,
  addresses: async () => ({ at, recordAt: at, clear: async () => {} }),
})

const shared: Place = {
  name: 'shm',
  transport: shm(),
  addresses: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'myelin-'))
    const at = (name: string) => shmAddress(join(folder, name))
    return {
      at: at('a'),
      recordAt: at('b'),
      clear: () => rm(folder, { recursive: true, force: true }),
    }
  },
}

/** All that need no certificates. Who records on the way is found out where the transport has a secure channel. */
export const everyPlace: readonly Place[] = [
  ...places,
  fixed('memory', memory(), '/memory/every-place'),
  fixed('websocket', websocket(), '/ip4/127.0.0.1/tcp/0/ws'),
  fixed('quic', quic(), '/ip4/127.0.0.1/udp/0/quic-v1'),
  ...(shm.isAvailable() ? [shared] : []),
]
