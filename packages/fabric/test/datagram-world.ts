// Two or more agents' datagrams without agents: sessions are stood in for by a shared secret, the network loses,
// doubles, delays and forges as the test says, and the clock is the test's.

import { hkdfSync } from 'node:crypto'
import { type Clock, type Random, silentLogger } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import { Guard, type Policy, type Rates, SecurityLog } from '@myelin/guard'
import { AgentKeys } from '@myelin/identity'
import { type IncomingMessage, RequestFailure, type Session } from '@myelin/session'
import { SeededRandom, VirtualClock } from '@myelin/testkit'
import type { DatagramHandlers, DatagramTransport } from '@myelin/transport'
import { builtInMessageTypes } from '@myelin/wire'
import { Datagrams } from '../src/datagrams/datagrams.ts'
import type { DatagramLink } from '../src/datagrams/ports.ts'

export interface Packet {
  readonly from: string
  readonly to: string
  readonly bytes: Uint8Array
}

export interface Quality {
  readonly loss?: number
  readonly duplication?: number
  /** Milliseconds on the way, drawn between these. */
  readonly delayMs?: readonly [number, number]
}

/** A network of addresses. Multicast addresses reach all that are bound there. */
export class World {
  readonly clock = new VirtualClock()
  /** Everything that was sent, lost or not. */
  readonly wire: Packet[] = []
  quality: Quality = {}
  /** How long a socket takes to open. */
  bindMs = 0
  /** Decides on each packet: false keeps it from its receiver. */
  passes: (packet: Packet) => boolean = () => true
  /** Addresses that have moved: what is sent from the first comes from the second. */
  readonly moved = new Map<string, string>()
  readonly #random = new SeededRandom(7n)
  readonly #bound = new Map<string, Set<DatagramHandlers>>()

  transport(): DatagramTransport {
    return {
      kind: 'datagram',
      name: 'test',
      handles: (address) => address.includes('/udp/'),
      bind: async (address) => {
        if (this.bindMs > 0)
          await new Promise<void>((resolve) => this.clock.setTimer(this.bindMs, resolve))
        let handlers: DatagramHandlers | undefined
        return {
          kind: 'datagram',
          transport: 'test',
          localAddress: address,
          datagramBytesMax: 65_507,
          attach: (given) => {
            handlers = given
            const all = this.#bound.get(address) ?? new Set()
            this.#bound.set(address, all.add(given))
          },
          send: (bytes, to) => {
            this.inject({ from: this.moved.get(address) ?? address, to, bytes: bytes.slice() })
            return true
          },
          close: async () => {
            if (handlers !== undefined) this.#bound.get(address)?.delete(handlers)
            handlers?.closed()
          },
        }
      },
    }
  }

