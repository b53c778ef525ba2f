// The tasks that contenders share, each written once over a Link: floods of messages, streams, round trips,
// handshakes, memory. A party is a contender with its other process and an open connection to it.

import { type Contest, type Goal, percentile } from './harness.ts'
import { FarProcess, type Received } from './peers/far-process.ts'
import { isCertified, type KindName, openKind } from './peers/kinds.ts'
import { ignore, type Kind, type Link } from './peers/link.ts'
import { checksum, payloadsOf, streamSum } from './peers/payloads.ts'
import type { Certificate } from './peers/sockets.ts'

export interface Party {
  readonly name: string
  readonly kindName: KindName
  readonly kind: Kind
  readonly far: FarProcess
  readonly link: Link
}

/** How much a turn does: about half a second each on a small machine. */
export interface Amounts {
  readonly small: number
  readonly kilobyte: number
  readonly bulk: number
  readonly roundTrips: number
  readonly handshakes: number
  readonly idle: number
  /** Megabytes under whose transfer others are waiting. */
  readonly transfer: number
}

export const full: Amounts = {
  small: 2_000_000,
  kilobyte: 300_000,
  bulk: 400,
  roundTrips: 4_000,
  handshakes: 150,
  idle: 1_000,
  transfer: 1_000,
}
export const quick: Amounts = {
  small: 50_000,
  kilobyte: 10_000,
  bulk: 20,
  roundTrips: 300,
  handshakes: 20,
  idle: 50,
  transfer: 40,
}

/** What a contest is called, and what is asked of it. */
export interface Task {
  readonly title: string
  readonly goals: readonly Goal[]
}

const bulkBytes = 1024 * 1024
const spreadBytes = 64
/** Every so many messages one is summed up whole; prime, so that all payloads of the ring come to it. */
const sumEvery = 61
/** Connections that are there before memory is counted: code and tables that the first ones bring. */
const idleBefore = 50

export async function openParty(
  kindName: KindName,
  certificate: Certificate | undefined,
): Promise<Party> {
  const shown = isCertified(kindName) ? certificate : undefined
  const kind = await openKind(kindName, shown)
  const far = await FarProcess.start(kindName, shown)
  try {
    return { name: kind.name, kindName, kind, far, link: await kind.dial(far.address) }
  } catch (error) {
    await far[Symbol.asyncDispose]()
    throw error
  }
}

export async function closeParties(parties: readonly Party[]): Promise<void> {
  for (const { link, far } of parties) {
    link.destroy()
    await far[Symbol.asyncDispose]()
  }
}

export function flood(
  parties: readonly Party[],
  payloads: readonly Uint8Array[],
  messages: number | ((party: Party) => number),
  { title, goals }: Task,
): Contest {
  const sample = async (party: Party) => {
    const count = typeof messages === 'number' ? messages : messages(party)
    return [count / (await sendAll(party, payloads, count))]
  }
  return {
    title,
    metrics: [{ metric: title, unit: 'messages/s', goals }],
    contenders: withSample(parties, sample),
  }
}

export function bulk(parties: readonly Party[], messages: number, { title, goals }: Task): Contest {
  const payloads = payloadsOf(bulkBytes)
  const sample = async (party: Party) => {
    return [(messages * bulkBytes) / 1e6 / (await sendAll(party, payloads, messages))]
  }
  return {
    title,
    metrics: [{ metric: title, unit: 'MB/s', goals }],
    contenders: withSample(parties, sample),
  }
}

/** Seconds from the first message to the receiver's word that all have arrived, whole and in order. */
async function sendAll(
  { far, link }: Party,
  payloads: readonly Uint8Array[],
  messages: number,
): Promise<number> {
  await far.begin({ do: 'count', messages, sumEvery })
  const arrived = far.report()
  const startMs = performance.now()
  await pour(link, payloads, messages)
  const { received } = await arrived
  const seconds = (performance.now() - startMs) / 1000
  let sum = 0
  for (let i = 0; i < messages; i += sumEvery)
    sum = checksum(sum, payloads[i % payloads.length] as Uint8Array)
  requireAll(received as Received, { messages, bytes: messages * bytesOf(payloads), sum })
  return seconds
}

/** As `bulk`, of parties whose links carry a stream without messages. */
export function stream(parties: readonly Party[], chunks: number, { title, goals }: Task): Contest {
  const payloads = payloadsOf(bulkBytes)
  const bytes = chunks * bulkBytes
  let sum = 0
  for (let i = 0; i < chunks; i += 1)
    sum = streamSum(sum, i * bulkBytes, payloads[i % payloads.length] as Uint8Array)
  const sample = async ({ far, link }: Party) => {
    await far.begin({ do: 'bytes', bytes })
    const arrived = far.report()
    const startMs = performance.now()
    await pour(link, payloads, chunks)
    const received = (await arrived).received as Received
    const seconds = (performance.now() - startMs) / 1000
    requireAll(received, { messages: received.messages, bytes, sum })
    return [bytes / 1e6 / seconds]
  }
  return {
    title,
    metrics: [{ metric: title, unit: 'MB/s', goals }],
    contenders: withSample(parties, sample),
  }
}

export interface SpreadTask extends Task {
  readonly isStream?: boolean
  /** 64 by default. */
  readonly payloadBytes?: number
}

/**
 * The messages of `flood`, spread over so many connections; or so many bytes in writes, where the parties' links carry
 * streams. The connections are opened at the first turn and stay.
 */
