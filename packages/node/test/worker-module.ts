// What the workers of agent-workers.e2e.test.ts run.

import { threadId } from 'node:worker_threads'
import { type NodeAgent, registerBytes, type WorkerPlace } from '@myelin/node'

/** Of messages with bytes in them. */
export const types = ['where', 'forget', 'die'] as const

export function setup(agent: NodeAgent, { index, count }: WorkerPlace): void {
  for (const type of types) registerBytes(agent, type)
  agent.handle('echo', ({ payload }) => payload)
  agent.handle('where', () => new TextEncoder().encode(JSON.stringify({ index, count, threadId })))
  agent.handle('forget', async ({ from }) => {
    await agent.trust.remove(from)
    return new Uint8Array(0)
  })
  agent.handle('die', () => process.exit(7))
}
