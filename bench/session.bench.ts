// Sessions over TCP on the loopback, between two processes, beside node:net in the clear and node:tls 1.3 with
// the same hybrid key exchange and both sides authenticated. What each peer does is in peers/sockets.ts.

import { type Arena, type Contest, defineBench, type Goal, percentile } from './harness.ts'
import { FarProcess, type Received } from './peers/far-process.ts'
import { type KindName, kindOf, makeCertificate } from './peers/kinds.ts'
import { ignore, type Kind, type Link } from './peers/link.ts'
import { checksum, payloadsOf } from './peers/payloads.ts'
import type { Certificate } from './peers/sockets.ts'

/** A contender with its other process and an open connection to it. */
interface Rival {
  readonly name: string
  readonly kind: Kind
  readonly far: FarProcess
  readonly link: Link
}

/** How much a turn does: about half a second each on a small machine. */
interface Amounts {
  readonly small: number
  readonly kilobyte: number
  readonly bulk: number
  readonly roundTrips: number
  readonly handshakes: number
  readonly idle: number
}

const full: Amounts = {
  small: 2_000_000,
  kilobyte: 300_000,
  bulk: 400,
  roundTrips: 4_000,
  handshakes: 150,
  idle: 500,
}
const quick: Amounts = {
  small: 50_000,
  kilobyte: 10_000,
  bulk: 20,
  roundTrips: 300,
  handshakes: 20,
  idle: 50,
}

const bulkBytes = 1024 * 1024
/** Every so many messages one is summed up whole; prime, so that all payloads of the ring come to it. */
const sumEvery = 61
/** Connections that are there before memory is counted: code and tables that the first ones bring. */
const idleBefore = 50

export const bench = defineBench({
  name: 'session',
  summary:
    'Messages, bulk, round trips, handshakes and memory of a session, beside node:net and node:tls.',
  open: async ({ isQuick = false, note }) => {
    const certificate = makeCertificate()
    if (certificate === undefined)
      note?.('no openssl here to make a certificate: node:tls is left out')
    const rivals: Rival[] = []
    for (const name of ['XKhfs', 'XXhfs', 'net', 'tls'] as const) {
      if (name === 'tls' && certificate === undefined) continue
      rivals.push(await rival(name, certificate))
    }
    return arenaOf(rivals, isQuick ? quick : full, certificate)
  },
})

async function rival(name: KindName, certificate: Certificate | undefined): Promise<Rival> {
  const kind = kindOf(name, certificate)
  const far = await FarProcess.start(name, name === 'tls' ? certificate : undefined)
  return { name: kind.name, kind, far, link: await kind.dial(far.address) }
}

function arenaOf(
  rivals: readonly Rival[],
  amounts: Amounts,
  certificate: Certificate | undefined,
): Arena {
  const [xk, xx, ...peers] = rivals as [Rival, Rival, ...Rival[]]
  const all = [xk, ...peers]
  const secure = peers.filter(({ name }) => name === 'node:tls')
  return {
    contests: [
      flood(all, '64 B', payloadsOf(64), amounts.small, [
        { atLeast: 1_000_000 },
        { peer: 'node:tls', atLeast: 0.5 },
      ]),
      flood(all, '1 KiB', payloadsOf(1024), amounts.kilobyte, [
        { atLeast: 100_000 },
        { peer: 'node:tls', atLeast: 0.75 },
      ]),
      bulk(all, amounts.bulk),
      roundTrips(all, amounts.roundTrips),
      handshakes('XKhfs', [xk, ...secure], amounts.handshakes),
      handshakes('XXhfs', [xx, ...secure], amounts.handshakes),
      idle(all, amounts.idle, certificate),
    ],
    [Symbol.asyncDispose]: async () => {
      for (const { link, far } of rivals) {
        link.destroy()
        await far[Symbol.asyncDispose]()
      }
    },
  }
}

function flood(
  rivals: readonly Rival[],
  size: string,
  payloads: readonly Uint8Array[],
  messages: number,
  goals: readonly Goal[],
): Contest {
  const title = `${size} messages, one way`
  const sample = async (rival: Rival) => [messages / (await sendAll(rival, payloads, messages))]
  return {
    title,
    metrics: [{ metric: title, unit: 'messages/s', goals }],
    contenders: withSample(rivals, sample),
  }
}

