// What the full handshake (handshake.ts) and the resumed one (resumed-handshake.ts) share: their context and
// outcome, and the checks of time, nonce and negotiation, which are the same in both.

import { concatBytes, type Random, utf8Encode } from '@myelin/base'
import { concealFields, type HandshakeState, wipe } from '@myelin/crypto'
import type { AgentKeys, PeerRecord } from '@myelin/identity'
import { refusal, type SessionError, type SessionErrorCode } from './errors.ts'
import { type Accept, decodeHello, type Hello, noCertificates } from './handshake-payload.ts'
import { handshakeBytesMax } from './limits.ts'
import {
  type Abilities,
  type Agreement,
  chooseFrom,
  compressionOfNumber,
  type HandshakePattern,
  handshakePatterns,
  isOffered,
  offerOf,
  suiteOfNumber,
} from './negotiation.ts'
import type { NonceCache } from './nonce-cache.ts'
import { type Resumption, resumptionOf } from './resumption-secret.ts'
import type { Resumptions } from './resumptions.ts'
import { type TrafficSecrets, trafficSecrets } from './traffic-secrets.ts'

/** What both roles need. */
export interface HandshakeContext {
  readonly keys: AgentKeys
  /** Our own peer record, as it is sent. */
  readonly record: PeerRecord
  readonly abilities: Abilities
  /** Refuse handshakes without the post-quantum part. */
  readonly requireHybrid: boolean
  readonly timestampWindowMs: number
  /** Nonces of handshakes that were received or sent by this agent. */
  readonly nonces: NonceCache
  readonly random: Random
  /** Bytes that only the ends of an outer secure channel share. */
  readonly channelBinding?: Uint8Array | undefined
  /** Tickets of earlier sessions; without them every handshake is a full one. */
  readonly resumptions?: Resumptions | undefined
}

/** The outcome: who is there, what was agreed, and the secrets of both directions. */
export interface Established {
  readonly pattern: HandshakePattern
  readonly agreement: Agreement
  readonly peer: PeerRecord
  /** The join token's secret, where the initiator sent one. */
  readonly token: Uint8Array | undefined
  /** Noise handshake hash, 32 bytes: the same on both sides, different for each session. */
  readonly transcript: Uint8Array
  /** The initiator's timestamp: message timestamps count from it. */
  readonly epochMs: number
  readonly secrets: TrafficSecrets
  /** What the next session of the two can begin with, where this agent resumes sessions. */
  readonly resumption?: Resumption | undefined
}

/** A step's outcome. `error` is for us; its code's number is what the peer may be told. */
export type HandshakeStep<Next> =
  | { readonly kind: 'continue'; readonly send: Uint8Array; readonly next: Next }
  | { readonly kind: 'established'; readonly send?: Uint8Array; readonly established: Established }
  | { readonly kind: 'failed'; readonly error: SessionError }

export type FailedStep = HandshakeStep<never> & { readonly kind: 'failed' }

const prologueLabel = utf8Encode('myelin session')

/** `rest`: the channel binding, behind the ticket's id in a resumed handshake. */
export function prologue(pattern: HandshakePattern, ...rest: readonly Uint8Array[]): Uint8Array {
  return concatBytes(prologueLabel, Uint8Array.of(handshakePatterns[pattern].number), ...rest)
}

export function openMessage(noise: HandshakeState, bytes: Uint8Array): Uint8Array | FailedStep {
  if (bytes.length > handshakeBytesMax) return failed('SESSION_HANDSHAKE_MALFORMED', 'too long')
  const opened = noise.readMessage(bytes)
  if (opened.ok) return opened.value
  const isAltered = opened.fault === 'noise_decrypt'
  return failed(
    isAltered ? 'SESSION_HANDSHAKE_DECRYPT' : 'SESSION_HANDSHAKE_MALFORMED',
    isAltered ? undefined : opened.fault,
  )
}

export interface Judged {
  readonly hello: Hello
  readonly agreement: Agreement
}