  /** A packet, from whoever it says. */
  inject(packet: Packet): void {
    this.wire.push(packet)
    if (!this.passes(packet)) return
    const { loss = 0, duplication = 0, delayMs = [1, 1] } = this.quality
    const copies = this.#random.chance(duplication) ? 2 : 1
    for (let copy = 0; copy < copies; copy += 1) {
      if (this.#random.chance(loss)) continue
      const [least, most] = delayMs
      const ms = least + (most > least ? this.#random.between(0, most - least) : 0)
      this.clock.setTimer(ms, () => this.#arrive(packet))
    }
  }

  bytesTo(address: string): number {
    return this.wire
      .filter(({ to }) => to === address)
      .reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  bytesFrom(address: string): number {
    return this.wire
      .filter(({ from }) => from === address)
      .reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  #arrive({ from, to, bytes }: Packet): void {
    // Whoever moved is heard at the new address and not at the old one.
    if (this.moved.has(to)) return
    const home = [...this.moved].find(([, now]) => now === to)?.[0] ?? to
    for (const handlers of this.#bound.get(home) ?? []) handlers.message(bytes.slice(), from)
  }
}

export interface Party {
  readonly keys: AgentKeys
  readonly datagrams: Datagrams
  readonly log: SecurityLog
  readonly guard: Guard
}

export function party(
  world: World,
  options: {
    random?: Random
    policy?: Policy
    rates?: Partial<Rates>
    bytesMax?: number
  } = {},
): Party {
  const keys = AgentKeys.generate(systemRandom)
  const clock: Clock = world.clock
  const log = new SecurityLog(clock, silentLogger)
  const { random = systemRandom, policy, rates, bytesMax } = options
  const guard = new Guard({ clock, log, policy, rates })
  const datagrams = new Datagrams(
    {
      clock,
      random,
      logger: silentLogger,
      log,
      types: builtInMessageTypes(),
      transport: world.transport(),
      bytesMax,
    },
    keys.agent,
  )
  return { keys, datagrams, log, guard }
}

export interface Exported {
  readonly label: string
  readonly context: string
  readonly secret: string
}

export interface Connection {
  /** One party's end, by its agent id. */
  readonly links: ReadonlyMap<string, DatagramLink>
  /** What was exported, by either end. */
  readonly exported: Exported[]
  /** What the ends said to each other. */
  readonly said: Uint8Array[]
  link(of: Party): DatagramLink
  end(): void
}

/** A session that delivers in order, `delayMs` each way, and exports from `secret`. */
export function connect(
  world: World,
  one: Party,
  other: Party,
  {
    secret = 'secret',
    roles = ['member'],
    addresses = ['/ip4/127.0.0.1/tcp/1', '/ip4/127.0.0.1/tcp/2'],
    delayMs = 1,
  } = {},
): Connection {
  const exported: Exported[] = []
  const said: Uint8Array[] = []
  const links = new Map<string, DatagramLink>()
  let isOpen = true
  const later = (action: () => void) =>
    void world.clock.setTimer(delayMs, () => {
      if (isOpen) action()
    })
  const endOf = (self: Party, peer: Party, remoteAddress: string): DatagramLink => {
    const deliver = (
      kind: 'message' | 'request',
      payload: Uint8Array,
      answer?: (m: IncomingMessage | RequestFailure) => void,
    ) => {
      said.push(payload.slice())
      later(() => {
        const message = {
          kind,
          payload,
          release: () => {},
          reply: (bytes: Uint8Array) => {
            said.push(bytes.slice())
            later(() => answer?.({ payload: bytes } as IncomingMessage))
            return true
          },
          fail: (code: number, text: string) => {
            later(() => answer?.(new RequestFailure(code, text)))
            return true
          },
        }
        const link = links.get(peer.keys.agent)
        if (link !== undefined) peer.datagrams.message(message as unknown as IncomingMessage, link)
      })
      return true
    }
    const session = {
      peer: { agent: peer.keys.agent },
      roles,
      remoteAddress,
      agreement: { version: 1, suite: 'chacha20-poly1305', compression: 'none' },
      get isOpen() {
        return isOpen
      },
      exportSecret: (label: string, context: Uint8Array) => {
        const bytes = new Uint8Array(hkdfSync('sha256', secret, context, label, 32))
        const hex = (part: Uint8Array) => Buffer.from(part).toString('hex')
        exported.push({ label, context: hex(context), secret: hex(bytes) })
        return bytes
      },
      post: (_type: string, payload: Uint8Array) => deliver('message', payload),
      request: (_type: string, payload: Uint8Array) =>
        new Promise<IncomingMessage>((resolve, reject) => {
          deliver('request', payload, (answer) =>
            answer instanceof RequestFailure ? reject(answer) : resolve(answer),
          )
        }),
    }
    const gate = self.guard.gate(peer.keys.agent, roles)
    return { session: session as unknown as Session, gate, datagramUses: 0 }
  }
  links.set(one.keys.agent, endOf(one, other, addresses[1] ?? ''))
  links.set(other.keys.agent, endOf(other, one, addresses[0] ?? ''))
  const link = (of: Party): DatagramLink => {
    const found = links.get(of.keys.agent)
    if (found === undefined) throw new TypeError('not an end of this session')
    return found
  }
  return {
    links,
    exported,
    said,
    link,
    end: () => {
      isOpen = false
      one.datagrams.sessionEnded(link(one))
      other.datagrams.sessionEnded(link(other))
    },
  }
}