export function spread(
  parties: readonly Party[],
  links: number,
  messages: number,
  { title, goals, isStream = false, payloadBytes = spreadBytes }: SpreadTask,
): Contest {
  const payloads = payloadsOf(payloadBytes)
  const opened = new Map<Party, Link[]>()
  const each = Math.ceil(messages / links)
  const count = each * links
  const sample = async (party: Party) => {
    const { far, kind } = party
    const all = opened.get(party) ?? [party.link]
    opened.set(party, all)
    while (all.length < links) all.push(await kind.dial(far.address))
    // In which order they come together is open: of messages, the first is summed up.
    const sumEvery = Number.MAX_SAFE_INTEGER
    const bytes = count * payloadBytes
    await far.begin(isStream ? { do: 'bytes', bytes } : { do: 'count', messages: count, sumEvery })
    const arrived = far.report()
    const startMs = performance.now()
    await Promise.all(all.map((link) => pour(link, payloads, each)))
    const { received } = await arrived
    const seconds = (performance.now() - startMs) / 1000
    if (received?.bytes !== bytes) throw new Error(`${received?.bytes} bytes arrived of ${bytes}`)
    return [count / seconds]
  }
  return {
    title,
    metrics: [{ metric: title, unit: 'messages/s', goals }],
    contenders: withSample(parties, sample),
  }
}

export async function pour(
  link: Pick<Link, 'send' | 'drained'>,
  payloads: readonly Uint8Array[],
  count: number,
): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    if (!link.send(payloads[i % payloads.length] as Uint8Array)) await link.drained()
  }
}

function bytesOf([first]: readonly Uint8Array[]): number {
  return first?.length ?? 0
}

function requireAll(received: Received, sent: Received): void {
  const isWhole = (['messages', 'bytes', 'sum'] as const).every(
    (key) => received[key] === sent[key],
  )
  if (!isWhole) throw new Error(`${JSON.stringify(received)} arrived of ${JSON.stringify(sent)}`)
}

export interface RoundTripTask extends Task {
  readonly goalsP99: readonly Goal[]
}

export function roundTrips(
  parties: readonly Party[],
  trips: number | ((party: Party) => number),
  { title, goals, goalsP99 }: RoundTripTask,
): Contest {
  const [payload] = payloadsOf(1024) as [Uint8Array]
  const sample = async (party: Party) => {
    const { far, link } = party
    const count = typeof trips === 'number' ? trips : trips(party)
    await far.begin({ do: 'echo' })
    const times = await new Promise<number[]>((resolve, reject) => {
      const us: number[] = []
      let sentMs = performance.now()
      link.receive = (echoed) => {
        const nowMs = performance.now()
        if (echoed.length !== payload.length) reject(new Error(`${echoed.length} bytes came back`))
        us.push((nowMs - sentMs) * 1000)
        if (us.length === count) {
          resolve(us)
          return
        }
        sentMs = nowMs
        link.send(payload)
      }
      link.send(payload)
    })
    link.receive = ignore
    return [percentile(times, 0.5), percentile(times, 0.99)]
  }
  const [p50, p99] = [`${title}, p50`, `${title}, p99`]
  return {
    title,
    metrics: [
      { metric: p50, unit: 'µs', goals },
      { metric: p99, unit: 'µs', goals: goalsP99 },
    ],
    contenders: withSample(parties, sample),
  }
}

/** One after the other, the connection included; each is open for messages on the dialling side. */
export function handshakes(
  parties: readonly Party[],
  count: number,
  { title, goals }: Task,
): Contest {
  const sample = async ({ far, kind }: Party) => {
    await far.begin({ do: 'drop' })
    const startMs = performance.now()
    for (let i = 0; i < count; i += 1) (await kind.dial(far.address)).destroy()
    return [count / ((performance.now() - startMs) / 1000)]
  }
  return {
    title,
    metrics: [{ metric: title, unit: 'handshakes/s', goals }],
    contenders: withSample(parties, sample),
  }
}

export interface MemoryTask extends Task {
  readonly goalsHeap: readonly Goal[]
}

/** Of the accepting process, a fresh one for each turn. */
export function idle(
  parties: readonly Party[],
  count: number,
  certificate: Certificate | undefined,
  { title, goals, goalsHeap }: MemoryTask,
): Contest {
  const sample = async ({ kindName, kind }: Party) => {
    const shown = isCertified(kindName) ? certificate : undefined
    await using far = await FarProcess.start(kindName, shown)
    const links: Link[] = []
    const open = async (more: number) => {
      for (let i = 0; i < more; i += 1) links.push(await kind.dial(far.address))
      await far.accepted(links.length)
      return await far.memory()
    }
    const before = await open(idleBefore)
    const after = await open(count)
    for (const link of links) link.destroy()
    return [(after.rss - before.rss) / count / 1024, (after.heap - before.heap) / count / 1024]
  }
  return {
    title,
    metrics: [
      { metric: `${title}, RSS`, unit: 'KiB', goals },
      { metric: `${title}, heap and buffers`, unit: 'KiB', goals: goalsHeap },
    ],
    contenders: withSample(parties, sample),
    roundsMax: 3,
  }
}

function withSample(
  parties: readonly Party[],
  sample: (party: Party) => Promise<readonly number[]>,
) {
  return parties.map((party) => ({ name: party.name, sample: () => sample(party) }))
}