function bulk(rivals: readonly Rival[], messages: number): Contest {
  const title = '1 MiB messages, one way'
  const payloads = payloadsOf(bulkBytes)
  const sample = async (rival: Rival) => {
    return [(messages * bulkBytes) / 1e6 / (await sendAll(rival, payloads, messages))]
  }
  const goals: Goal[] = [{ atLeast: 100 }, { peer: 'node:tls', atLeast: 0.5 }]
  return {
    title,
    metrics: [{ metric: title, unit: 'MB/s', goals }],
    contenders: withSample(rivals, sample),
  }
}

/** Seconds from the first message to the receiver's word that all have arrived, whole and in order. */
async function sendAll(
  { far, link }: Rival,
  payloads: readonly Uint8Array[],
  messages: number,
): Promise<number> {
  await far.begin({ do: 'count', messages, sumEvery })
  const arrived = far.report()
  const startMs = performance.now()
  for (let i = 0; i < messages; i += 1) {
    if (!link.send(payloads[i % payloads.length] as Uint8Array)) await link.drained()
  }
  const { received } = await arrived
  const seconds = (performance.now() - startMs) / 1000
  requireAll(received as Received, payloads, messages)
  return seconds
}

function requireAll(received: Received, payloads: readonly Uint8Array[], messages: number): void {
  const bytes = messages * (payloads[0]?.length ?? 0)
  let sum = 0
  for (let i = 0; i < messages; i += sumEvery)
    sum = checksum(sum, payloads[i % payloads.length] as Uint8Array)
  if (received.messages !== messages || received.bytes !== bytes || received.sum !== sum) {
    throw new Error(`${JSON.stringify(received)} arrived of ${messages} messages, ${bytes} bytes`)
  }
}

function roundTrips(rivals: readonly Rival[], count: number): Contest {
  const title = '1 KiB round trip'
  const [payload] = payloadsOf(1024) as [Uint8Array]
  const sample = async ({ far, link }: Rival) => {
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
      { metric: p50, unit: 'µs', goals: [{ peer: 'node:tls', atMost: 1.5 }] },
      { metric: p99, unit: 'µs', goals: [{ peer: 'node:tls', atMost: 2 }] },
    ],
    contenders: withSample(rivals, sample),
  }
}

/** One after the other, the connection included; each is open for messages on the dialling side. */
function handshakes(pattern: string, rivals: readonly Rival[], count: number): Contest {
  const title = `${pattern} handshakes`
  const sample = async ({ far, kind }: Rival) => {
    await far.begin({ do: 'drop' })
    const startMs = performance.now()
    for (let i = 0; i < count; i += 1) (await kind.dial(far.address)).destroy()
    return [count / ((performance.now() - startMs) / 1000)]
  }
  const goals: Goal[] = [{ atLeast: 200 }, { peer: 'node:tls', atLeast: 0.5 }]
  return {
    title,
    metrics: [{ metric: title, unit: 'handshakes/s', goals }],
    contenders: withSample(rivals, sample),
  }
}

/** Of the accepting process, a fresh one for each turn. */
function idle(
  rivals: readonly Rival[],
  count: number,
  certificate: Certificate | undefined,
): Contest {
  const title = 'memory per idle session'
  const sample = async ({ name, kind }: Rival) => {
    const kindName = name === 'node:net' ? 'net' : name === 'node:tls' ? 'tls' : 'XKhfs'
    await using far = await FarProcess.start(kindName, kindName === 'tls' ? certificate : undefined)
    const links: Link[] = []
    const open = async (more: number) => {
      for (let i = 0; i < more; i += 1) links.push(await kind.dial(far.address))
      return await far.memory()
    }
    const before = await open(idleBefore)
    const after = await open(count)
    for (const link of links) link.destroy()
    return [(after.rss - before.rss) / count / 1024, (after.heap - before.heap) / count / 1024]
  }
  const goals: Goal[] = [{ atMost: 1024 }, { peer: 'node:tls', atMost: 1 }]
  return {
    title,
    metrics: [
      { metric: `${title}, RSS`, unit: 'KiB', goals },
      { metric: `${title}, heap and buffers`, unit: 'KiB' },
    ],
    contenders: withSample(rivals, sample),
    roundsMax: 3,
  }
}

function withSample(
  rivals: readonly Rival[],
  sample: (rival: Rival) => Promise<readonly number[]>,
) {
  return rivals.map((rival) => ({ name: rival.name, sample: () => sample(rival) }))
}
