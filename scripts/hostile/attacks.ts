// The attacks, each a function that keeps one up until it is told to stop. Those on the door come from a
// stranger; those within come from an agent that the daemon trusts and that has turned.

import type { Socket } from 'node:net'
import { encodeFrame, encodePacket, frameKinds, writeMessageHeader } from '@myelin/wire'
import {
  cheapHellos,
  openSession,
  openSocket,
  type Rogue,
  type RogueSession,
  type Target,
} from './rogue.ts'

export interface AttackContext {
  readonly target: Target
  readonly rogue: Rogue
  /** Connections to open, all in all, for the attacks on the door. */
  readonly connections: number
  /** … and how many of them each second. */
  readonly perSecond: number
  readonly signal: AbortSignal
}

export interface AttackOutcome {
  /** Connections that were opened, and how many of them the daemon has closed since. */
  opened: number
  closed: number
  /** Records or bytes sent, for the attacks from within. */
  sent: number
  /** Codes that the daemon gave as it closed. */
  readonly codes: Record<number, number>
}

export interface Attack {
  readonly name: string
  readonly place: 'door' | 'within'
  readonly says: string
  run(context: AttackContext, outcome: AttackOutcome): Promise<void>
}

type AtDoor = (socket: Socket, context: AttackContext) => void

const announcing = (bytes: number): Uint8Array => {
  const packet = encodePacket(0, new Uint8Array(0)).slice()
  new DataView(packet.buffer).setUint32(6, bytes)
  return packet
}

/** One byte each second, for as long as the connection lives. */
function drip(socket: Socket, bytes: Uint8Array): void {
  let at = 0
  const timer = setInterval(() => {
    if (at < bytes.length && socket.writable) socket.write(bytes.subarray(at, ++at))
    else clearInterval(timer)
  }, 1000)
  socket.once('close', () => clearInterval(timer))
}

function door(name: string, says: string, prepare: (context: AttackContext) => AtDoor): Attack {
  return {
    name,
    place: 'door',
    says,
    run: async (context, outcome) => {
      await keepKnocking(context, outcome, prepare(context))
    },
  }
}

/** Opens connections at the pace until there have been enough, keeps them, and at the end drops them. */
async function keepKnocking(
  context: AttackContext,
  outcome: AttackOutcome,
  knock: AtDoor,
): Promise<void> {
  const { target, signal, connections, perSecond } = context
  const sockets = new Set<Socket>()
  const startedMs = performance.now()
  let begun = 0
  while (!signal.aborted) {
    const due = Math.min(connections, ((performance.now() - startedMs) / 1000) * perSecond)
    for (; begun < due; begun += 1) {
      void openSocket(target).then((socket) => {
        if (socket === undefined) return
        outcome.opened += 1
        sockets.add(socket)
        // It reads, so that it notices the end, and answers nothing.
        socket.resume()
        socket.once('close', () => {
          outcome.closed += 1
          sockets.delete(socket)
        })
        knock(socket, context)
      })
    }
    await pause(5)
  }
  for (const socket of sockets) socket.resetAndDestroy()
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

interface Siege {
  readonly isReading?: boolean
  /** Sessions at once. */
  readonly sessions?: number
}

/** Sessions that are opened again whenever the daemon ends them. */
function within(
  name: string,
  says: string,
  besiege: (session: RogueSession, sent: () => void) => Promise<void>,
  { isReading = true, sessions = 1 }: Siege = {},
): Attack {
  const one = async ({ rogue, target, signal }: AttackContext, outcome: AttackOutcome) => {
    while (!signal.aborted) {
      const session = await openSession(rogue, target, { isReading })
      if (session === undefined) {
        await pause(50)
        continue
      }
      outcome.opened += 1
      const stop = () => session.socket.destroy()
      signal.addEventListener('abort', stop, { once: true })
      await besiege(session, () => {
        outcome.sent += 1
      })
      await session.closed
      signal.removeEventListener('abort', stop)
      if (!signal.aborted) outcome.closed += 1
      const code = session.closeCode
      if (code !== undefined) outcome.codes[code] = (outcome.codes[code] ?? 0) + 1
      await pause(20)
    }
  }
  return {
    name,
    place: 'within',
    says,
    run: async (context, outcome) => {
      await Promise.all(Array.from({ length: sessions }, () => one(context, outcome)))
    },
  }
}

/** As many copies of a frame as fit one record. */
function recordOf(frame: Uint8Array, bytesMax = 60_000): Uint8Array {
  const copies = Math.floor(bytesMax / frame.length)
  const record = new Uint8Array(copies * frame.length)
  for (let i = 0; i < copies; i += 1) record.set(frame, i * frame.length)
  return record
}

/** A whole message frame. Types 1 and 2 are `data` and `echo`. */
export function messageFrame(typeId: number, payload: Uint8Array, flags = 0, id = 1): Uint8Array {
  const frame = new Uint8Array(16 + payload.length)
  frame.set(payload, writeMessageHeader(frame, 0, flags, typeId, id, 0, payload.length))
  return frame
}

export function streamFrame(
  streamId: number,
  { flags = 0, typeId = 0, payload = new Uint8Array(0) } = {},
): Uint8Array {
  const frame = new Uint8Array(12 + payload.length)
  const view = new DataView(frame.buffer)
  frame[0] = frameKinds.stream
  frame[1] = flags
  view.setUint16(2, typeId)
  view.setUint32(4, streamId)
  view.setUint32(8, payload.length)
  frame.set(payload, 12)
  return frame
}

function concat(frames: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(frames))
}

