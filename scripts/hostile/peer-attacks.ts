// Attacks of a trusted agent that has turned: everything that a session lets a peer say, without measure.

import { encodeFrame, messageFlags, streamFlags } from '@myelin/wire'
import { type Attack, type AttackContext, type AttackOutcome, pause } from './attack.ts'
import { announcing } from './door-attacks.ts'
import {
  joined,
  messageFrame,
  padding,
  partFrame,
  pingFrame,
  recordOf,
  streamFrame,
} from './frames.ts'
import { openSession, type RogueSession } from './rogue.ts'

/** Runs in one session. The session then stays until the daemon ends it or the attack is over. */
type Siege = (session: RogueSession, sent: () => void) => Promise<void> | void

interface SiegeOptions {
  readonly isReading?: boolean
  /** Without its settings a session is never confirmed. */
  readonly hasSettings?: boolean
  /** Attempts at a session that go on at once. */
  readonly sessions?: number
}

/** Sessions that are opened again whenever the daemon ends them. */
function within(name: string, says: string, siege: Siege, options: SiegeOptions = {}): Attack {
  const { sessions = 1 } = options
  const run = async (context: AttackContext, outcome: AttackOutcome) => {
    const sieges = Array.from({ length: sessions }, async () => {
      while (!context.signal.aborted) await besiege(context, outcome, siege, options)
    })
    await Promise.all(sieges)
  }
  return { name, place: 'within', says, run }
}

async function besiege(
  { rogue, target, signal }: AttackContext,
  outcome: AttackOutcome,
  siege: Siege,
  options: SiegeOptions,
): Promise<void> {
  const session = await openSession(rogue, target, options)
  if (session === undefined) {
    outcome.refused += 1
    await pause(50)
    return
  }
  outcome.opened += 1
  const stop = () => session.socket.destroy()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  await siege(session, () => {
    outcome.sent += 1
  })
  await session.closed
  signal.removeEventListener('abort', stop)
  if (!signal.aborted) outcome.closed += 1
  const code = session.closeCode
  if (code !== undefined) outcome.codes[code] = (outcome.codes[code] ?? 0) + 1
  await pause(20)
}

/** `first`, then `then` as fast as it is taken. */
function flood(first: Uint8Array, then: Uint8Array = first): Siege {
  return async (session, sent) => {
    session.send(first)
    await session.flood(() => {
      sent()
      return then
    })
  }
}

/** So many records, each as soon as the system takes it. */
function burst(records: number, recordAt: (i: number) => Uint8Array, isPacked = false): Siege {
  return async (session, sent) => {
    for (let i = 0; i < records && session.socket.writable; i += 1) {
      const record = recordAt(i)
      if (!(isPacked ? session.sendPacked(record) : session.send(record))) await session.drained()
      sent()
    }
  }
}

// The daemon under attack (daemon.ts) answers `echo`, never ends its handler of `data`, never reads a stream of
// type `sink`, fills one of type `source` for as long as it is read, sends acknowledged messages to whoever opens one
// of type `spill`, and knows no type `nobody`.
const [data, echo] = [1, 2]
const [sink, nobody, source, spill] = [64, 65, 66, 67]
const sinkType = encodeFrame.defineType(sink, 'sink')
const nobodyType = encodeFrame.defineType(nobody, 'nobody')
const sourceType = encodeFrame.defineType(source, 'source')
const spillType = encodeFrame.defineType(spill, 'spill')
const opened = { flags: streamFlags.open, typeId: sink }
const one = Uint8Array.of(7)
const tiny = messageFrame(data)
const unanswered = recordOf(messageFrame(nobody, undefined, messageFlags.request))

/** So many streams in one record, with ids that are `gap` apart. */
const streams = (count: number, gap: number) =>
  joined(sinkType, ...Array.from({ length: count }, (_, i) => streamFrame(i * gap, opened)))

/** The first window of 1 MiB, at 64 bytes of credit for each message or chunk and its payload. */
const windowBytes = 2 ** 20
const fits = (payloadBytes: number) => Math.floor(windowBytes / (64 + payloadBytes))
const crumbs = recordOf(streamFrame(0, { payload: one }))
const crumbsInRecord = crumbs.length / 13
const tinyInRecord = recordOf(tiny).length / tiny.length

/** Streams that open and end, without end. */
function churn(): Siege {
  let id = 0
  return async (session, sent) => {
    session.send(nobodyType)
    id = 0
    await session.flood(() => {
      sent()
      const frames = Array.from({ length: 500 }, () => {
        id += 2
        return streamFrame(id, { flags: streamFlags.open | streamFlags.fin, typeId: nobody })
      })
      return joined(...frames)
    })
  }
}

