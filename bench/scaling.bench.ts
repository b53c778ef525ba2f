// How cost grows: with the size of messages, with the number of sessions and with the number of streams in one, for
// docs/performance.md. Two processes over TCP; node:net in the clear has the same task where there is one.

import type { SessionStream } from '@myelin/session'
import { closeParties, flood, openParty, type Party, pour, spread } from './contests.ts'
import { type Contest, defineBench } from './harness.ts'
import type { SessionLink } from './peers/myelin.ts'
import { payloadsOf } from './peers/payloads.ts'

const sizes = [16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576]
const streamCounts = [1, 16, 256]
const writeBytes = 1_024

interface Amounts {
  /** Of a turn: so many messages, or so many bytes where that is less. */
  readonly messages: number
  readonly bytes: number
  readonly sessionCounts: readonly number[]
}

const full: Amounts = { messages: 500_000, bytes: 200_000_000, sessionCounts: [1, 8, 64, 512] }
const quick: Amounts = { messages: 5_000, bytes: 4_000_000, sessionCounts: [1, 8] }

export const bench = defineBench({
  name: 'scaling',
  summary: 'Messages per second by size, by number of sessions and by number of streams.',
  open: async ({ isQuick = false }) => {
    const parties: Party[] = []
    for (const name of ['XKhfs', 'net'] as const) parties.push(await openParty(name, undefined))
    const amounts = isQuick ? quick : full
    const messagesOf = (bytes: number) =>
      Math.max(1, Math.min(amounts.messages, Math.floor(amounts.bytes / bytes)))
    const [own] = parties as [Party]
    return {
      contests: [
        ...sizes.map((bytes) =>
          flood(parties, payloadsOf(bytes), messagesOf(bytes), {
            title: `messages of ${sizeOf(bytes)}, one session`,
            goals: [],
          }),
        ),
        ...amounts.sessionCounts.map((sessions) =>
          spread(parties, sessions, messagesOf(writeBytes), {
            title: `messages of ${sizeOf(writeBytes)}, ${counted(sessions, 'session')}`,
            goals: [],
            payloadBytes: writeBytes,
          }),
        ),
        ...streamCounts.map((streams) => manyStreams(own, streams, messagesOf(writeBytes))),
      ],
      [Symbol.asyncDispose]: () => closeParties(parties),
    }
  },
})

/** All in one session, written in turns. They are opened at the first turn and stay. */
function manyStreams({ name, far, link }: Party, streams: number, writes: number): Contest {
  const title = `writes of ${sizeOf(writeBytes)}, ${counted(streams, 'stream')} in one session`
  const payloads = payloadsOf(writeBytes)
  const each = Math.ceil(writes / streams)
  const bytes = each * streams * writeBytes
  const opened: SessionStream[] = []
  const sample = async () => {
    const { session } = link as SessionLink
    while (opened.length < streams) opened.push(session.openStream('bulk'))
    await far.begin({ do: 'bytes', bytes })
    const arrived = far.report()
    const startMs = performance.now()
    await Promise.all(
      opened.map((stream) => {
        const send = (payload: Uint8Array) => stream.write(payload)
        return pour({ send, drained: () => stream.drained() }, payloads, each)
      }),
    )
    const { received } = await arrived
    if (received?.bytes !== bytes) throw new Error(`${received?.bytes} bytes arrived of ${bytes}`)
    return [(each * streams) / ((performance.now() - startMs) / 1000)]
  }
  return {
    title,
    metrics: [{ metric: title, unit: 'writes/s' }],
    contenders: [{ name, sample }],
  }
}

function sizeOf(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`
  return bytes < 1_048_576 ? `${bytes / 1_024} KiB` : `${bytes / 1_048_576} MiB`
}

function counted(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`
}
