// The sending agent of a soak: numbered messages at a given rate, each until the peer has handled it. What was refused
// or given up is kept by its number.

import { createAgent, type NodeAgent } from '@myelin/node'
import { type StreamTransport, tcp } from '@myelin/transport'
import { serve } from '../hostile/child.ts'
import { memorySample } from './memory.ts'

export interface Sent {
  /** Numbers given so far. */
  readonly numbers: number
  readonly acknowledged: number
  readonly underway: number
  /** Numbers whose message failed, with the code. */
  readonly failed: readonly (readonly [number, string])[]
  /** Sessions that have opened. */
  readonly sessions: number
}

const tickMs = 10
const ticksDueMax = 100
/** A quarter of the outbox. */
const underwayBytesMax = 8 * 2 ** 20
const sizes = [16, 64, 200, 1_000, 4_000, 30_000] as const
/** A number and nothing else is the least. */
const payloads = sizes.map((size) => crypto.getRandomValues(new Uint8Array(size)))

/** Every dial goes to the wire: the receiver says in its record where it is, and that would be a way round. */
const plain = tcp()
let wireAddress = ''
const throughWire: StreamTransport = {
  ...plain,
  dial: (_, options) => plain.dial(wireAddress, options),
}

let agent: NodeAgent | undefined
let receiver = ''
let numbers = 0
let acknowledged = 0
let underway = 0
let underwayBytes = 0
let sessions = 0
let perTick = 0
let due = 0
const failed: [number, string][] = []

function sendOne(): void {
  const number = numbers
  numbers += 1
  underway += 1
  const payload = (payloads[number % payloads.length] as Uint8Array).slice()
  new DataView(payload.buffer).setFloat64(0, number)
  underwayBytes += payload.length
  const settled = () => {
    underway -= 1
    underwayBytes -= payload.length
  }
  agent?.send(receiver, 'data', payload, { delivery: 'at-least-once', ttlMs: 600_000 }).then(
    () => {
      settled()
      acknowledged += 1
    },
    ({ code }) => {
      settled()
      failed.push([number, String(code)])
    },
  )
}

// While the wire is cut messages wait here rather than in the outbox, as a program with some sense would have it.
setInterval(() => {
  due = Math.min(due + perTick, perTick * ticksDueMax)
  for (; due >= 1 && underwayBytes < underwayBytesMax; due -= 1) sendOne()
}, tickMs)

serve({
  start: async () => {
    agent = await createAgent({ name: 'sender', transports: [throughWire] })
    agent.watchPeers(({ kind }) => {
      if (kind === 'connected') sessions += 1
    })
    return { id: agent.id }
  },
  aim: async ({ id, address }: { id: NodeAgent['id']; address: string }) => {
    receiver = id
    wireAddress = address
    await agent?.trust.add({ agent: id, roles: ['member'], source: 'manual', addedMs: 0 })
    agent?.learn({ agent: id, addresses: [address] })
  },
  /** As many as fit for so long, a hundred under way: messages a second. */
  capacity: async (forMs: number) => {
    const startMs = performance.now()
    const before = acknowledged
    while (performance.now() - startMs < forMs) {
      while (underway < 100) sendOne()
      await new Promise((resolve) => setImmediate(resolve))
    }
    return ((acknowledged - before) * 1000) / (performance.now() - startMs)
  },
  rate: (perSecond: number) => {
    due = 0
    perTick = (perSecond * tickMs) / 1000
  },
  sent: (): Sent => ({ numbers, acknowledged, underway, failed, sessions }),
  memory: memorySample,
  close: async () => await agent?.close(),
})
