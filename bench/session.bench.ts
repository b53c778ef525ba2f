// Sessions over TCP on the loopback, between two processes, beside node:net in the clear and node:tls 1.3 with
// the same hybrid key exchange and both sides authenticated. What each peer does is in peers/sockets.ts.

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
} from './contests.ts'
import { type Arena, defineBench, type Goal } from './harness.ts'
import { makeCertificate } from './peers/kinds.ts'
import { payloadsOf } from './peers/payloads.ts'
import type { Certificate } from './peers/sockets.ts'

const handshakeGoals: readonly Goal[] = [{ atLeast: 200 }, { peer: 'node:tls', atLeast: 0.5 }]

export const bench = defineBench({
  name: 'session',
  summary:
    'Messages, bulk, round trips, handshakes and memory of a session, beside node:net and node:tls.',
  open: async ({ isQuick = false, note }) => {
    const certificate = makeCertificate()
    if (certificate === undefined)
      note?.('no openssl here to make a certificate: node:tls is left out')
    const parties: Party[] = []
    for (const name of ['XKhfs', 'XXhfs', 'net', 'tls'] as const) {
      if (name === 'tls' && certificate === undefined) continue
      parties.push(await openParty(name, certificate))
    }
    return arenaOf(parties, isQuick ? quick : full, certificate)
  },
})

function arenaOf(
  parties: readonly Party[],
  amounts: Amounts,
  certificate: Certificate | undefined,
): Arena {
  const [xk, xx, ...peers] = parties as [Party, Party, ...Party[]]
  const all = [xk, ...peers]
  const secure = peers.filter(({ name }) => name === 'node:tls')
  return {
    contests: [
      flood(all, payloadsOf(64), amounts.small, {
        title: '64 B messages, one way',
        goals: [{ atLeast: 1_000_000 }, { peer: 'node:tls', atLeast: 0.5 }],
      }),
      flood(all, payloadsOf(1024), amounts.kilobyte, {
        title: '1 KiB messages, one way',
        goals: [{ atLeast: 100_000 }, { peer: 'node:tls', atLeast: 0.75 }],
      }),
      bulk(all, amounts.bulk, {
        title: '1 MiB messages, one way',
        goals: [{ atLeast: 100 }, { peer: 'node:tls', atLeast: 0.5 }],
      }),
      roundTrips(all, amounts.roundTrips, {
        title: '1 KiB round trip',
        goals: [{ peer: 'node:tls', atMost: 1.5 }],
        goalsP99: [{ peer: 'node:tls', atMost: 2 }],
      }),
      handshakes([xk, ...secure], amounts.handshakes, {
        title: 'XKhfs handshakes',
        goals: handshakeGoals,
      }),
      handshakes([xx, ...secure], amounts.handshakes, {
        title: 'XXhfs handshakes',
        goals: handshakeGoals,
      }),
      idle(all, amounts.idle, certificate, {
        title: 'memory per idle session',
        goals: [{ atMost: 1024 }, { peer: 'node:tls', atMost: 1 }],
        goalsHeap: [],
      }),
    ],
    [Symbol.asyncDispose]: () => closeParties(parties),
  }
}
