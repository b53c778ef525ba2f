// The handshake as a pure state machine (DESIGN §3.5, R034, B4): Noise XKhfs where the responder's peer
// record is known, XXhfs where only its agent id is. Bytes and time in; bytes, agreement and peer out.
//
//   initiator                                         responder
//   pattern(1) · noise(hello)            ->           time, nonce, offer checked before any key is derived
//              <-              noise(accept)          record binds the static key to the agent
//   noise(finish)                        ->           the challenge answered, the initiator's record
//
// Each state has only the step that is possible in it, so that a step out of turn does not compile. A state
// is used once. Whether the peer is trusted is asked elsewhere, with what `Established` says.

import { concatBytes, type Random, utf8Encode } from '@myelin/base'
import { concealFields, equalConstantTime, HandshakeState } from '@myelin/crypto'
import {
  type AgentId,
  type AgentKeys,
  checkPeerRecordTime,
  decodePeerRecord,
  type PeerRecord,
} from '@myelin/identity'
import { refusal, type SessionError, type SessionErrorCode } from './errors.ts'
import {
  type Accept,
  decodeAccept,
  decodeFinish,
  decodeHello,
  encodeAccept,
  encodeFinish,
  encodeHello,
  type Hello,
  noCertificates,
  nonceBytes,
} from './handshake-payload.ts'
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
  patternOfNumber,
  suiteOfNumber,
} from './negotiation.ts'
import type { NonceCache } from './nonce-cache.ts'
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
}

export interface InitiatorContext extends HandshakeContext {
  /** Whom we call; without it any agent may answer and the caller decides. */
  readonly expected?: AgentId | undefined
  /** The responder's static key where its record is known: XK instead of XX. */
  readonly staticKey?: Uint8Array | undefined
  readonly token?: Uint8Array | undefined
  /** False runs the handshake without post-quantum part, for peers that have none. */
  readonly hybrid?: boolean
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
}

/** A step's outcome. `error` is for us; its code's number is what the peer may be told. */
export type HandshakeStep<Next> =
  | { readonly kind: 'continue'; readonly send: Uint8Array; readonly next: Next }
  | { readonly kind: 'established'; readonly send?: Uint8Array; readonly established: Established }
  | { readonly kind: 'failed'; readonly error: SessionError }

const prologueLabel = utf8Encode('myelin session')

/** Starts as initiator: the first message and the state that waits for the answer. */
export function beginHandshake(
  context: InitiatorContext,
  nowMs: number,
): { send: Uint8Array; next: AwaitingAccept } {
  const pattern = choosePattern(context)
  const noise = new HandshakeState({
    protocolName: handshakePatterns[pattern].protocol,
    initiator: true,
    prologue: prologue(pattern, context),
    s: context.keys.staticKey,
    ...(context.staticKey === undefined ? {} : { rs: context.staticKey }),
    random: context.random,
  })
  const nonce = context.random.fill(new Uint8Array(nonceBytes))
  context.nonces.accept(nonce)
  const hello: Hello = { timestampMs: Math.floor(nowMs), nonce, ...offerOf(context.abilities) }
  const message = noise.writeMessage(encodeHello(hello))
  const send = concatBytes(Uint8Array.of(handshakePatterns[pattern].number), message)
  return { send, next: new AwaitingAccept(context, noise, pattern, hello) }
}

/** Starts as responder. */
export function awaitHandshake(context: HandshakeContext): AwaitingHello {
  return new AwaitingHello(context)
}

/** The initiator between its hello and the responder's accept. */
export class AwaitingAccept {
  readonly #context: InitiatorContext
  readonly #noise: HandshakeState
  readonly #pattern: HandshakePattern
  readonly #hello: Hello

  constructor(
    context: InitiatorContext,
    noise: HandshakeState,
    pattern: HandshakePattern,
    hello: Hello,
  ) {
    this.#context = context
    this.#noise = noise
    this.#pattern = pattern
    this.#hello = hello
  }

