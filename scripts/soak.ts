// A soak (R090, R091): two agents in processes of their own, messages that are acknowledged at half of what the pair can
// do, and a wire between them that is cut at random. Ends with a failure where an acknowledged message had no effect or
// two, where numbers came out of order, or where memory after a collection grew from the first third to the last.
//
//   node --conditions=@myelin/source scripts/soak.ts
//     --minutes N       30 by default
//     --cut-every N     mean seconds between two cuts, 10 by default
//     --json            one object at the end instead of lines

import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Child } from './hostile/child.ts'
import type { MemorySample } from './soak/memory.ts'
import { proxyTo } from './soak/proxy.ts'
import type { Effects } from './soak/receiver.ts'
import type { Sent } from './soak/sender.ts'

const mib = 2 ** 20
const capacityMs = 5_000
const settleMs = 60_000
const sampleEveryMs = 10_000
/** What the collector and the allocator may make of a heap that does not grow. */
const growthBytesMax = 16 * mib

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    'cut-every': { type: 'string', default: '10' },
    json: { type: 'boolean', default: false },
  },
})
const forMs = Number(values.minutes) * 60_000
const cutEveryMs = Number(values['cut-every']) * 1_000
const show = (text: string) => (values.json ? undefined : console.log(text))
const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms))

interface Sample {
  readonly atMs: number
  readonly sender: MemorySample
  readonly receiver: MemorySample
}

const here = import.meta.dirname
await using receiver = await Child.start(resolve(here, 'soak/receiver.ts'))
await using sender = await Child.start(resolve(here, 'soak/sender.ts'))
const there = await receiver.ask<{ id: string; address: string }>('start')
const { id } = await sender.ask<{ id: string }>('start')
await receiver.ask('trust', id)
await using wire = await proxyTo(Number(/\/tcp\/(\d+)/.exec(there.address)?.[1]))
await sender.ask('aim', { id: there.id, address: `/ip4/127.0.0.1/tcp/${wire.port}` })

const perSecond = await sender.ask<number>('capacity', capacityMs)
show(
  `capacity ${Math.round(perSecond)} messages/s; soaking at half of it for ${values.minutes} min`,
)
await sender.ask('rate', perSecond / 2)

const startMs = performance.now()
const samples: Sample[] = []
let cuts = 0
let nextCutMs = startMs + cutEveryMs
let nextSampleMs = startMs
while (performance.now() - startMs < forMs) {
  await sleep(Math.max(0, Math.min(nextCutMs, nextSampleMs, startMs + forMs) - performance.now()))
  const nowMs = performance.now()
  if (nowMs >= nextCutMs) {
    cuts += wire.cut() > 0 ? 1 : 0
    nextCutMs = nowMs - Math.log(1 - Math.random()) * cutEveryMs
  }
  if (nowMs >= nextSampleMs) {
    samples.push(await sample(nowMs - startMs))
    nextSampleMs = nowMs + sampleEveryMs
  }
}
await sender.ask('rate', 0)
const sent = await settled()
const effects = await receiver.ask<Effects>('effects')
for (const child of [sender, receiver]) await child.ask('close')

const faults = [...lost(sent, effects), ...grown(samples)]
const outcome = {
  minutes: Number(values.minutes),
  perSecond: Math.round(perSecond / 2),
  cuts,
  sessions: sent.sessions,
  sent: sent.numbers,
  acknowledged: sent.acknowledged,
  failed: sent.failed.length,
  effects: effects.messages,
  repeated: effects.repeated,
  heapMiB: { sender: heaps('sender'), receiver: heaps('receiver') },
  faults,
}
if (values.json) console.log(JSON.stringify(outcome))
else console.log(outcome)
process.exitCode = faults.length > 0 ? 1 : 0

async function sample(atMs: number): Promise<Sample> {
  const [near, far] = await Promise.all([
    sender.ask<MemorySample>('memory'),
    receiver.ask<MemorySample>('memory'),
  ])
  const { acknowledged, underway, sessions } = await sender.ask<Sent>('sent')
  const held = [near, far].map((one) => ((one.heapBytes + one.externalBytes) / mib).toFixed(1))
  const minutes = (atMs / 60_000).toFixed(1)
  show(
    `${minutes} min: ${acknowledged} acknowledged, ${underway} under way, ${sessions} sessions, ${cuts} cuts, ${held.join(' and ')} MiB`,
  )
  return { atMs, sender: near, receiver: far }
}

/** When nothing is under way any more. */
async function settled(): Promise<Sent> {
  const untilMs = performance.now() + settleMs
  for (;;) {
    const now = await sender.ask<Sent>('sent')
    if (now.underway === 0 || performance.now() > untilMs) return now
    await sleep(50)
  }
}

function lost({ numbers, acknowledged, underway, failed }: Sent, seen: Effects): string[] {
  const excused = new Set(failed.map(([number]) => number))
  const ranges = [...seen.missing, [seen.last + 1, numbers] as const]
  let missing = 0
  for (const [from, to] of ranges)
    for (let number = from; number < to; number += 1) if (!excused.has(number)) missing += 1
  return [
    ...(missing > 0 ? [`${missing} messages that did not fail had no effect`] : []),
    ...(seen.repeated > 0 ? [`${seen.repeated} came twice or out of order`] : []),
    ...(underway > 0 ? [`${underway} were still under way after ${settleMs / 1000} s`] : []),
    ...(acknowledged > seen.messages ? ['more were acknowledged than had an effect'] : []),
    ...(acknowledged === 0 ? ['nothing was acknowledged'] : []),
  ]
}

/** The lowest of each third: what is under way comes and goes, what is held stays. */
function grown(all: readonly Sample[]): string[] {
  const third = Math.floor(all.length / 3)
  if (third < 3) return []
  return (['sender', 'receiver'] as const).flatMap((who) => {
    const held = all.map((one) => one[who].heapBytes + one[who].externalBytes)
    const growth = Math.min(...held.slice(-third)) - Math.min(...held.slice(1, third))
    const text = `memory of the ${who} grew by ${(growth / mib).toFixed(1)} MiB`
    return growth > growthBytesMax ? [text] : []
  })
}

function heaps(who: 'sender' | 'receiver'): number[] {
  return samples.map((one) => Math.round((one[who].heapBytes + one[who].externalBytes) / mib))
}
