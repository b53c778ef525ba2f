// Transports within one process: for agents that share it, and for simulations, where the network's scheduler
// is the simulator's and the same calls give the same run. No sockets, no timers.

import { addressError, memoryName, splitPeer } from './address.ts'
import { abortedError, TransportError, transportErrorOf } from './errors.ts'
import { memoryEndpointsMax } from './limits.ts'
import { MemoryDatagramSocket } from './memory-datagram.ts'
import { type Defer, MemoryStream } from './memory-stream.ts'
import type { ByteStream, DatagramTransport, Listener, StreamTransport } from './ports.ts'

export interface MemoryNetworkOptions {
  /**
   * Delivers later, in the order of the calls: `clock.defer` in a simulation. By default `setImmediate`, so
   * that two agents that talk without pause still let the process serve its sockets and timers.
   */
  readonly defer?: Defer
}

/** A world of names: who shares one can reach each other. Streams and datagrams have names of their own. */
export class MemoryNetwork {
  readonly defer: Defer
  /** By address. The transports write here; others only look. */
  readonly listeners = new Map<string, MemoryDoor>()
  readonly sockets = new Map<string, MemoryDatagramSocket>()
  #clients = 0

  constructor(options: MemoryNetworkOptions = {}) {
    this.defer = options.defer ?? ((callback) => void setImmediate(callback))
  }

  /** A fresh address for the dialling end. No listener takes a name with `~` in front. */
  clientAddress(): string {
    this.#clients += 1
    return `/memory/~${this.#clients}`
  }
}

/** One listener. */
export interface MemoryDoor {
  onStream(stream: ByteStream): void
}

export interface MemoryOptions {
  /** By default the one that all agents of the process share. */
  readonly network?: MemoryNetwork
}

const processNetwork = new MemoryNetwork()

/** Streams over /memory/<name>. */
export function memory({ network = processNetwork }: MemoryOptions = {}): StreamTransport {
  return {
    kind: 'stream',
    name: 'memory',
    handles: (address) => memoryName(address).ok,
    dial: async (address, options = {}) =>
      dialMemory(network, nameOf(address), `cannot dial ${address}`, options.signal),
    listen: async (address, onStream): Promise<Listener> => {
      const name = claim(network.listeners, address)
      const door: MemoryDoor = { onStream }
      network.listeners.set(name, door)
      const close = async () => {
        // By now the name may be another's.
        if (network.listeners.get(name) === door) network.listeners.delete(name)
      }
      return { addresses: [name], close, [Symbol.asyncDispose]: close }
    },
  }
}

/** Datagrams over /memory/<name>: none is lost unless the receiver's queue is full. */
export function memoryDatagram({
  network = processNetwork,
}: MemoryOptions = {}): DatagramTransport {
  return {
    kind: 'datagram',
    name: 'memory',
    handles: (address) => memoryName(address).ok,
    bind: async (address) => {
      const name = claim(network.sockets, address)
      const socket = new MemoryDatagramSocket(name, {
        defer: network.defer,
        find: (to) => network.sockets.get(to) ?? network.sockets.get(splitPeer(to).address),
        forget: () => network.sockets.delete(name),
      })
      network.sockets.set(name, socket)
      return socket
    },
  }
}

function dialMemory(
  network: MemoryNetwork,
  name: string,
  what: string,
  signal: AbortSignal | undefined,
): Promise<ByteStream> {
  if (signal?.aborted) return Promise.reject(abortedError(what, signal.reason))
  return new Promise((resolve, reject) => {
    network.defer(() => {
      if (signal?.aborted) return reject(abortedError(what, signal.reason))
      const door = network.listeners.get(name)
      if (door === undefined) return reject(transportErrorOf(refusal, what))
      const clientAddress = network.clientAddress()
      const { client, server } = MemoryStream.pair(clientAddress, name, network.defer)
      door.onStream(server)
      resolve(client)
    })
  })
}

/** What a socket would report, so that the message is the same. */
const refusal: Error = Object.assign(new Error('no listener'), { code: 'ECONNREFUSED' })

function claim(table: ReadonlyMap<string, unknown>, address: string): string {
  const name = nameOf(address)
  if (name.startsWith('/memory/~')) throw addressError(address, 'address_name')
  if (table.has(name)) {
    const message = `${address} has a listener already; choose another name or close that one`
    throw new TransportError('TRANSPORT_IN_USE', message, { kind: 'usage' })
  }
  if (table.size >= memoryEndpointsMax) {
    const message = `the memory network has ${memoryEndpointsMax} endpoints already; close some`
    throw new TransportError('TRANSPORT_EXHAUSTED', message, { kind: 'recoverable' })
  }
  return name
}

/** The canonical address, which is the key in the network. */
function nameOf(address: string): string {
  const name = memoryName(address)
  if (!name.ok) throw addressError(address, name.fault)
  return `/memory/${name.value}`
}
