// Two ends of a connection in one process, for what is measured without a second one.

import type { KindName } from './kinds.ts'
import { ignore, type Kind, type Link } from './link.ts'
import { myelin, SessionLink } from './myelin.ts'

export interface Pair {
  readonly near: Link
  readonly far: Link
}

/** Sessions over memory: what they cost themselves, without sockets. */
export const inMemory: Kind = myelin('XKhfs', { over: 'memory' })

/** Opens pairs of one kind, one after the other. */
export async function openPairs(kind: Kind, count: number): Promise<readonly Pair[]> {
  const arrived: Link[] = []
  let onArrived = ignore
  const address = await kind.listen((link) => {
    arrived.push(link)
    onArrived()
  })
  const pairs: Pair[] = []
  for (let i = 0; i < count; i += 1) {
    const near = await kind.dial(address)
    if (arrived.length === i) {
      await new Promise<void>((resolve) => {
        onArrived = resolve
      })
    }
    pairs.push({ near, far: arrived[i] as Link })
  }
  return pairs
}

export function closePairs(pairs: readonly Pair[]): void {
  for (const { near, far } of pairs) {
    near.destroy()
    far.destroy()
  }
}

/** Sends so many messages over each pair at the same time. Resolves with the seconds until all have arrived. */
export async function floodPairs(
  pairs: readonly Pair[],
  payloads: readonly Uint8Array[],
  messages: number,
): Promise<number> {
  const startMs = performance.now()
  await Promise.all(pairs.map((pair) => floodPair(pair, messages, (i) => send(pair, payloads, i))))
  return (performance.now() - startMs) / 1000
}

/** As many messages at a time as one call takes. */
export async function floodBatches(
  pair: Pair,
  batches: readonly (readonly Uint8Array[])[],
  messages: number,
): Promise<number> {
  const { near } = pair
  if (!(near instanceof SessionLink)) throw new Error('batches are for sessions')
  const startMs = performance.now()
  const [{ length }] = batches as readonly [readonly Uint8Array[]]
  await floodPair(pair, messages, (i) => {
    const batch = batches[(i / length) % batches.length] as readonly Uint8Array[]
    return near.session.postMany('data', batch) ? length : -length
  })
  return (performance.now() - startMs) / 1000
}

/** `post` sends from message `i` on and says how many; negative: they are accepted, but wait. */
async function floodPair(
  { near, far }: Pair,
  messages: number,
  post: (i: number) => number,
): Promise<void> {
  let received = 0
  const whole = new Promise<void>((resolve) => {
    far.receive = () => {
      received += 1
      if (received === messages) resolve()
    }
  })
  for (let i = 0; i < messages; ) {
    const sent = post(i)
    i += Math.abs(sent)
    if (sent < 0) await near.drained()
  }
  await whole
  far.receive = ignore
}

function send({ near }: Pair, payloads: readonly Uint8Array[], i: number): number {
  return near.send(payloads[i % payloads.length] as Uint8Array) ? 1 : -1
}

/** Of contenders that need no certificate. */
export type PairKindName = Extract<KindName, 'XKhfs' | 'XKhfs-ipc' | 'XKhfs-shm' | 'XKhfs-quic'>
