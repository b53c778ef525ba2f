// The victim: an agent with the default limits on a loopback port, with a handler that answers, one that never
// does, and streams that nobody reads. Reports its memory and its counters when asked.

import type { DoorwayCounts, Fabric } from '@myelin/fabric'
import { createAgent, type NodeAgent, type PartialConfiguration } from '@myelin/node'
import { serve } from './child.ts'

export interface DaemonOptions {
  readonly trust: readonly string[]
  readonly limits?: PartialConfiguration['limits']
}

export interface DaemonStatus {
  readonly rssBytes: number
  readonly rssBytesPeak: number
  readonly heapBytes: number
  readonly externalBytes: number
  readonly sessions: number
  readonly heldBytes: number
  readonly streamsOpen: number
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

function connections(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
}

serve({
  start: async ({ trust, limits }: DaemonOptions) => {
    // What is made is a Fabric, which counts who stands in its doorway.
    agent = (await createAgent({
      name: 'victim',
      listen: ['/ip4/127.0.0.1/tcp/0'],
      trust: trust.map((id) => ({ agent: id as NodeAgent['id'] })),
      ...(limits === undefined ? {} : { limits }),
      prepare: (made) => {
        made.handle('echo', ({ payload }) => payload)
        // Something keeps them: a promise that nobody could settle would be garbage, and its message too.
        made.handle('data', async () => await never.promise)
        made.handleStream('sink', async (stream) => {
          await never.promise
          stream.stop()
        })
      },
    })) as Victim
    setInterval(() => {
      rssBytesPeak = Math.max(rssBytesPeak, process.memoryUsage.rss())
    }, 20)
    return { id: agent.id, address: agent.addresses[0] ?? '' }
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
      connections: connections(),
      doorway: agent?.doorway ?? noDoorway,
      counts: agent?.securityLog.counts ?? {},
      cpuMs: (user + system) / 1000,
    }
  },
})
