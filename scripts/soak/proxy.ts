// A wire that can be cut: forwards TCP connections, and breaks all that are open when told to.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Proxy extends AsyncDisposable {
  readonly port: number
  /** Breaks what is open. Returns how many connections that were. */
  cut(): number
}

export async function proxyTo(port: number): Promise<Proxy> {
  const open = new Set<Socket>()
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true })
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => {})
      one.on('close', () => {
        other.destroy()
        open.delete(near)
      })
      one.pipe(other)
    }
    open.add(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    const { size } = open
    for (const socket of open) socket.resetAndDestroy()
    return size
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    [Symbol.asyncDispose]: async () => {
      cut()
      server.close()
    },
  }
}