  receive(bytes: Uint8Array, nowMs: number): HandshakeStep<never> {
    const context = this.#context
    const opened = openMessage(this.#noise, bytes)
    if (!(opened instanceof Uint8Array)) return opened
    const decoded = decodeAccept(opened)
    if (!decoded.ok) return failed('SESSION_HANDSHAKE_MALFORMED', decoded.fault)
    const accept = decoded.value
    if (isOutside(accept.timestampMs, nowMs, context.timestampWindowMs))
      return failed('SESSION_TIMESTAMP', describeSkew(accept.timestampMs, nowMs))
    const agreement = agreementOf(accept)
    if (agreement === undefined || !isOffered(agreement, context.abilities))
      return failed('SESSION_SUITE', 'the answer was not among the offers')
    const peer = checkPeer(context, accept.record, this.#noise.remoteStatic, nowMs)
    if (typeof peer === 'string') return failed(peer)
    if (context.expected !== undefined && peer.agent !== context.expected)
      return failed('SESSION_WRONG_AGENT', `called ${context.expected}, reached ${peer.agent}`)
    const send = this.#noise.writeMessage(
      encodeFinish({
        answer: accept.challenge,
        record: context.record.encoded,
        token: context.token ?? noCertificates,
        certificates: noCertificates,
      }),
    )
    const epochMs = this.#hello.timestampMs
    return finish(
      this.#noise,
      { pattern: this.#pattern, agreement, peer, token: undefined, epochMs },
      send,
    )
  }

  dispose(): void {
    this.#noise[Symbol.dispose]()
  }
}

/** The responder before the hello. Holds no keys yet: an idle connection costs next to nothing. */
export class AwaitingHello {
  readonly #context: HandshakeContext

  constructor(context: HandshakeContext) {
    this.#context = context
  }

  receive(bytes: Uint8Array, nowMs: number): HandshakeStep<AwaitingFinish> {
    const context = this.#context
    const pattern = patternOfNumber(bytes[0] ?? 0)
    if (pattern === undefined)
      return failed('SESSION_HANDSHAKE_MALFORMED', 'unknown handshake pattern')
    if (context.requireHybrid && !handshakePatterns[pattern].isHybrid)
      return failed('SESSION_HYBRID_REQUIRED')
    const noise = new HandshakeState({
      protocolName: handshakePatterns[pattern].protocol,
      initiator: false,
      prologue: prologue(pattern, context),
      s: context.keys.staticKey,
      random: context.random,
    })
    const judged = this.#judge(noise, bytes.subarray(1), nowMs)
    if ('kind' in judged) {
      // No later state will wipe what this one has derived.
      noise[Symbol.dispose]()
      return judged
    }
    const { hello, agreement } = judged
    const challenge = context.random.fill(new Uint8Array(nonceBytes))
    const send = noise.writeMessage(encodeAccept(acceptOf(context, agreement, challenge, nowMs)))
    const next = new AwaitingFinish(context, noise, {
      pattern,
      agreement,
      challenge,
      epochMs: hello.timestampMs,
    })
    return { kind: 'continue', send, next }
  }

  dispose(): void {}

  #judge(
    noise: HandshakeState,
    bytes: Uint8Array,
    nowMs: number,
  ): { readonly hello: Hello; readonly agreement: Agreement } | HandshakeStep<never> {
    const { timestampWindowMs, nonces, abilities } = this.#context
    const opened = openMessage(noise, bytes)
    if (!(opened instanceof Uint8Array)) return opened
    const decoded = decodeHello(opened)
    if (!decoded.ok) return failed('SESSION_HANDSHAKE_MALFORMED', decoded.fault)
    const hello = decoded.value
    // Time first: a hello outside the window must not push others out of the nonce cache.
    if (isOutside(hello.timestampMs, nowMs, timestampWindowMs))
      return failed('SESSION_TIMESTAMP', describeSkew(hello.timestampMs, nowMs))
    if (!nonces.accept(hello.nonce)) return failed('SESSION_NONCE_REPEATED')
    const agreement = chooseFrom(hello, abilities)
    return typeof agreement === 'string' ? failed(agreement) : { hello, agreement }
  }
}

interface ResponderProgress {
  readonly pattern: HandshakePattern
  readonly agreement: Agreement
  readonly challenge: Uint8Array
  readonly epochMs: number
}

/** The responder between its accept and the initiator's finish. */
export class AwaitingFinish {
  readonly #context: HandshakeContext
  readonly #noise: HandshakeState
  readonly #progress: ResponderProgress

  constructor(context: HandshakeContext, noise: HandshakeState, progress: ResponderProgress) {
    this.#context = context
    this.#noise = noise
    this.#progress = progress
  }

