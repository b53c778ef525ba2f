// Attacks over UDP, from addresses that may be anybody's: on the sealed datagrams of channels and groups (protocol §12)
// and on the handshakes of QUIC. All of it can be done by strangers, but for what was captured, which takes a place on the way.

import { memoryStore, systemRandom } from '@myelin/base/system'
import { saveAgentKeys } from '@myelin/identity'
import { createAgent, type NodeAgent } from '@myelin/node'
import { type DatagramTransport, udp } from '@myelin/transport'
import { keyFileName } from '../../packages/node/src/home.ts'
import { type Attack, type AttackContext, type AttackOutcome, pause } from './attack.ts'
import { captureInitial, initialsLike, junkInitial } from './quic-initial.ts'
import { Sources } from './spoof.ts'

type Next = () => Uint8Array

/** Datagrams in one turn of the event loop. */
const burst = 64

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const random = (bytes: number) => systemRandom.fill(new Uint8Array(bytes))
const below = (bound: number) => Math.floor(Math.random() * bound)

/** As fast as one process can, from addresses that change. */
async function keepSending(sources: Sources, next: Next, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (let i = 0; i < burst; i += 1) sources.send(next())
    await sources.renew()
    await turn()
  }
  sources.close()
}

/** … or so many each second. */
async function keepPace(sources: Sources, next: Next, perSecond: number, signal: AbortSignal) {
  const startedMs = performance.now()
  for (let sent = 0; !signal.aborted; ) {
    const due = ((performance.now() - startedMs) / 1000) * perSecond
    for (; sent < due; sent += 1) sources.send(next())
    await sources.renew()
    await pause(5)
  }
  sources.close()
}

/** What an honest peer's channel has sent: what arrived, and what was kept back on the way. */
interface Capture extends AsyncDisposable {
  readonly arrived: readonly Uint8Array[]
  readonly withheld: readonly Uint8Array[]
}

/** UDP through somebody who records all that leaves, and from `cut` on delivers none of it. */
function relayed() {
  const inner = udp()
  const arrived: Uint8Array[] = []
  const withheld: Uint8Array[] = []
  let isCut = false
  const transport: DatagramTransport = {
    kind: 'datagram',
    name: 'udp',
    handles: inner.handles,
    bind: async (address) => {
      const socket = await inner.bind(address)
      return {
        kind: 'datagram',
        transport: 'udp',
        localAddress: socket.localAddress,
        datagramBytesMax: socket.datagramBytesMax,
        attach: (handlers) => socket.attach(handlers),
        send: (bytes, to) => {
          const seen = isCut ? withheld : arrived
          seen.push(bytes.slice())
          return isCut || socket.send(bytes, to)
        },
        close: () => socket.close(),
      }
    },
  }
  const cut = () => {
    isCut = true
  }
  return { transport, arrived, withheld, cut }
}

const capturedArrived = 200
const capturedWithheld = 5_000

async function capture({ rogue, target }: AttackContext): Promise<Capture> {
  const store = memoryStore()
  const { keys } = rogue
  await saveAgentKeys(keys, { store, path: keyFileName, random: systemRandom })
  const relay = relayed()
  const agent: NodeAgent = await createAgent({
    name: 'overheard',
    store,
    listen: ['/ip4/127.0.0.1/udp/0'],
    trust: [{ agent: target.agent }],
    datagramTransport: relay.transport,
  })
  const to = `/ip4/127.0.0.1/tcp/${target.port}/p2p/${target.agent}`
  const channel = await agent.datagrams(to, { type: 'data' })
  for (let i = 0; i < capturedArrived + capturedWithheld; i += 1) {
    if (i === capturedArrived) relay.cut()
    channel.send(random(1_000))
    // Each in a datagram of its own.
    await turn()
  }
  const { arrived, withheld } = relay
  return { arrived, withheld, [Symbol.asyncDispose]: () => agent.close({ drainMs: 0 }) }
}

/** Bytes of no meaning, or in the shape of a channel's or a group's datagram. */
function shaped(): Uint8Array {
  const bytes = random(64 + below(1_100))
  const kind = below(3)
  if (kind === 1) bytes.set([0x13])
  if (kind === 2) bytes.set([0x14])
  // `13 ‖ id(8) ‖ 11 …`, `14 ‖ group(8) ‖ generation ‖ 12 …`
  if (kind === 1) bytes.set([0x11], 9)
  if (kind === 2) bytes.set([0x12], 10)
  return bytes
}

/** Half of it as strangers can make it, half as somebody on the way can: replays, changed ones, withheld ones. */
function spoofed({ arrived, withheld }: Capture): Next {
  let taken = 0
  return () => {
    const kind = below(4)
    if (kind < 2) return shaped()
    const replay = arrived[below(arrived.length)] ?? shaped()
    if (kind === 2) return replay
    if (below(8) === 0) {
      taken += 1
      // Genuine, never seen, and from a false address: it opens, and its address is challenged.
      return withheld[taken] ?? replay
    }
    const changed = replay.slice()
    changed[18 + below(changed.length - 18)] = below(256)
    // A counter that nobody has used, so that only the seal can tell.
    new DataView(changed.buffer).setUint32(15, 2 ** 20 + below(2 ** 20))
    return changed
  }
}

const largest = () => random(1_200)

async function udpSources({ target }: AttackContext, outcome: AttackOutcome): Promise<Sources> {
  return await Sources.open(target.udpPort ?? 0, outcome)
}

export const datagramAttacks: readonly Attack[] = [
  {
    name: 'udp-spoofed',
    place: 'door',
    over: 'udp',
    says: 'random, replayed, changed and withheld datagrams of a channel from false addresses',
    run: async (context, outcome) => {
      await using captured = await capture(context)
      const sources = await udpSources(context, outcome)
      await keepPace(sources, spoofed(captured), context.perSecond * 10, context.signal)
    },
  },
  {
    name: 'udp-flood',
    place: 'door',
    over: 'udp',
    says: 'datagrams in the shape of a channel’s, as fast as one process can',
    run: async (context, outcome) => {
      const datagrams = Array.from({ length: 1024 }, (_, i) => (i % 2 === 0 ? shaped() : largest()))
      let at = 0
      const next = () => {
        at += 1
        return datagrams[at % datagrams.length] as Uint8Array
      }
      await keepSending(await udpSources(context, outcome), next, context.signal)
    },
  },
  {
    name: 'quic-initials',
    place: 'door',
    over: 'quic',
    says: 'first packets of QUIC that open under no key, from many addresses',
    run: async (context, outcome) => {
      const sources = await Sources.open(context.target.quicPort ?? 0, outcome)
      await keepPace(sources, junkInitial, context.perSecond * 10, context.signal)
    },
  },
  {
    name: 'quic-hello',
    place: 'door',
    over: 'quic',
    says: 'genuine first packets of QUIC, then nothing: half-open handshakes',
    run: async (context, outcome) => {
      const next = initialsLike(await captureInitial())
      const sources = await Sources.open(context.target.quicPort ?? 0, outcome)
      await keepPace(sources, next, context.perSecond, context.signal)
    },
  },
]
