// The victim: an agent with the default limits on a loopback port, with a handler that answers, one that never
// does, and streams that nobody reads. Reports its memory and its counters when asked.

import type { DoorwayCounts, Fabric } from '@myelin/fabric'
import { createAgent, type NodeAgent, type PartialConfiguration } from '@myelin/node'
import type { SessionStream } from '@myelin/session'
import { serve } from './child.ts'

export interface DaemonOptions {
  readonly trust: readonly string[]
  readonly limits?: PartialConfiguration['limits']
  /** Beside TCP. */
  readonly over?: 'udp' | 'quic' | undefined
}

export interface DaemonStarted {
  readonly id: NodeAgent['id']
  readonly address: string
  readonly quicAddress?: string
  readonly port: number
  /** 0 where it does not listen for that. */
  readonly udpPort: number
  readonly quicPort: number
}

const listens = {
  tcp: '/ip4/127.0.0.1/tcp/0',
  udp: '/ip4/127.0.0.1/udp/0',
  quic: '/ip4/127.0.0.1/udp/0/quic-v1',
} as const

export interface DaemonStatus {
  readonly rssBytes: number
  readonly rssBytesPeak: number
  readonly heapBytes: number
  readonly externalBytes: number
  readonly sessions: number
  readonly heldBytes: number
  readonly streamsOpen: number
  /** Acknowledged messages that nobody has acknowledged. */
  readonly unacknowledged: { readonly messages: number; readonly bytes: number }
  /** TCP connections, the listener not counted. */
  readonly connections: number
  readonly doorway: DoorwayCounts
  readonly counts: Readonly<Record<string, number>>
  readonly cpuMs: number
}

type Victim = NodeAgent & Pick<Fabric, 'doorway'>

let agent: Victim | undefined
let rssBytesPeak = 0
const never = Promise.withResolvers<void>()

const noDoorway = { silent: 0, greeted: 0, admitted: 0, evicted: 0, refused: 0 }

/** Writes as long as somebody reads. Ends with the session. */
async function fill(stream: SessionStream): Promise<void> {
  for (;;) if (!stream.write(new Uint8Array(16_000))) await stream.drained()
}

/** Acknowledged messages without end: what the outbox does not take is tried again a little later. */
async function spill(made: NodeAgent, to: NodeAgent['id']): Promise<void> {
  const isHere = () => made.peers().some((peer) => peer.agent === to)
  while (isHere()) {
    const sends = Array.from({ length: 64 }, () =>
      made.send(to, 'data', new Uint8Array(4_000), { delivery: 'at-least-once', ttlMs: 60_000 }),
    )
    for (const sent of sends) sent.catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function connections(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
}

serve({
  start: async ({ trust, limits, over }: DaemonOptions) => {
    // What is made is a Fabric, which counts who stands in its doorway.
    agent = (await createAgent({
      name: 'victim',
      listen: over === undefined ? [listens.tcp] : [listens.tcp, listens[over]],
      trust: trust.map((id) => ({ agent: id as NodeAgent['id'] })),
      ...(limits === undefined ? {} : { limits }),
      prepare: (made) => {
        made.handle('echo', ({ payload }) => payload)
        // Something keeps them: a promise that nobody could settle would be garbage, and its message too.
        made.handle('data', async () => await never.promise)
        made.handleDatagrams('data', (channel) => channel.handle(() => {}))
        made.handleStream('sink', async (stream) => {
          await never.promise
          stream.stop()
        })
        made.handleStream('source', fill)
        made.handleStream('spill', (_stream, from) => spill(made, from))
      },
    })) as Victim
    setInterval(() => {
      rssBytesPeak = Math.max(rssBytesPeak, process.memoryUsage.rss())
    }, 20)
    const portOf = (addresses: readonly string[], kind: RegExp) =>
      Number(addresses.map((address) => kind.exec(address)?.[1]).find(Boolean) ?? 0)
    return {
      id: agent.id,
      address: agent.addresses.find((address) => address.includes('/tcp/')) ?? '',
      quicAddress: agent.addresses.find((address) => address.includes('/quic-v1')),
      port: portOf(agent.addresses, /\/tcp\/(\d+)/),
      udpPort: portOf(agent.datagramAddresses, /\/udp\/(\d+)/),
      quicPort: portOf(agent.addresses, /\/udp\/(\d+)\/quic-v1/),
    }
  },
  /** From now on the peak counts anew, without the garbage of before. */
  reset: () => {
    const { gc } = globalThis as { gc?: () => void }
    gc?.()
    rssBytesPeak = process.memoryUsage.rss()
  },
  status: (): DaemonStatus => {
    const { rss, heapUsed, external } = process.memoryUsage()
    rssBytesPeak = Math.max(rssBytesPeak, rss)
    const { user, system } = process.cpuUsage()
    const peers = agent?.peers() ?? []
    return {
      rssBytes: rss,
      rssBytesPeak,
      heapBytes: heapUsed,
      externalBytes: external,
      sessions: peers.length,
      heldBytes: peers.reduce((sum, { stats }) => sum + stats.heldBytes, 0),
      streamsOpen: peers.reduce((sum, { stats }) => sum + stats.streamsOpen, 0),
      unacknowledged: {
        messages: agent?.deliveryCounts.pending ?? 0,
        bytes: agent?.deliveryCounts.pendingBytes ?? 0,
      },
      connections: connections(),
      doorway: agent?.doorway ?? noDoorway,
      counts: agent?.securityLog.counts ?? {},
      cpuMs: (user + system) / 1000,
    }
  },
})