  receive(bytes: Uint8Array, nowMs: number): HandshakeStep<never> {
    const opened = openMessage(this.#noise, bytes)
    if (!(opened instanceof Uint8Array)) return opened
    const decoded = decodeFinish(opened)
    if (!decoded.ok) return failed('SESSION_HANDSHAKE_MALFORMED', decoded.fault)
    const { answer, record, token } = decoded.value
    if (!equalConstantTime(answer, this.#progress.challenge)) return failed('SESSION_CHALLENGE')
    const peer = checkPeer(this.#context, record, this.#noise.remoteStatic, nowMs)
    if (typeof peer === 'string') return failed(peer)
    const { pattern, agreement, epochMs } = this.#progress
    const presented = token.length > 0 ? token.slice() : undefined
    return finish(this.#noise, { pattern, agreement, peer, token: presented, epochMs })
  }

  dispose(): void {
    this.#noise[Symbol.dispose]()
  }
}

function choosePattern(context: InitiatorContext): HandshakePattern {
  if (context.staticKey !== undefined) return context.hybrid === false ? 'XK' : 'XKhfs'
  return context.hybrid === false ? 'XX' : 'XXhfs'
}

function prologue(pattern: HandshakePattern, context: HandshakeContext): Uint8Array {
  const number = Uint8Array.of(handshakePatterns[pattern].number)
  return concatBytes(prologueLabel, number, context.channelBinding ?? new Uint8Array(0))
}

function openMessage(noise: HandshakeState, bytes: Uint8Array): Uint8Array | HandshakeStep<never> {
  if (bytes.length > handshakeBytesMax) return failed('SESSION_HANDSHAKE_MALFORMED', 'too long')
  const opened = noise.readMessage(bytes)
  if (opened.ok) return opened.value
  const isAltered = opened.fault === 'noise_decrypt'
  return failed(
    isAltered ? 'SESSION_HANDSHAKE_DECRYPT' : 'SESSION_HANDSHAKE_MALFORMED',
    isAltered ? undefined : opened.fault,
  )
}

function acceptOf(
  context: HandshakeContext,
  agreement: Agreement,
  challenge: Uint8Array,
  nowMs: number,
): Accept {
  const offer = offerOf({
    ...context.abilities,
    suites: [agreement.suite],
    compressions: [agreement.compression],
  })
  return {
    timestampMs: Math.floor(nowMs),
    challenge,
    version: agreement.version,
    suite: offer.suites[0] as number,
    compression: offer.compressions[0] as number,
    record: context.record.encoded,
    certificates: noCertificates,
  }
}

function agreementOf(accept: Accept): Agreement | undefined {
  const suite = suiteOfNumber(accept.suite)
  const compression = compressionOfNumber(accept.compression)
  if (suite === undefined || compression === undefined) return undefined
  return { version: accept.version, suite, compression }
}

/** The record must be genuine, valid now, another agent's, and about the key that the handshake proved. */
function checkPeer(
  context: HandshakeContext,
  encoded: Uint8Array,
  provenStaticKey: Uint8Array | undefined,
  nowMs: number,
): PeerRecord | SessionErrorCode {
  const decoded = decodePeerRecord(encoded)
  if (!decoded.ok) return 'SESSION_PEER_RECORD'
  const record = decoded.value
  if (record.agent === context.keys.agent) return 'SESSION_REFLECTED'
  if (provenStaticKey === undefined || !equalConstantTime(record.staticKey, provenStaticKey))
    return 'SESSION_STATIC_KEY'
  if (checkPeerRecordTime(record, nowMs, context.timestampWindowMs) !== undefined)
    return 'SESSION_PEER_RECORD_EXPIRED'
  return record
}

function finish(
  noise: HandshakeState,
  outcome: Omit<Established, 'transcript' | 'secrets'>,
  send?: Uint8Array,
): HandshakeStep<never> {
  const transcript = noise.handshakeHash.slice()
  const secrets = trafficSecrets(noise.split(), outcome.agreement)
  noise[Symbol.dispose]()
  const established = concealFields({ ...outcome, transcript, secrets }, 'secrets', 'token')
  return send === undefined
    ? { kind: 'established', established }
    : { kind: 'established', send, established }
}

function isOutside(timestampMs: number, nowMs: number, windowMs: number): boolean {
  return Math.abs(timestampMs - nowMs) > windowMs
}

function describeSkew(timestampMs: number, nowMs: number): string {
  return `the peer's clock differs by ${((timestampMs - nowMs) / 1000).toFixed(1)} s`
}

function failed(
  code: SessionErrorCode,
  detail?: string,
): { readonly kind: 'failed'; readonly error: SessionError } {
  return { kind: 'failed', error: refusal(code, detail === undefined ? {} : { detail }) }
}
