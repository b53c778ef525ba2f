// The network of a simulation. Links are directed, so that one direction can fail alone. A byte stream keeps
// its promise of order and wholeness: loss costs it retransmissions, a partition that lasts costs it the
// connection. Datagrams are promised nothing and get it.

import {
  type ByteStream,
  type DatagramTransport,
  type StreamTransport,
  splitPeer,
  TransportError,
} from '@myelin/transport'
import { type DatagramEndpoint, datagramTransportOn } from './datagrams.ts'
import type { Host } from './host.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { Simulation } from './simulation.ts'
import { SimulatedConnection } from './stream.ts'

export interface LinkQuality {
  /** One way, in ms. */
  readonly delayMs: number
  /** Mean of an exponential addition, in ms. */
  readonly jitterMs: number
  /** Share of segments or datagrams lost. */
  readonly loss: number
  /** Share of datagrams that arrive twice. */
  readonly duplication: number
  /** Share of datagrams that are held back behind later ones. */
  readonly reordering: number
  /** Bytes per ms; Infinity for no bound. */
  readonly bandwidth: number
}

export const perfectLink: LinkQuality = {
  delayMs: 1,
  jitterMs: 0,
  loss: 0,
  duplication: 0,
  reordering: 0,
  bandwidth: Number.POSITIVE_INFINITY,
}

/** How long TCP keeps trying before a connection is broken, in ms. */
export const streamPatienceMs = 15_000
const dialPatienceMs = 5_000

type Door = (stream: ByteStream) => void

/** An address of a simulated host: `/memory/<host>.<port>`. */
const addressForm = /^\/memory\/([a-z0-9-]+)\.([a-z0-9]+)$/

export class SimulatedNetwork {
  readonly #simulation: Simulation
  readonly #random: SeededRandom
  readonly #default: LinkQuality
  readonly #links = new Map<string, LinkQuality>()
  readonly #cut = new Set<string>()
  readonly #doors = new Map<string, { readonly host: Host; readonly door: Door }>()
  readonly #open = new Set<SimulatedConnection>()
  readonly #endpoints = new Map<string, DatagramEndpoint>()
  #connections = 0

  constructor(simulation: Simulation, link: LinkQuality) {
    this.#simulation = simulation
    this.#random = simulation.random('network')
    this.#default = link
  }

  get random(): SeededRandom {
    return this.#random
  }

  link(from: string, to: string): LinkQuality {
    return this.#links.get(`${from}>${to}`) ?? this.#default
  }

  /** Changes one direction. */
  setLink(from: string, to: string, quality: Partial<LinkQuality>): void {
    this.#links.set(`${from}>${to}`, { ...this.link(from, to), ...quality })
  }

