// Whole sessions over memory, both ends in this process: the batch call beside the single one, handshakes, what a
// message allocates and what an idle session keeps. Times are of both ends together.

import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { memory } from '@myelin/transport'
import type { Contest } from '../harness.ts'
import { ignore } from '../peers/link.ts'
import {
  closePairs,
  floodBatches,
  floodPairs,
  inMemory,
  openPairs,
  type Pair,
} from '../peers/pair.ts'
import { payloadsOf } from '../peers/payloads.ts'

export interface SessionAmounts {
  readonly messages: number
  readonly handshakes: number
  readonly idle: number
}

const batchLength = 64
const secondsTo = { ms: 1_000 } as const
/** Per message of 64 B, both ends: the message object and its view, and a share of the record. */
const allocatedBytesMax = 600
const idlePairsFirst = 20
/** R196. */
const handshakeMsMax = 5
const batchRatioMin = 1.2
const stateBytesMax = 1_024

export interface SessionContests extends AsyncDisposable {
  readonly contests: readonly Contest[]
}

export async function sessionContests(amounts: SessionAmounts): Promise<SessionContests> {
  // One pair for each contender: what one leaves queued or warm is not the other's.
  const pairs = await openPairs(inMemory, 3)
  const [single, batched, counted] = pairs as readonly [Pair, Pair, Pair]
  return {
    contests: [
      batches(batched, single, amounts.messages),
      handshake(amounts.handshakes),
      ...[64, 1024].map((bytes) => allocations(counted, bytes, amounts.messages)),
      idleState(amounts.idle),
    ],
    [Symbol.asyncDispose]: async () => closePairs(pairs),
  }
}

function batches(batched: Pair, single: Pair, messages: number): Contest {
  const payloads = payloadsOf(64)
  const groups = Array.from({ length: payloads.length / batchLength }, (_, i) =>
    payloads.slice(i * batchLength, (i + 1) * batchLength),
  )
  const whole = messages - (messages % batchLength)
  const title = `64 B messages by postMany of ${batchLength}`
  return {
    title,
    metrics: [
      { metric: title, unit: 'messages/s', goals: [{ peer: 'post', atLeast: batchRatioMin }] },
    ],
    contenders: [
      {
        name: 'myelin',
        sample: async () => [whole / (await floodBatches(batched, groups, whole))],
      },
      { name: 'post', sample: async () => [whole / (await floodPairs([single], payloads, whole))] },
    ],
  }
}

function handshake(count: number): Contest {
  const title = 'handshake, both sides'
  const sample = async () => {
    const cpu = process.cpuUsage()
    const startMs = performance.now()
    const pairs = await openPairs(inMemory, count)
    const elapsedMs = performance.now() - startMs
    const { user, system } = process.cpuUsage(cpu)
    closePairs(pairs)
    return [elapsedMs / count, (user + system) / secondsTo.ms / count]
  }
  return {
    title,
    metrics: [
      { metric: title, unit: 'ms', goals: [{ atMost: handshakeMsMax }] },
      { metric: `${title}, processor time`, unit: 'ms', goals: [{ atMost: handshakeMsMax }] },
    ],
    contenders: [{ name: 'myelin', sample }],
  }
}

/** What V8 counts as allocated, whether collected since or not. */
function allocations(pair: Pair, bytes: number, messages: number): Contest {
  const payloads = payloadsOf(bytes)
  const title = `heap allocated per ${bytes === 64 ? '64 B' : '1 KiB'} message, both ends`
  const allocated = () =>
    (getHeapStatistics() as { total_allocated_bytes?: number }).total_allocated_bytes ?? Number.NaN
  const sample = async () => {
    const before = allocated()
    await floodPairs([pair], payloads, messages)
    return [(allocated() - before) / messages]
  }
  return {
    title,
    metrics: [{ metric: title, unit: 'B', goals: [{ atMost: allocatedBytesMax }] }],
    contenders: [{ name: 'myelin', sample }],
  }
}

/** Of one end, without what the memory transport keeps for it. */
function idleState(count: number): Contest {
  const title = 'memory per idle session, without its connection'
  const sample = async () => {
    const pairs = await openPairs(inMemory, idlePairsFirst)
    const connections = await openConnections(idlePairsFirst)
    const start = await usedBytes()
    connections.push(...(await openConnections(count)))
    const between = await usedBytes()
    const more = await openPairs(inMemory, count)
    const end = await usedBytes()
    closePairs([...pairs, ...more])
    for (const close of connections) close()
    return [(end - between - (between - start)) / count / 2]
  }
  return {
    title,
    metrics: [{ metric: title, unit: 'B', goals: [{ atMost: stateBytesMax }] }],
    contenders: [{ name: 'myelin', sample }],
    roundsMax: 3,
  }
}

let namesTaken = 0

/** Connections over memory with handlers and nothing else. */
async function openConnections(count: number): Promise<(() => void)[]> {
  namesTaken += 1
  const name = `/memory/bench-bare-${namesTaken}`
  const transport = memory()
  const handlers = () => ({ data: ignore, drain: ignore, end: ignore, closed: ignore })
  const listener = await transport.listen(name, (stream) => stream.attach(handlers()))
  const closers: (() => void)[] = []
  for (let i = 0; i < count; i += 1) {
    const stream = await transport.dial(name)
    stream.attach(handlers())
    closers.push(() => stream.destroy())
  }
  await listener.close()
  return closers
}

/** Twice collected: finalizers of the first run free what the second one finds. */
async function usedBytes(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let i = 0; i < 2; i += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
