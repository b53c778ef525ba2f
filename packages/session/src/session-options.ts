// What sessions are made of: the environment that all sessions of an agent share, and what each has of its
// own. `sessionEnvironment` fills in the defaults.

import type { Clock, Logger, Random } from '@myelin/base'
import { silentLogger } from '@myelin/base'
import type { AgentId, AgentKeys, PeerRecord } from '@myelin/identity'
import { builtInTypes, internalTypes } from '@myelin/wire'
import type { SessionError, SessionErrorCode } from './errors.ts'
import type { IncomingMessage } from './incoming.ts'
import * as limits from './limits.ts'
import { Lingering } from './lingering.ts'
import { type Abilities, defaultAbilities } from './negotiation.ts'
import { NonceCache } from './nonce-cache.ts'
import { RecordBuffers } from './record-buffers.ts'
import type { RekeyLimits } from './record-writer.ts'
import type { Resumptions } from './resumptions.ts'
import type { Session } from './session.ts'
import type { SessionStream } from './session-stream.ts'

/** Whom the handshake proved to be there. */
export interface Candidate {
  readonly peer: PeerRecord
  /** The secret of a join token, where the peer presented one. */
  readonly token: Uint8Array | undefined
  /** We called (true) or were called. */
  readonly isInitiator: boolean
  readonly remoteAddress: string
}

/** The decision on a candidate. Deny by default. */
export type Admission =
  | { readonly isAdmitted: true; readonly roles: readonly string[] }
  | { readonly isAdmitted: false; readonly code: SessionErrorCode; readonly detail?: string }

export interface SessionEnvironment {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly keys: AgentKeys
  /** Our peer record as of now. */
  record(): PeerRecord
  /** Asked once for each session, after the handshake has proved who is there. */
  authorize(candidate: Candidate): Admission | Promise<Admission>
  readonly abilities: Abilities
  readonly requireHybrid: boolean
  readonly nonces: NonceCache
  /** Tickets for resuming sessions; undefined for full handshakes always. */
  readonly resumptions?: Resumptions | undefined
  readonly buffers: RecordBuffers
  /** Names of message types with fixed numbers below 64. */
  readonly builtInTypes: ReadonlyMap<string, number>
  readonly timestampWindowMs: number
  readonly handshakeTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly heartbeatMissesMax: number
  readonly closeTimeoutMs: number
  /** Connections of strangers that were refused, and those of peers whose session has ended. */
  readonly refused: Lingering
  readonly ended: Lingering
  readonly compressionThresholdBytes: number
  readonly messageBytesMax: number
  readonly dataWindowBytes: number
  readonly rekey: RekeyLimits
}

const builtInTypeNumbers: ReadonlyMap<string, number> = new Map([
  ...Object.values(builtInTypes).map((type) => [type.name, type.id] as const),
  ...internalTypes,
])

type Required = 'clock' | 'random' | 'keys' | 'record' | 'authorize'

/** An environment with defaults for all that is not given. */
export function sessionEnvironment(
  parts: Pick<SessionEnvironment, Required> & Partial<SessionEnvironment>,
): SessionEnvironment {
  const { clock, closeTimeoutMs: lingerMs = limits.closeTimeoutMs } = parts
  return {
    logger: silentLogger,
    abilities: defaultAbilities,
    requireHybrid: true,
    nonces: new NonceCache(limits.noncesRemembered),
    buffers: new RecordBuffers(),
    builtInTypes: builtInTypeNumbers,
    timestampWindowMs: limits.timestampWindowMs,
    handshakeTimeoutMs: limits.handshakeTimeoutMs,
    heartbeatIntervalMs: limits.heartbeatIntervalMs,
    heartbeatMissesMax: limits.heartbeatMissesMax,
    closeTimeoutMs: lingerMs,
    refused: new Lingering({ clock, lingerMs, streamsMax: limits.refusedLingeringMax }),
    ended: new Lingering({ clock, lingerMs, streamsMax: limits.endedLingeringMax }),
    compressionThresholdBytes: 512,
    messageBytesMax: limits.messageBytesMax,
    dataWindowBytes: limits.dataWindowBytes,
    rekey: { messages: limits.rekeyMessages, bytes: limits.rekeyBytes, ms: limits.rekeyMs },
    ...parts,
  }
}

/** What a session tells its owner. Calls are synchronous, in order, and must not throw. */
export interface SessionHandlers {
  /** The session is open for both sides; nothing has arrived in it yet. */
  opened?(session: Session): void
  /** A message or request. Call `release` on it when it has been dealt with. */
  message(message: IncomingMessage, session: Session): void
  /** The peer opened a stream. */
  stream(stream: SessionStream, session: Session): void
  /** There is room in the send queue again, after a `post` that returned false. */
  drain?(session: Session): void
  /** The end, once. `SESSION_CLOSED` where it was wished by either side. */
  closed(error: SessionError, session: Session): void
}

export interface DialSessionOptions {
  readonly handlers: SessionHandlers
  /** The agent that must answer. */
  readonly expected?: AgentId | undefined
  /** Its static key, from its peer record: one message less in the clear. */
  readonly staticKey?: Uint8Array | undefined
  /** Secret of a join token. */
  readonly token?: Uint8Array | undefined
  readonly signal?: AbortSignal | undefined
  /** False: without the post-quantum part. For peers that have none. */
  readonly hybrid?: boolean
}

export interface AcceptSessionOptions {
  readonly handlers: SessionHandlers
  /** Ends the attempt at once. Where its reason is a `SessionError`, the caller is told that first. */
  readonly signal?: AbortSignal | undefined
  /** Asked when the first message is there, before any key is derived from it: a code refuses the caller. */
  readonly greeted?: (() => SessionErrorCode | undefined) | undefined
  /** The caller has proved who it is and may come in. */
  readonly admitted?: (() => void) | undefined
}
