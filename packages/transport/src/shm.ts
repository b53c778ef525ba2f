// Shared memory between two processes of one user on one machine (Linux): /shm/<percent-encoded path>. The socket
// file at that path is the door (mode 0600, as of ipc), the memory has no name at all. See shm-native.ts for the
// memory, shm-handshake.ts for how it is agreed on, shm-ring.ts for what is in it.
// docs/decisions/0007-shared-memory.md says why it is so.

import { connect, type Socket } from 'node:net'
import { availableParallelism } from 'node:os'
import { type Logger, silentLogger } from '@myelin/base'
import { addressError, shmAddress, shmPath, unnamedAddress } from './address.ts'
import { abortedError, integerOption, TransportError, transportErrorOf } from './errors.ts'
import {
  shmConnectionsDefault,
  shmPollUsDefault,
  shmPollUsMax,
  shmRingBytesDefault,
  shmRingBytesMax,
  shmRingBytesMin,
  shmSpinUsDefault,
  shmSpinUsMax,
} from './limits.ts'
import { type ListenerOptions, listenerBounds, socketOptions } from './net-listener.ts'
import type { ByteStream, DialOptions, Listener, StreamTransport } from './ports.ts'
import { acceptMemory, isRingSize, offerMemory, type SharedRings } from './shm-handshake.ts'
import { canShareMemory, requireSharedMemory } from './shm-native.ts'
import { ShmStream } from './shm-stream.ts'
import { checkUnixPath, listenUnix } from './unix-server.ts'

export interface ShmOptions extends ListenerOptions {
  /** Bytes of one direction of a stream that comes in: a power of two, 1 MiB by default. */
  readonly ringBytes?: number
  /**
   * Microseconds for which a stream that is awake may wait for bytes without letting go of the event loop.
   */
  readonly spinUs?: number
  /**
   * Microseconds without bytes after which a stream sleeps, at most: it falls asleep sooner where waiting has
   * not paid. 0 by default on a machine with one core, where waiting keeps the peer from working.
   */
  readonly pollUs?: number
}

interface Patience {
  readonly spinUs: number
  readonly pollUs: number
}

/** Streams over /shm/<percent-encoded path>. `shm.isAvailable()` says whether this process can have them. */
export function shm(options: ShmOptions = {}): StreamTransport {
  const { connectionsMax = shmConnectionsDefault, logger = silentLogger } = options
  const bounds = listenerBounds({ ...options, connectionsMax })
  const ringBytes = ringBytesOf(options.ringBytes ?? shmRingBytesDefault)
  const patience = patienceOf(options)
  const { platform } = process
  return {
    kind: 'stream',
    name: 'shm',
    handles: (address) => shmPath(address).ok,
    dial: async (address, { signal }: DialOptions = {}) => {
      const path = pathOf(address)
      const what = `cannot dial ${address}`
      requireSharedMemory()
      checkUnixPath(path, path, platform)
      const names = { localAddress: unnamedAddress, remoteAddress: shmAddress(path) }
      const wrap = (socket: Socket, rings: SharedRings) =>
        new ShmStream({ socket, ...rings, ...names, ...patience })
      return dialShm({ path, what, signal, wrap })
    },
    listen: async (address, onStream) => {
      const path = pathOf(address)
      const what = `cannot listen on ${address}`
      requireSharedMemory()
      const names = { localAddress: shmAddress(path), remoteAddress: unnamedAddress }
      const door = new Door({ what, ringBytes, logger }, (socket, rings) =>
        onStream(new ShmStream({ socket, ...rings, ...names, ...patience })),
      )
      const addresses = [names.localAddress]
      const onSocket = (socket: Socket) => door.admit(socket)
      return door.over(
        await listenUnix({
          path,
          platform,
          mode: 0o600,
          what,
          addresses,
          bounds,
          logger,
          onSocket,
        }),
      )
    },
  }
}

/** Whether this process can share memory: 64-bit Linux, and a Node with node:ffi allowed. */
shm.isAvailable = (): boolean => canShareMemory()

interface DoorOptions {
  readonly what: string
  readonly ringBytes: number
  readonly logger: Logger
}

/** Sockets that have come and not agreed yet. They end with the listener. */
class Door {
  readonly #options: DoorOptions
  readonly #onRings: (socket: Socket, rings: SharedRings) => void
  readonly #pending = new Set<Socket>()

  constructor(options: DoorOptions, onRings: (socket: Socket, rings: SharedRings) => void) {
    this.#options = options
    this.#onRings = onRings
  }

  admit(socket: Socket): void {
    const { what, ringBytes, logger } = this.#options
    const failed = (error: unknown) => {
      this.#pending.delete(socket)
      socket.destroy()
      const { message } = transportErrorOf(error, what)
      logger.log('info', 'transport_handshake_failed', { what, error: message })
    }
    const agreed = (rings: SharedRings) => {
      this.#pending.delete(socket)
      this.#onRings(socket, rings)
    }
    socket.on('error', () => {})
    this.#pending.add(socket)
    try {
      offerMemory(socket, ringBytes, { agreed, failed })
    } catch (error) {
      failed(error)
    }
  }

  over(listener: Listener): Listener {
    const close = () => {
      for (const socket of this.#pending) socket.destroy()
      return listener.close()
    }
    return { addresses: listener.addresses, close, [Symbol.asyncDispose]: close }
  }
}

interface DialShm {
  readonly path: string
  readonly what: string
  readonly signal: AbortSignal | undefined
  wrap(socket: Socket, rings: SharedRings): ByteStream
}

function dialShm({ path, what, signal, wrap }: DialShm): Promise<ByteStream> {
  if (signal?.aborted) return Promise.reject(abortedError(what, signal.reason))
  return new Promise((resolve, reject) => {
    const socket = connect({ ...socketOptions, path })
    const fail = (error: TransportError) => {
      signal?.removeEventListener('abort', onAbort)
      stop()
      socket.destroy()
      reject(error)
    }
    const onAbort = () => fail(abortedError(what, signal?.reason))
    signal?.addEventListener('abort', onAbort, { once: true })
    // Stays on: a socket may report more than one error, and none may be unhandled.
    socket.on('error', (cause) => fail(transportErrorOf(cause, what)))
    const stop = acceptMemory(socket, {
      failed: fail,
      agreed: (rings) => {
        signal?.removeEventListener('abort', onAbort)
        resolve(wrap(socket, rings))
      },
    })
  })
}

function patienceOf({ spinUs, pollUs }: ShmOptions): Patience {
  const isAlone = availableParallelism() < 2
  return {
    spinUs: integerOption('spinUs', spinUs ?? (isAlone ? 0 : shmSpinUsDefault), 0, shmSpinUsMax),
    pollUs: integerOption('pollUs', pollUs ?? (isAlone ? 0 : shmPollUsDefault), 0, shmPollUsMax),
  }
}

function ringBytesOf(bytes: number): number {
  if (isRingSize(bytes)) return bytes
  const message = `ringBytes is ${bytes}; give a power of two from ${shmRingBytesMin} to ${shmRingBytesMax}`
  throw new TransportError('TRANSPORT_OPTION', message, { kind: 'usage' })
}

function pathOf(address: string): string {
  const path = shmPath(address)
  if (!path.ok) throw addressError(address, path.fault)
  if (path.value.startsWith('/')) return path.value
  throw addressError(address, 'address_path')
}