/** What the responder checks of a hello, before any further key is derived. */
export function judgeHello(
  { timestampWindowMs, nonces, abilities }: HandshakeContext,
  payload: Uint8Array,
  nowMs: number,
): Judged | FailedStep {
  const decoded = decodeHello(payload)
  if (!decoded.ok) return failed('SESSION_HANDSHAKE_MALFORMED', decoded.fault)
  const hello = decoded.value
  // Time first: a hello outside the window must not push others out of the nonce cache.
  if (isOutside(hello.timestampMs, nowMs, timestampWindowMs))
    return failed('SESSION_TIMESTAMP', describeSkew(hello.timestampMs, nowMs))
  if (!nonces.accept(hello.nonce)) return failed('SESSION_NONCE_REPEATED')
  const agreement = chooseFrom(hello, abilities)
  return typeof agreement === 'string' ? failed(agreement) : { hello, agreement }
}

/** What the initiator checks of an accept beside the peer. */
export function judgeAccept(
  { timestampWindowMs, abilities }: HandshakeContext,
  accept: Accept,
  nowMs: number,
): Agreement | FailedStep {
  if (isOutside(accept.timestampMs, nowMs, timestampWindowMs))
    return failed('SESSION_TIMESTAMP', describeSkew(accept.timestampMs, nowMs))
  const agreement = agreementOf(accept)
  return agreement !== undefined && isOffered(agreement, abilities)
    ? agreement
    : failed('SESSION_SUITE', 'the answer was not among the offers')
}

export function acceptOf(
  { abilities }: HandshakeContext,
  agreement: Agreement,
  rest: Pick<Accept, 'challenge' | 'record' | 'timestampMs'>,
): Accept {
  const offer = offerOf({
    ...abilities,
    suites: [agreement.suite],
    compressions: [agreement.compression],
  })
  return {
    ...rest,
    version: agreement.version,
    suite: offer.suites[0] as number,
    compression: offer.compressions[0] as number,
    certificates: noCertificates,
  }
}

/** The secrets of a handshake whose messages are through. `inherited` where it resumed another session. */
export function outcomeOf(
  noise: HandshakeState,
  context: HandshakeContext,
  outcome: Omit<Established, 'transcript' | 'secrets' | 'resumption'>,
  inherited?: Pick<Resumption, 'isHybrid' | 'expiresMs'>,
): Established {
  const transcript = noise.handshakeHash.slice()
  const secrets = trafficSecrets(noise.split(), outcome.agreement)
  noise[Symbol.dispose]()
  const { isHybrid } = inherited ?? handshakePatterns[outcome.pattern]
  const resumption =
    context.resumptions &&
    resumptionOf(secrets.exporter, transcript, {
      isHybrid,
      ownRecord: context.record.encoded,
      expiresMs: inherited?.expiresMs,
    })
  const established = { ...outcome, transcript, secrets, resumption }
  return concealFields(established, 'secrets', 'token', 'resumption')
}

/** Secrets of a session that will not be. */
export function forget({ secrets, resumption }: Established): void {
  wipe(secrets.send)
  wipe(secrets.receive)
  wipe(secrets.exporter)
  if (resumption !== undefined) wipe(resumption.secret)
}

export function failed(code: SessionErrorCode, detail?: string): FailedStep {
  return { kind: 'failed', error: refusal(code, detail === undefined ? {} : { detail }) }
}

function agreementOf(accept: Accept): Agreement | undefined {
  const suite = suiteOfNumber(accept.suite)
  const compression = compressionOfNumber(accept.compression)
  if (suite === undefined || compression === undefined) return undefined
  return { version: accept.version, suite, compression }
}

function isOutside(timestampMs: number, nowMs: number, windowMs: number): boolean {
  return Math.abs(timestampMs - nowMs) > windowMs
}

function describeSkew(timestampMs: number, nowMs: number): string {
  return `the peer's clock differs by ${((timestampMs - nowMs) / 1000).toFixed(1)} s`
}
