// The fast paths beside what else carries messages between Node processes. Ours is always sealed and authenticated
// on both ends; of the peers, zeromq (CURVE), libp2p (Noise), grpc and node:tls (TLS) are too, while node:net, ws
// and nats are in the clear. The rivals are packages apart: `npm run bench:rivals` installs them in rivals/.

import { shm } from '@myelin/transport'
import {
  type Amounts,
  bulk,
  closeParties,
  flood,
  full,
  handshakes,
  idle,
  openParty,
  type Party,
  quick,
  roundTrips,
  spread,
  stream,
} from './contests.ts'
import { type BenchOptions, type Contest, defineBench, type Goal } from './harness.ts'
import { multicastContest } from './multicast.ts'
import { isCertified, type KindName, makeCertificate } from './peers/kinds.ts'
import { payloadsOf } from './peers/payloads.ts'
import type { Certificate } from './peers/sockets.ts'
import { rivalNames, rivalTitle, whyMissing } from './rivals/rivals.ts'
import { openThreads } from './threads.ts'
import { urgent } from './urgent.ts'

/** Of rivals that are slower by far: turns as long as ours would take a minute. */
const slowness: Partial<Record<KindName, number>> = {
  libp2p: 10,
  zeromq: 4,
  grpc: 4,
  ws: 2,
}
/** Sessions over QUIC, each a connection of its own. */
const quicSessions = 100
const quicBulk: readonly Goal[] = [{ atLeast: 60 }]
const nearSocket: readonly Goal[] = [{ peer: 'node:net', atMost: 1.3 }]

type PartyOf = (name: KindName) => Party | undefined

export const bench = defineBench({
  name: 'speed',
  summary:
    'The fast paths of a session beside zeromq, nats, libp2p, ws, grpc, node:net and node:tls.',
  open: async (options) => {
    const certificate = makeCertificate()
    const names = present(certificate, options)
    const opened = await Promise.allSettled(names.map((name) => openParty(name, certificate)))
    const parties = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    const failed = opened.find((one) => one.status === 'rejected')
    if (failed !== undefined) {
      await closeParties(parties)
      throw failed.reason
    }
    const partyOf = (name: KindName) => parties.find(({ kindName }) => kindName === name)
    const amounts = options.isQuick ? quick : full
    const threads = await openThreads(amounts.kilobyte)
    return {
      contests: [...contestsOf(partyOf, amounts, certificate), threads.contest],
      [Symbol.asyncDispose]: async () => {
        await closeParties(parties)
        await threads[Symbol.asyncDispose]()
      },
    }
  },
})

/** Who can take part here; of the others it is said why not. */
function present(certificate: Certificate | undefined, { note }: BenchOptions): KindName[] {
  const names: KindName[] = ['XKhfs', 'XKhfs-stream', 'XKhfs-resumed', 'net']
  if (certificate === undefined) {
    note?.('no openssl here to make a certificate: node:tls is left out')
  } else {
    names.push('tls', 'tls-stream')
  }
  if (process.platform === 'win32') {
    note?.('no Unix sockets on Windows: the round trip over IPC is left out')
  } else {
    names.push('XKhfs-ipc', 'net-ipc')
  }
  if (shm.isAvailable()) {
    names.push('XKhfs-shm')
  } else {
    note?.('no shared memory in this process: the round trip over it is left out')
  }
  if (hasQuic()) {
    names.push('XKhfs-quic', 'XKhfs-quic-stream')
  } else {
    note?.('no @chainsafe/libp2p-quic here: sessions over QUIC are left out')
  }
  for (const rival of rivalNames) {
    const reason = whyMissing(rival, certificate)
    if (reason === undefined) names.push(rival)
    else note?.(`${rivalTitle(rival)} is left out: ${reason}`)
  }
  return names.filter((name) => !isCertified(name) || certificate !== undefined)
}

/** The package that the transport loads when it is used. */
function hasQuic(): boolean {
  try {
    import.meta.resolve('@chainsafe/libp2p-quic')
    return true
  } catch {
    return false
  }
}

const multicastReceivers = [1, 2, 4, 8] as const
const multicastRoundsMax = 3

