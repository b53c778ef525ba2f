// The honest peers' process: one agent with a session that is there, whose requests are timed, and another that
// comes and goes, to see whether newcomers still get in.

import { createAgent, type NodeAgent } from '@myelin/node'
import { serve } from './child.ts'

export interface Watch {
  readonly roundTripsMs: readonly number[]
  readonly requestsFailed: number
  readonly connectsMs: readonly number[]
  readonly connectsFailed: Readonly<Record<string, number>>
}

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
  untilMs: number,
): Promise<Pick<Watch, 'connectsMs' | 'connectsFailed'>> {
  const connectsMs: number[] = []
  const connectsFailed: Record<string, number> = {}
  while (performance.now() < untilMs) {
    const beganMs = performance.now()
    try {
      await newcomer.connect(victim, { signal: AbortSignal.timeout(5_000) })
      connectsMs.push(performance.now() - beganMs)
      await newcomer.disconnect(victim)
    } catch (error) {
      const { code, name } = error as { code?: string; name?: string }
      const reason = code ?? name ?? 'unknown'
      connectsFailed[reason] = (connectsFailed[reason] ?? 0) + 1
    }
    await pause(100)
  }
  return { connectsMs, connectsFailed }
}

serve({
  who: () => ({ ids: [settled.id, newcomer.id] }),
  connect: async ({ id, address }: { id: NodeAgent['id']; address: string }) => {
    for (const agent of [settled, newcomer]) {
      await agent.trust.add({ agent: id, roles: ['member'], source: 'manual', addedMs: Date.now() })
      agent.learn({ agent: id, addresses: [address.replace(/\/p2p\/.*$/, '')] })
    }
    await settled.connect(id)
    return {}
  },
  watch: async ({ id, forMs }: { id: NodeAgent['id']; forMs: number }): Promise<Watch> => {
    const untilMs = performance.now() + forMs
    const [requests, connects] = await Promise.all([
      timeRequests(id, untilMs),
      timeConnects(id, untilMs),
    ])
    return { ...requests, ...connects }
  },
})
