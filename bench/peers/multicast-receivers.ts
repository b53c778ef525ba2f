// The other process of the multicast contest: so many members of one group, each with a socket and keys of its own.
// Every member opens every datagram itself, as if it were alone on its machine, and counts what came.

import { DatagramOpener, readDatagramMessages } from '@myelin/session'
import { type UdpSocket, udp } from '@myelin/transport'

export interface MulticastTask {
  readonly group: string
  /** Where to report to, every so many datagrams. */
  readonly reportTo: string
  readonly reportEvery: number
  readonly receivers: number
  /** Of the group, base64. */
  readonly secret: string
  readonly suite: 'aes-256-gcm' | 'chacha20-poly1305'
}

/** What one member has received so far. */
export interface MulticastCount {
  readonly datagrams: number
  readonly messages: number
  readonly refused: number
}

type Order = { readonly kind: 'start'; readonly task: MulticastTask } | { readonly kind: 'count' }

interface Member {
  readonly socket: UdpSocket
  count: { datagrams: number; messages: number; refused: number }
}

const members: Member[] = []

async function start(task: MulticastTask): Promise<void> {
  const { group, receivers, reportTo, reportEvery, secret, suite } = task
  const transport = udp({ multicast: { interface: '127.0.0.1', ttl: 0 } })
  const reports = await transport.bind('/ip4/127.0.0.1/udp/0')
  reports.attach({ message: () => {}, closed: () => {} })
  while (members.length < receivers) {
    const socket = await transport.bind(group)
    const opener = new DatagramOpener(suite, Uint8Array.from(Buffer.from(secret, 'base64')), {
      isGroup: true,
    })
    const count = { datagrams: 0, messages: 0, refused: 0 }
    const member: Member = { socket, count }
    const index = members.push(member) - 1
    socket.attach({
      message: (datagram) => {
        const opened = opener.open(datagram)
        const read = opened.ok ? readDatagramMessages(opened.value.plaintext) : opened
        if (!read.ok) {
          count.refused += 1
          return
        }
        count.datagrams += 1
        count.messages += read.value.length
        if (count.datagrams % reportEvery !== 0) return
        const report = new Uint8Array(12)
        const view = new DataView(report.buffer)
        view.setUint32(0, index)
        // How far it has come, whatever was lost on the way.
        view.setFloat64(4, opened.ok ? opened.value.counter + 1 : 0)
        reports.send(report, reportTo)
      },
      closed: () => {},
    })
  }
}

process.on('message', (order: Order) => {
  if (order.kind === 'count') process.send?.(members.map(({ count }) => count))
  else void start(order.task).then(() => process.send?.('ready'))
})
