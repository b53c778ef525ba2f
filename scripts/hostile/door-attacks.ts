// Attacks of strangers: connections that never become sessions.

import type { Socket } from 'node:net'
import { encodePacket } from '@myelin/wire'
import { type Attack, type AttackContext, type AttackOutcome, pause } from './attack.ts'
import { cheapHellos, openSocket } from './rogue.ts'

type Knock = (socket: Socket) => void

/** A packet header that announces so many bytes. */
export function announcing(bytes: number): Uint8Array {
  const packet = encodePacket(0, new Uint8Array(0)).slice()
  new DataView(packet.buffer).setUint32(6, bytes)
  return packet
}

/** A header, and as many zero bytes behind it as the length says. */
function begun(announcedBytes: number, bytes: number): Uint8Array {
  const packet = new Uint8Array(10 + bytes)
  packet.set(announcing(announcedBytes))
  return packet
}

/** One byte each second, for as long as the connection lives. */
function drip(socket: Socket, bytes: Uint8Array): void {
  let at = 0
  const timer = setInterval(() => {
    if (at < bytes.length && socket.writable) socket.write(bytes.subarray(at, at + 1))
    at += 1
  }, 1000)
  socket.once('close', () => clearInterval(timer))
}

function door(name: string, says: string, prepare: (context: AttackContext) => Knock): Attack {
  const run = (context: AttackContext, outcome: AttackOutcome) =>
    keepKnocking(context, outcome, prepare(context))
  return { name, place: 'door', says, run }
}

/** Opens connections at the pace until there have been enough, keeps them, and drops them at the end. */
async function keepKnocking(
  { target, signal, connections, perSecond }: AttackContext,
  outcome: AttackOutcome,
  knock: Knock,
): Promise<void> {
  const sockets = new Set<Socket>()
  const open = async () => {
    const socket = await openSocket(target)
    if (socket === undefined) return
    outcome.opened += 1
    sockets.add(socket)
    // It reads, so that it notices the end, and answers nothing.
    socket.resume()
    socket.once('end', () => socket.destroy())
    socket.once('close', () => {
      outcome.closed += 1
      sockets.delete(socket)
    })
    knock(socket)
  }
  const startedMs = performance.now()
  for (let begun = 0; !signal.aborted; ) {
    const due = Math.min(connections, ((performance.now() - startedMs) / 1000) * perSecond)
    for (; begun < due; begun += 1) void open()
    await pause(5)
  }
  for (const socket of sockets) socket.resetAndDestroy()
}

const nearlyWhole = begun(65_535, 65_534)
const nearlyGreeted = begun(2048, 2047)

export const doorAttacks: readonly Attack[] = [
  door('silent', 'connects and sends nothing', () => () => {}),
  door('hello', 'a valid first handshake message, then nothing', ({ rogue }) => {
    const next = cheapHellos(rogue)
    return (socket) => void socket.write(next())
  }),
  door('slowloris', 'a valid first message, one byte per second', ({ rogue }) => {
    const next = cheapHellos(rogue)
    return (socket) => drip(socket, next())
  }),
  door(
    'stuffed',
    'the longest first message but for its last byte',
    () => (socket) => void socket.write(nearlyGreeted),
  ),
  door(
    'second-stuffed',
    'a valid first message, then the longest second one but for its last byte',
    ({ rogue }) => {
      const next = cheapHellos(rogue)
      return (socket) => {
        socket.write(next())
        socket.once('data', () => socket.writable && socket.write(nearlyWhole))
      }
    },
  ),
  door('huge-64K', 'announces 65,535 bytes as its first message and sends them', () => {
    return (socket) => void socket.write(nearlyWhole)
  }),
  door('huge-16M', 'announces 16 MiB and sends on', () => {
    const packet = begun(16 * 2 ** 20, 65_536)
    return (socket) => void socket.write(packet)
  }),
  door('huge-4G', 'announces 4 GiB and sends on', () => {
    const packet = begun(2 ** 32 - 1, 65_536)
    return (socket) => void socket.write(packet)
  }),
]