/** Deliveries are messages × receivers (B20); the law says what one message costs with any number of them. */
function multicast(datagramBytes: number, durationMs: number): Contest {
  const title = `UDP multicast of 64 B in datagrams of ${datagramBytes} B`
  return {
    title,
    metrics: [
      ...multicastReceivers.map((receivers) => ({
        metric: `${title}, ${receivers} receivers`,
        unit: 'deliveries/s',
      })),
      { metric: `${title}, a message`, unit: 'µs' },
      { metric: `${title}, and for each receiver`, unit: 'µs' },
      { metric: `${title}, lost at most`, unit: '%' },
    ],
    contenders: [
      {
        name: 'myelin',
        sample: async () => {
          const { figures, law } = await multicastContest({
            receivers: multicastReceivers,
            datagramBytes,
            durationMs,
          })
          const losses = figures.map(({ loss }) => loss)
          return [
            ...figures.map(({ deliveredPerSecond }) => deliveredPerSecond),
            law.baseUs,
            law.perReceiverUs,
            100 * Math.max(...losses),
          ]
        },
      },
    ],
    roundsMax: multicastRoundsMax,
  }
}

function contestsOf(
  partyOf: PartyOf,
  amounts: Amounts,
  certificate: Certificate | undefined,
): Contest[] {
  const those = (...names: readonly KindName[]) =>
    names.map(partyOf).filter((party) => party !== undefined)
  const kilobytes = ({ kindName }: Party) => Math.ceil(amounts.kilobyte / (slowness[kindName] ?? 1))
  return [
    flood(those('XKhfs', 'net'), payloadsOf(64), amounts.small, {
      title: '64 B messages, one way',
      goals: [{ atLeast: 1_000_000 }, { peer: 'node:net', atLeast: 0.4 }],
    }),
    flood(those('XKhfs', ...rivalNames), payloadsOf(1024), kilobytes, {
      title: '1 KiB messages, one way',
      goals: [
        { peer: rivalTitle('zeromq'), atLeast: 3 },
        { peer: rivalTitle('nats'), atLeast: 1 },
        { peer: rivalTitle('libp2p'), atLeast: 10 },
      ],
    }),
    stream(those('XKhfs-stream', 'tls-stream'), amounts.bulk, {
      title: 'bulk stream',
      goals: [{ peer: 'node:tls', atLeast: 0.9 }],
    }),
    roundTrips(those('XKhfs', 'net', ...rivalNames), amounts.roundTrips, {
      title: '1 KiB round trip over TCP',
      goals: nearSocket,
      goalsP99: [],
    }),
    roundTrips(those('XKhfs-ipc', 'net-ipc'), amounts.roundTrips, {
      title: '1 KiB round trip over IPC',
      goals: nearSocket,
      goalsP99: [],
    }),
    roundTrips(those('XKhfs-shm'), amounts.roundTrips, {
      title: '1 KiB round trip over shared memory',
      goals: [{ atMost: 10 }],
      goalsP99: [],
    }),
    handshakes(those('XKhfs', 'tls'), amounts.handshakes, {
      title: 'full handshakes over TCP',
      goals: [{ peer: 'node:tls', atLeast: 1 }],
    }),
    handshakes(those('XKhfs-resumed', 'XKhfs', 'tls'), amounts.handshakes, {
      title: 'resumed handshakes over TCP',
      goals: [{ peer: 'myelin', atLeast: 1 }],
    }),
    idle(those('XKhfs', 'tls'), amounts.idle, certificate, {
      title: 'memory per idle session',
      goals: [],
      goalsHeap: [{ atMost: 12 }],
    }),
    ...urgentContests(those, amounts),
    ...quicContests(those, amounts),
    ...[1_200, 8_192].map((bytes) => multicast(bytes, amounts.small / 4_000)),
  ].filter(({ contenders }) => contenders.length > 0)
}

type PartiesOf = (...names: readonly KindName[]) => readonly Party[]

function urgentContests(those: PartiesOf, { transfer: payloads }: Amounts): Contest[] {
  const during = (what: string) => `critical request during a transfer of ${what}`
  return [
    ...urgent(those('XKhfs'), { title: during('normal messages'), priority: 'normal', payloads }),
    ...urgent(those('XKhfs'), { title: during('low messages'), priority: 'low', payloads }),
    ...urgent(those('XKhfs-stream'), { title: during('a stream'), payloads }),
  ]
}

function quicContests(those: PartiesOf, amounts: Amounts): Contest[] {
  const goals: readonly Goal[] = [{ atLeast: 1_000_000 }]
  return [
    bulk(those('XKhfs-quic'), amounts.bulk, {
      title: '1 MiB messages over QUIC',
      goals: quicBulk,
    }),
    stream(those('XKhfs-quic-stream'), amounts.bulk, {
      title: 'bulk stream over QUIC',
      goals: quicBulk,
    }),
    spread(those('XKhfs-quic'), quicSessions, amounts.small, {
      title: `64 B messages over ${quicSessions} QUIC sessions`,
      goals,
    }),
    spread(those('XKhfs-quic-stream'), quicSessions, amounts.small, {
      title: `64 B writes to ${quicSessions} streams, each in a QUIC session`,
      goals,
      isStream: true,
    }),
  ]
}