  /** Cuts one direction, until `heal`. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`)
    this.#simulation.trace.add(this.#simulation.nowMs, 'cut', from, to)
  }

  heal(from: string, to: string): void {
    if (!this.#cut.delete(`${from}>${to}`)) return
    this.#simulation.trace.add(this.#simulation.nowMs, 'heal', from, to)
    for (const connection of [...this.#open]) connection.resume()
  }

  partition(a: string, b: string): void {
    this.cut(a, b)
    this.cut(b, a)
  }

  healAll(): void {
    for (const link of [...this.#cut]) {
      const [from, to] = link.split('>') as [string, string]
      this.heal(from, to)
    }
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.has(`${from}>${to}`)
  }

  /** Breaks one open connection, chosen by the seed. False: there is none. */
  breakOne(): boolean {
    const open = [...this.#open]
    if (open.length === 0) return false
    this.#random.pick(open).break('reset by the network')
    return true
  }

  get connectionsOpen(): number {
    return this.#open.size
  }

  /** A host's view as a stream transport. */
  streams(host: Host): StreamTransport {
    return {
      kind: 'stream',
      // Its streams are memory's, with a network between them.
      name: 'memory',
      handles: (address) => addressForm.test(splitPeer(address).address),
      dial: (address, options = {}) => this.#dial(host, address, options.signal),
      listen: async (address, door) => {
        if (addressForm.exec(address)?.[1] !== host.name)
          throw new TransportError(
            'TRANSPORT_ADDRESS',
            `${address} is not an address of ${host.name}`,
          )
        if (this.#doors.get(address)?.host.isUp === true)
          throw new TransportError('TRANSPORT_IN_USE', `${address} is in use`)
        const entry = { host, door }
        this.#doors.set(address, entry)
        const close = async () => {
          if (this.#doors.get(address) === entry) this.#doors.delete(address)
        }
        return { addresses: [address], close, [Symbol.asyncDispose]: close }
      },
    }
  }

  /** A host's view as a datagram transport. */
  datagrams(host: Host): DatagramTransport {
    return datagramTransportOn(host, {
      simulation: this.#simulation,
      network: this,
      endpoints: this.#endpoints,
    })
  }

  hostCrashed(host: Host): void {
    for (const [address, entry] of this.#doors) if (entry.host === host) this.#doors.delete(address)
    for (const [address, endpoint] of this.#endpoints)
      if (endpoint.host === host) this.#endpoints.delete(address)
    for (const connection of [...this.#open]) {
      if (connection.near.host === host || connection.far.host === host)
        connection.hostCrashed(host)
    }
  }

  forget(connection: SimulatedConnection): void {
    this.#open.delete(connection)
  }

  /** When a segment of `bytes` arrives if it leaves now, or undefined while the link is cut. */
  transitMs(from: string, to: string, bytes: number): number | undefined {
    if (this.isCut(from, to)) return undefined
    const { delayMs, jitterMs, loss, bandwidth } = this.link(from, to)
    let ms = delayMs + (jitterMs > 0 ? this.#random.exponential(jitterMs) : 0) + bytes / bandwidth
    // Each loss costs a retransmission timeout that doubles, as TCP's does.
    for (
      let timeoutMs = 200;
      this.#random.chance(loss) && timeoutMs < streamPatienceMs;
      timeoutMs *= 2
    )
      ms += timeoutMs
    return ms
  }

  #dial(host: Host, address: string, signal: AbortSignal | undefined): Promise<ByteStream> {
    const name = splitPeer(address).address
    const remote = addressForm.exec(name)?.[1]
    const { promise, resolve, reject } = Promise.withResolvers<ByteStream>()
    if (remote === undefined) {
      reject(new TransportError('TRANSPORT_ADDRESS', `${address} is no simulated address`))
      return promise
    }
    this.#connections += 1
    const local = `/memory/${host.name}.c${this.#connections}`
    const onAbort = () =>
      reject(
        new TransportError('TRANSPORT_ABORTED', 'the dial was aborted', { cause: signal?.reason }),
      )
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
    promise.catch(() => {}).finally(() => signal?.removeEventListener('abort', onAbort))
    const there = this.transitMs(host.name, remote, 60)
    const back = this.transitMs(remote, host.name, 60)
    if (there === undefined || back === undefined) {
      this.#simulation.schedule(dialPatienceMs, () => {
        if (host.isUp)
          reject(
            new TransportError('TRANSPORT_TIMEOUT', `${address} does not answer`, {
              kind: 'recoverable',
            }),
          )
      })
      return promise
    }
    this.#simulation.schedule(there + back, () => {
      if (!host.isUp || signal?.aborted) return
      const entry = this.#doors.get(name)
      if (entry === undefined || !entry.host.isUp) {
        reject(
          new TransportError('TRANSPORT_REFUSED', `nobody listens on ${address}`, {
            kind: 'recoverable',
          }),
        )
        return
      }
      const connection = new SimulatedConnection(
        this.#simulation,
        this,
        { host, address: local },
        { host: entry.host, address: name },
      )
      this.#open.add(connection)
      this.#simulation.trace.add(this.#simulation.nowMs, 'connect', local, name)
      entry.door(connection.farStream)
      resolve(connection.nearStream)
    })
    return promise
  }
}