const zeros = (bytes: number) => new Uint8Array(bytes)

const unread = { isReading: false } as const
const longName = (i: number) => `t${String(i).padStart(254, '0')}`

export const peerAttacks: readonly Attack[] = [
  within('mute', 'proves who it is and never sends its settings', () => {}, {
    hasSettings: false,
    sessions: 400,
  }),
  within('sessions', 'opens as many sessions as it can', () => {}, { sessions: 50 }),
  within('huge-within', 'announces 4 GiB inside the session', (session) => {
    session.socket.write(announcing(2 ** 32 - 1))
  }),
  within(
    'streams',
    'opens all the streams it may, with gaps',
    burst(1, () => streams(1024, 10)),
  ),
  within(
    'streams-beyond',
    'opens one stream more than it may',
    burst(1, () => streams(1025, 2)),
  ),
  within(
    'stream-crumbs',
    'fills the window with chunks of one byte',
    burst(1 + Math.floor(fits(1) / crumbsInRecord), (i) => {
      return i === 0 ? joined(sinkType, streamFrame(0, opened)) : crumbs
    }),
  ),
  within('parts', 'begins messages of 16 MiB and ends none', (session, sent) => {
    const part = new Uint8Array(60_000)
    const more = messageFlags.more
    const begin = (id: number) => messageFrame(data, part, more, id)
    const records = 4 * Math.floor((16 * 2 ** 20) / part.length)
    return burst(records, (i) => {
      return i < 4 ? begin(i) : partFrame(i % 4, part, more)
    })(session, sent)
  }),
  within('part-crumbs', 'begins a message and sends it in parts of one byte', (session, sent) => {
    const more = messageFlags.more
    session.send(messageFrame(data, one, more, 1))
    return burst(14, () => recordOf(partFrame(1, one, more)))(session, sent)
  }),
  within('pings', 'pings without end and reads no pong', flood(recordOf(pingFrame)), unread),
  within('pings-read', 'pings 64 in a record without end', flood(recordOf(pingFrame, 64 * 9))),
  within('empties', 'stream frames that say nothing', (session, sent) => {
    session.send(joined(sinkType, streamFrame(0, opened)))
    return flood(recordOf(streamFrame(0)))(session, sent)
  }),
  within('padding', 'records of nothing without end', flood(padding(60_000))),
  within('churn', 'opens and ends streams without end and reads no answer', churn(), unread),
  within('types', 'defines all the types it may, with the longest names', (session, sent) =>
    burst(1024, (i) => encodeFrame.defineType(64 + i, longName(i)))(session, sent),
  ),
  within('types-beyond', 'defines one type more than it may', (session, sent) =>
    burst(1025, (i) => encodeFrame.defineType(64 + i, longName(i)))(session, sent),
  ),
  within(
    'tiny-granted',
    'empty messages to a handler that never ends, all that are granted',
    burst(Math.floor(fits(0) / tinyInRecord), () => recordOf(tiny)),
  ),
  within('tiny', 'the same without end, in session after session', flood(recordOf(tiny))),
  within(
    'anchors',
    'one message that is never released in each full record',
    burst(fits(1), () => joined(messageFrame(data, one), padding(60_000))),
  ),
  within(
    'anchors-packed',
    'the same, compressed',
    burst(fits(1), () => joined(messageFrame(data, one), padding(60_000)), true),
  ),
  within(
    'bombs',
    'records of some bytes that unpack to 64 KiB, to a handler that never ends',
    burst(fits(60_000), () => messageFrame(data, zeros(60_000)), true),
  ),
  within(
    'bombs-beyond',
    'records of some bytes that would unpack to 15 MiB',
    burst(1, () => messageFrame(data, zeros(15 * 2 ** 20)), true),
  ),
  within(
    'unread',
    'requests that are refused, and reads no answer',
    flood(joined(nobodyType, unanswered), unanswered),
    unread,
  ),
  within(
    'unread-echo',
    'requests of 16 KB that are answered, and reads no answer',
    flood(recordOf(messageFrame(echo, new Uint8Array(16_000), messageFlags.request))),
    unread,
  ),
  within(
    'unread-streams',
    'opens all the streams it may to one who fills them, and reads nothing',
    burst(1, () => {
      const first = { flags: streamFlags.open, typeId: source }
      return joined(
        sourceType,
        ...Array.from({ length: 1024 }, (_, i) => streamFrame(2 * i, first)),
      )
    }),
    unread,
  ),
  within(
    'unacked',
    'reads all that is sent to it at least once, and acknowledges nothing',
    burst(1, () => joined(spillType, streamFrame(0, { flags: streamFlags.open, typeId: spill }))),
  ),
]
