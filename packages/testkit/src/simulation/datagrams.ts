// Datagrams of a simulation: delayed, lost, doubled, overtaken, cut off.

import type { DatagramHandlers, DatagramTransport } from '@myelin/transport'
import { TransportError } from '@myelin/transport'
import type { Host } from './host.ts'
import type { SimulatedNetwork } from './network.ts'
import type { Simulation } from './simulation.ts'

export interface DatagramEndpoint {
  readonly host: Host
  receive(bytes: Uint8Array, from: string): void
}

export interface DatagramWorld {
  readonly simulation: Simulation
  readonly network: SimulatedNetwork
  readonly endpoints: Map<string, DatagramEndpoint>
}

const datagramBytesMax = 65_507
/** How far behind later ones a datagram is held back, in ms. */
const reorderMsMax = 50
const addressForm = /^\/memory\/([a-z0-9-]+)\.([a-z0-9]+)$/

export function datagramTransportOn(
  host: Host,
  { simulation, network, endpoints }: DatagramWorld,
): DatagramTransport {
  const send = (bytes: Uint8Array, from: string, to: string): boolean => {
    const remote = addressForm.exec(to)?.[1]
    if (remote === undefined || bytes.length > datagramBytesMax || !host.isUp) return false
    const { loss, duplication, reordering, delayMs, jitterMs } = network.link(host.name, remote)
    const { random } = network
    const copies = random.chance(duplication) ? 2 : 1
    for (let copy = 0; copy < copies; copy += 1) {
      if (network.isCut(host.name, remote) || random.chance(loss)) continue
      const held = random.chance(reordering) ? random.between(1, reorderMsMax) : 0
      const content = new Uint8Array(bytes)
      const ms = delayMs + (jitterMs > 0 ? random.exponential(jitterMs) : 0) + held
      simulation.schedule(ms, () => endpoints.get(to)?.receive(content, from))
    }
    return true
  }
  return {
    kind: 'datagram',
    name: 'simulated',
    handles: (address) => addressForm.test(address),
    bind: async (address) => {
      if (addressForm.exec(address)?.[1] !== host.name)
        throw new TransportError(
          'TRANSPORT_ADDRESS',
          `${address} is not an address of ${host.name}`,
        )
      if (endpoints.has(address))
        throw new TransportError('TRANSPORT_IN_USE', `${address} is in use`)
      let handlers: DatagramHandlers | undefined
      let isClosed = false
      const early: (readonly [Uint8Array, string])[] = []
      const endpoint: DatagramEndpoint = {
        host,
        receive: (bytes, from) => {
          if (!host.isUp || isClosed) return
          simulation.trace.add(simulation.nowMs, 'datagram', from, address, bytes.length)
          if (handlers === undefined) early.push([bytes, from])
          else handlers.message(bytes, from)
        },
      }
      endpoints.set(address, endpoint)
      return {
        kind: 'datagram',
        transport: 'simulated',
        localAddress: address,
        datagramBytesMax,
        attach: (given) => {
          handlers = given
          for (const [bytes, from] of early.splice(0)) given.message(bytes, from)
        },
        send: (bytes, to) => !isClosed && send(bytes, address, to),
        close: async () => {
          if (isClosed) return
          isClosed = true
          if (endpoints.get(address) === endpoint) endpoints.delete(address)
          handlers?.closed()
        },
      }
    },
  }
}
