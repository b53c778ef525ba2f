// The receiving agent of a soak: counts the effects that messages have. Numbers must rise; what is missing between them
// is kept as ranges, and what comes twice is counted.

import { createAgent, type NodeAgent } from '@myelin/node'
import { serve } from '../hostile/child.ts'
import { memorySample } from './memory.ts'

export interface Effects {
  readonly messages: number
  readonly bytes: number
  /** Numbers that came a second time. */
  readonly repeated: number
  /** Highest number, or -1. */
  readonly last: number
  /** Numbers below the highest that never came, as [from, to). */
  readonly missing: readonly (readonly [number, number])[]
}

let agent: NodeAgent | undefined
let messages = 0
let bytes = 0
let repeated = 0
let last = -1
const missing: [number, number][] = []

function take(payload: Uint8Array): void {
  const number = new DataView(payload.buffer, payload.byteOffset).getFloat64(0)
  messages += 1
  bytes += payload.length
  if (number <= last) {
    repeated += 1
    return
  }
  if (number > last + 1) missing.push([last + 1, number])
  last = number
}

serve({
  start: async () => {
    agent = await createAgent({
      name: 'receiver',
      listen: ['/ip4/127.0.0.1/tcp/0'],
      rates: { messagesPerSecond: 1_000_000, burst: 1_000_000, bytesPerSecond: 1_000_000_000 },
      prepare: (made) => {
        made.handle('data', ({ payload }) => take(payload as Uint8Array))
      },
    })
    return { id: agent.id, address: agent.addresses[0] ?? '' }
  },
  trust: async (id: NodeAgent['id']) => {
    await agent?.trust.add({ agent: id, roles: ['member'], source: 'manual', addedMs: 0 })
  },
  effects: (): Effects => ({ messages, bytes, repeated, last, missing }),
  memory: memorySample,
  close: async () => await agent?.close(),
})