/** Empty messages that fit the default window of 4 MiB, at 64 bytes of credit each. */
const anchorsMax = 64_000

/** The type that the daemon of these attacks reads as a stream and never ends: see daemon.ts. */
export const sinkType = encodeFrame.defineType(64, 'sink')
const sinkTypeId = 64
/** … and a type that nobody handles. */
const noType = encodeFrame.defineType(65, 'nobody')

export const attacks: readonly Attack[] = [
  door('silent', 'connects and sends nothing', () => () => {}),
  door('hello', 'a valid first handshake message, then nothing', ({ rogue }) => {
    const next = cheapHellos(rogue)
    return (socket) => void socket.write(next())
  }),
  door('slowloris', 'a valid first message, one byte per second', ({ rogue }) => {
    const next = cheapHellos(rogue)
    return (socket) => drip(socket, next())
  }),
  door('stuffed', 'a message of 65,535 bytes but for its last one', () => {
    const packet = new Uint8Array(10 + 65_534)
    packet.set(announcing(65_535))
    return (socket) => void socket.write(packet)
  }),
  door('huge-16M', 'announces 16 MiB before the handshake and sends on', () => {
    const packet = new Uint8Array(65_536)
    packet.set(announcing(16 * 2 ** 20))
    return (socket) => void socket.write(packet)
  }),
  door('huge-4G', 'announces 4 GiB before the handshake and sends on', () => {
    const packet = new Uint8Array(65_536)
    packet.set(announcing(2 ** 32 - 1))
    return (socket) => void socket.write(packet)
  }),
  within('huge-within', 'announces 4 GiB inside the session', async (session, sent) => {
    session.socket.write(announcing(2 ** 32 - 1))
    sent()
  }),
  within(
    'streams',
    'opens as many streams as it is granted, with gaps, and holds them',
    async (session, sent) => {
      const frames = [sinkType]
      for (let i = 0; i < 1024; i += 1) {
        frames.push(
          streamFrame(i * 10, { flags: 1, typeId: sinkTypeId, payload: Uint8Array.of(1) }),
        )
      }
      session.send(concat(frames))
      sent()
    },
  ),
  within('streams-beyond', 'opens one stream more than it is granted', async (session, sent) => {
    const frames = [sinkType]
    for (let i = 0; i < 1025; i += 1)
      frames.push(streamFrame(i * 2, { flags: 1, typeId: sinkTypeId }))
    session.send(concat(frames))
    sent()
  }),
  within(
    'stream-crumbs',
    'fills the window of a stream with chunks of one byte',
    async (session, sent) => {
      session.send(sinkType, streamFrame(0, { flags: 1, typeId: sinkTypeId }))
      const crumbs = recordOf(streamFrame(0, { payload: Uint8Array.of(7) }))
      for (let i = 0; i < 50; i += 1) {
        session.send(crumbs)
        sent()
      }
    },
  ),
  within(
    'pings',
    'pings as fast as it can and reads no pong',
    flood(recordOf(encodeFrame.ping(new Uint8Array(8)))),
    { isReading: false },
  ),
  within(
    'pings-few',
    'pings in records of 64 as fast as it can, and reads the pongs',
    flood(recordOf(encodeFrame.ping(new Uint8Array(8)), 64 * 9)),
  ),
  within('empties', 'stream frames without a byte as fast as it can', async (session, sent) => {
    session.send(sinkType, streamFrame(0, { flags: 1, typeId: sinkTypeId }))
    await flood(recordOf(streamFrame(0)))(session, sent)
  }),
  within('padding', 'records of nothing as fast as it can', flood(new Uint8Array(60_000))),
  within(
    'churn',
    'opens and ends streams that nobody handles, and reads no answer',
    async (session, sent) => {
      session.send(noType)
      let id = 0
      await session.flood(() => {
        const frames: Uint8Array[] = []
        for (let i = 0; i < 500; i += 1) {
          frames.push(streamFrame(id, { flags: 3, typeId: 65 }))
          id += 2
        }
        sent()
        return concat(frames)
      })
    },
    { isReading: false },
  ),
  within('types', 'defines all the types it may, with the longest names', async (session, sent) => {
    for (let i = 0; i < 1024; i += 1) {
      session.send(encodeFrame.defineType(64 + i, `t${String(i).padStart(62, '0')}x`))
      sent()
    }
  }),
  within('types-beyond', 'defines more types than it may', async (session, sent) => {
    for (let i = 0; i < 1025; i += 1) session.send(encodeFrame.defineType(64 + i, `t${i}`))
    sent()
  }),
  within('tiny', 'empty messages to a handler that never ends', async (session, sent) => {
    await flood(recordOf(messageFrame(1, new Uint8Array(0))))(session, sent)
  }),
  within(
    'tiny-granted',
    'empty messages to a handler that never ends, as many as are granted',
    async (session, sent) => {
      const record = recordOf(messageFrame(1, new Uint8Array(0)))
      for (let left = 4 * 2 ** 20; left > record.length; left -= record.length) {
        session.send(record)
        sent()
      }
    },
  ),
  within(
    'anchors',
    'one message that is never released in each full record, as many as are granted',
    async (session, sent) => {
      const record = concat([messageFrame(1, Uint8Array.of(1)), new Uint8Array(60_000)])
      for (let i = 0; i < anchorsMax && session.socket.writable; i += 1) {
        if (!session.send(record)) await session.drained()
        sent()
      }
    },
  ),
  within('anchors-packed', 'the same, compressed', async (session, sent) => {
    const record = concat([messageFrame(1, Uint8Array.of(1)), new Uint8Array(65_000)])
    for (let i = 0; i < anchorsMax && session.socket.writable; i += 1) {
      if (!session.sendPacked(record)) await session.drained()
      sent()
    }
  }),
  within(
    'unread',
    'requests that are refused, and reads no answer',
    flood(
      concat([noType, recordOf(messageFrame(65, new Uint8Array(0), 1))]),
      recordOf(messageFrame(65, new Uint8Array(0), 1)),
    ),
    { isReading: false },
  ),
  within(
    'unread-echo',
    'requests of 16 KiB that are answered, and reads no answer',
    flood(recordOf(messageFrame(2, new Uint8Array(16_000), 1))),
    { isReading: false },
  ),
]

function flood(first: Uint8Array, then: Uint8Array = first) {
  return async (session: RogueSession, sent: () => void) => {
    session.send(first)
    await session.flood(() => {
      sent()
      return then
    })
  }
}
