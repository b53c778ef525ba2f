// The handshake as a pure state machine (DESIGN §3.5, R034, B4): Noise XKhfs where the responder's peer
// record is known, XXhfs where only its agent id is. Bytes and time in; bytes, agreement and peer out.
//
//   initiator                                         responder
//   pattern(1) · noise(hello)            ->           time, nonce, offer checked before any key is derived
//              <-              noise(accept)          record binds the static key to the agent
//   noise(finish)                        ->           the challenge answered, the initiator's record
//
// A caller with a ticket of an earlier session takes the shorter way of resumed-handshake.ts.
//
// Each state has only the step that is possible in it, so that a step out of turn does not compile. A state
// is used once. Whether the peer is trusted is asked elsewhere, with what `Established` says.

import { concatBytes } from '@myelin/base'
import { equalConstantTime, HandshakeState } from '@myelin/crypto'
import {
  type AgentId,
  checkPeerRecordTime,
  decodePeerRecord,
  type PeerRecord,
} from '@myelin/identity'
import type { SessionErrorCode } from './errors.ts'
import {
  decodeAccept,
  decodeFinish,
  encodeAccept,
  encodeFinish,
  encodeHello,
  type Hello,
  noCertificates,
  nonceBytes,
} from './handshake-payload.ts'
import {
  acceptOf,
  failed,
  type HandshakeContext,
  type HandshakeStep,
  type Judged,
  judgeAccept,
  judgeHello,
  openMessage,
  outcomeOf,
  prologue,
} from './handshake-steps.ts'
import {
  type Agreement,
  type HandshakePattern,
  handshakePatterns,
  offerOf,
  patternOfNumber,
} from './negotiation.ts'
import {
  type AwaitingConfirmation,
  type AwaitingResumption,
  answerResumption,
  asksToResume,
  beginResumption,
} from './resumed-handshake.ts'
import type { Ticket } from './resumptions.ts'

export interface InitiatorContext extends HandshakeContext {
  /** Whom we call; without it any agent may answer and the caller decides. */
  readonly expected?: AgentId | undefined
  /** The responder's static key where its record is known: XK instead of XX. */
  readonly staticKey?: Uint8Array | undefined
  readonly token?: Uint8Array | undefined
  /** False runs the handshake without post-quantum part, for peers that have none. */
  readonly hybrid?: boolean
}

/** Starts as initiator: the first message and the state that waits for the answer. */
export function beginHandshake(
  context: InitiatorContext,
  nowMs: number,
): { send: Uint8Array; next: AwaitingAccept } {
  const pattern = choosePattern(context)
  const noise = new HandshakeState({
    protocolName: handshakePatterns[pattern].protocol,
    initiator: true,
    prologue: prologue(pattern, context.channelBinding ?? noCertificates),
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

/** As `beginHandshake`, with a ticket that an earlier session left; it is used up. */
export function resumeHandshake(
  context: InitiatorContext,
  ticket: Ticket,
  nowMs: number,
): { send: Uint8Array; next: AwaitingResumption<AwaitingAccept> } {
  return beginResumption(context, ticket, (laterMs) => beginHandshake(context, laterMs), nowMs)
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
    const agreement = judgeAccept(context, accept, nowMs)
    if ('kind' in agreement) return agreement
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
    const outcome = { pattern: this.#pattern, agreement, peer, token: undefined, epochMs }
    return { kind: 'established', send, established: outcomeOf(this.#noise, context, outcome) }
  }

  dispose(): void {
    this.#noise[Symbol.dispose]()
  }
}

/** The responder before the hello. Holds no keys yet: an idle connection costs next to nothing. */
export class AwaitingHello {
  readonly #context: HandshakeContext
  readonly #hasDeclined: boolean

  /** `hasDeclined`: the caller asked to resume a session and was told to begin a full handshake. */
  constructor(context: HandshakeContext, hasDeclined = false) {
    this.#context = context
    this.#hasDeclined = hasDeclined
  }

  receive(
    bytes: Uint8Array,
    nowMs: number,
  ): HandshakeStep<AwaitingFinish | AwaitingConfirmation | AwaitingHello> {
    const context = this.#context
    if (asksToResume(bytes) && !this.#hasDeclined)
      return answerResumption(context, bytes, () => new AwaitingHello(context, true), nowMs)
    const pattern = patternOfNumber(bytes[0] ?? 0)
    if (pattern === undefined || asksToResume(bytes))
      return failed('SESSION_HANDSHAKE_MALFORMED', 'unknown handshake pattern')
    if (context.requireHybrid && !handshakePatterns[pattern].isHybrid)
      return failed('SESSION_HYBRID_REQUIRED')
    const noise = new HandshakeState({
      protocolName: handshakePatterns[pattern].protocol,
      initiator: false,
      prologue: prologue(pattern, context.channelBinding ?? noCertificates),
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
    const accept = acceptOf(context, agreement, {
      challenge,
      timestampMs: Math.floor(nowMs),
      record: context.record.encoded,
    })
    const send = noise.writeMessage(encodeAccept(accept))
    const next = new AwaitingFinish(context, noise, {
      pattern,
      agreement,
      challenge,
      epochMs: hello.timestampMs,
    })
    return { kind: 'continue', send, next }
  }

  dispose(): void {}

  #judge(noise: HandshakeState, bytes: Uint8Array, nowMs: number): Judged | HandshakeStep<never> {
    const opened = openMessage(noise, bytes)
    return opened instanceof Uint8Array ? judgeHello(this.#context, opened, nowMs) : opened
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
    const outcome = { pattern, agreement, peer, token: presented, epochMs }
    return { kind: 'established', established: outcomeOf(this.#noise, this.#context, outcome) }
  }

  dispose(): void {
    this.#noise[Symbol.dispose]()
  }
}

function choosePattern(context: InitiatorContext): HandshakePattern {
  if (context.staticKey !== undefined) return context.hybrid === false ? 'XK' : 'XKhfs'
  return context.hybrid === false ? 'XX' : 'XXhfs'
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
