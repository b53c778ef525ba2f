// What an attack is. Each keeps going until it is told to stop and counts what it did.

import type { Rogue, Target } from './rogue.ts'

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
  /** Connections that were opened, and how many of them the daemon has closed. */
  opened: number
  closed: number
  /** Attempts at a session that failed. */
  refused: number
  /** Records sent, for the attacks from within; datagrams, for those over UDP. */
  sent: number
  /** Over UDP: bytes to the daemon, bytes that came back, and the most that came back for each byte of one address. */
  bytesSent: number
  bytesBack: number
  amplificationMax: number
  /** Close codes that the daemon gave. */
  readonly codes: Record<number, number>
}

export interface Attack {
  readonly name: string
  /** From a stranger, or from an agent that the daemon trusts and that has turned. */
  readonly place: 'door' | 'within'
  /** Where the daemon listens beside TCP. */
  readonly over?: 'udp' | 'quic'
  readonly says: string
  run(context: AttackContext, outcome: AttackOutcome): Promise<void>
}

export const noOutcome = (): AttackOutcome => ({
  opened: 0,
  closed: 0,
  refused: 0,
  sent: 0,
  bytesSent: 0,
  bytesBack: 0,
  amplificationMax: 0,
  codes: {},
})

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
