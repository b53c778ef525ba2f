// Several stream transports as one, chosen by the address.

import { addressError, parseAddress } from './address.ts'
import { TransportError } from './errors.ts'
import type { StreamTransport } from './ports.ts'

/** One transport over all of `list`: the first that `handles` an address dials it or listens on it. */
export function transports(list: readonly StreamTransport[]): StreamTransport {
  const find = (address: string): StreamTransport => {
    const found = list.find((transport) => transport.handles(address))
    if (found !== undefined) return found
    const parsed = parseAddress(address)
    if (!parsed.ok) throw addressError(address, parsed.fault)
    const names = list.map((transport) => transport.name).join(', ') || 'none'
    const message = `no transport here handles ${address}; add one to the list (there is: ${names})`
    throw new TransportError('TRANSPORT_ADDRESS', message, { kind: 'usage' })
  }
  return {
    kind: 'stream',
    name: 'transports',
    handles: (address) => list.some((transport) => transport.handles(address)),
    dial: async (address, options) => find(address).dial(address, options),
    listen: async (address, onStream) => find(address).listen(address, onStream),
  }
}
