// The honest peers' process: one agent with a session that is there, whose requests are timed, and another that
// comes and goes, to see whether newcomers still get in.

import { createAgent, type NodeAgent } from '@myelin/node'
import { serve } from './child.ts'

export interface Watch {
  readonly roundTripsMs: readonly number[]
  readonly requestsFailed: number
  readonly connectsMs: readonly number[]
  readonly connectsFailed: Readonly<Record<string, number>>
  /** Sessions of the newcomer by transport. */
  readonly transports: Readonly<Record<string, number>>
}

interface Whereabouts {
  readonly id: NodeAgent['id']
  readonly address: string
  readonly quicAddress?: string
}

/** Where the newcomer finds the daemon. */
let newcomerTo = ''

const settled = await createAgent({ name: 'settled' })
const newcomer = await createAgent({ name: 'newcomer' })
const payload = new Uint8Array(64)

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

async function timeRequests(
  victim: string,
  untilMs: number,
): Promise<Pick<Watch, 'roundTripsMs' | 'requestsFailed'>> {
  const roundTripsMs: number[] = []
  let requestsFailed = 0
  while (performance.now() < untilMs) {
    const beganMs = performance.now()
    try {
      await settled.request(victim, 'echo', payload, { timeoutMs: 5_000 })
      roundTripsMs.push(performance.now() - beganMs)
    } catch {
      requestsFailed += 1
    }
    await pause(2)
  }
  return { roundTripsMs, requestsFailed }
}

async function timeConnects(
  victim: NodeAgent['id'],
  to: string,
  untilMs: number,
): Promise<Pick<Watch, 'connectsMs' | 'connectsFailed' | 'transports'>> {
  const connectsMs: number[] = []
  const connectsFailed: Record<string, number> = {}
  const transports: Record<string, number> = {}
  while (performance.now() < untilMs) {
    const beganMs = performance.now()
    try {
      const { transport } = await newcomer.connect(to, { signal: AbortSignal.timeout(5_000) })
      transports[transport] = (transports[transport] ?? 0) + 1
      connectsMs.push(performance.now() - beganMs)
      await newcomer.disconnect(victim)
    } catch (error) {
      const { code, name } = error as { code?: string; name?: string }
      const reason = code ?? name ?? 'unknown'
      connectsFailed[reason] = (connectsFailed[reason] ?? 0) + 1
    }
    await pause(100)
  }
  return { connectsMs, connectsFailed, transports }
}

serve({
  who: () => ({ ids: [settled.id, newcomer.id] }),
  /** Who comes and goes does so over QUIC where the daemon has that. */
  connect: async ({ id, address, quicAddress = address }: Whereabouts) => {
    for (const [agent, where] of [
      [settled, address],
      [newcomer, quicAddress],
    ] as const) {
      await agent.trust.add({ agent: id, roles: ['member'], source: 'manual', addedMs: Date.now() })
      agent.learn({ agent: id, addresses: [where.replace(/\/p2p\/.*$/, '')] })
    }
    newcomerTo = quicAddress
    await settled.connect(id)
    return {}
  },
  watch: async ({ id, forMs }: { id: NodeAgent['id']; forMs: number }): Promise<Watch> => {
    const untilMs = performance.now() + forMs
    const [requests, connects] = await Promise.all([
      timeRequests(id, untilMs),
      timeConnects(id, newcomerTo, untilMs),
    ])
    return { ...requests, ...connects }
  },
})
