// The handshake of two agents whose last session left them a ticket: Noise NNpsk0 with the ticket's secret as psk.
// No signatures, no static keys, no KEM; the ephemerals give forward secrecy, the secret who is there and the
// post-quantum part of the handshake that it stems from (docs/protocol.md §3.5, docs/decisions/0011).
//
//   initiator                                         responder
//   5 · ticket id · noise(hello)         ->           the ticket is spent once the hello has opened under it
//              <-              noise(accept)          or `declined`: go on with a full handshake
//   confirmation                         ->           the caller holds the keys, here and now
//
// A ticket replaces the proof of who is there and nothing else: time, nonce, negotiation and the life of the peer's
// record are checked as ever, and `Established` goes the way of every other to whoever decides on the peer.

import { concatBytes } from '@myelin/base'
import { equalConstantTime, HandshakeState, wipe } from '@myelin/crypto'
import { type AgentId, checkPeerRecordTime, type PeerRecord } from '@myelin/identity'
import {
  decodeAccept,
  encodeAccept,
  encodeHello,
  type Hello,
  noCertificates,
  nonceBytes,
} from './handshake-payload.ts'
import {
  acceptOf,
  type Established,
  failed,
  forget,
  type HandshakeContext,
  type HandshakeStep,
  judgeAccept,
  judgeHello,
  openMessage,
  outcomeOf,
  prologue,
} from './handshake-steps.ts'
import { handshakePatterns, offerOf } from './negotiation.ts'
import { confirmationOf, ticketIdBytes } from './resumption-secret.ts'
import type { Ticket } from './resumptions.ts'

const pattern = 'NNpsk0'
const { number, protocol } = handshakePatterns[pattern]

/** The answer to a ticket that is not known (any more), or to a hello that does not open under it. */
export const declined: Uint8Array = Uint8Array.of(0)

/** Whether a first message asks for this handshake. */
export function asksToResume(bytes: Uint8Array): boolean {
  return bytes[0] === number
}

/**
 * The ticket that a call may use, taken out. It names one agent, so whom we call must be known; a join token is shown
 * in full handshakes alone.
 */
export function ticketFor(context: Call, nowMs: number): Ticket | undefined {
  const { resumptions, expected, token, staticKey, record } = context
  if (resumptions === undefined || expected === undefined || token !== undefined) return undefined
  const ticket = resumptions.take(expected, record.encoded)
  if (ticket === undefined) return undefined
  const isSameKey = staticKey === undefined || equalConstantTime(staticKey, ticket.peer.staticKey)
  if (isSameKey && isUsable(ticket, context, nowMs)) return ticket
  wipe(ticket.secret)
  return undefined
}

interface Call extends HandshakeContext {
  readonly expected?: AgentId | undefined
  readonly token?: Uint8Array | undefined
  readonly staticKey?: Uint8Array | undefined
}

/** Starts as initiator. Uses the ticket up. `full` begins a full handshake where the responder declines. */
export function beginResumption<Next>(
  context: HandshakeContext,
  ticket: Ticket,
  full: (nowMs: number) => { readonly send: Uint8Array; readonly next: Next },
  nowMs: number,
): { send: Uint8Array; next: AwaitingResumption<Next> } {
  const noise = noiseFor(context, ticket, true)
  const nonce = context.random.fill(new Uint8Array(nonceBytes))
  context.nonces.accept(nonce)
  const hello: Hello = { timestampMs: Math.floor(nowMs), nonce, ...offerOf(context.abilities) }
  const message = noise.writeMessage(encodeHello(hello))
  // The only psk token is behind us: Noise has mixed the secret in.
  wipe(ticket.secret)
  const send = concatBytes(Uint8Array.of(number), ticket.id, message)
  return { send, next: new AwaitingResumption(context, noise, ticket, hello, full) }
}

/** The initiator between its hello and the responder's accept. */
export class AwaitingResumption<Next> {
  readonly #context: HandshakeContext
  readonly #noise: HandshakeState
  readonly #ticket: Ticket
  readonly #hello: Hello
  readonly #full: (nowMs: number) => { readonly send: Uint8Array; readonly next: Next }

  constructor(
    context: HandshakeContext,
    noise: HandshakeState,
    ticket: Ticket,
    hello: Hello,
    full: (nowMs: number) => { readonly send: Uint8Array; readonly next: Next },
  ) {
    this.#context = context
    this.#noise = noise
    this.#ticket = ticket
    this.#hello = hello
    this.#full = full
  }

  receive(bytes: Uint8Array, nowMs: number): HandshakeStep<Next> {
    // Anybody on the way may say so: what follows is the handshake that there would have been without a ticket.
    if (bytes.length === declined.length && bytes[0] === declined[0]) {
      this.dispose()
      return { kind: 'continue', ...this.#full(nowMs) }
    }
    const context = this.#context
    const { peer } = this.#ticket
    const opened = openMessage(this.#noise, bytes)
    if (!(opened instanceof Uint8Array)) return opened
    const decoded = decodeAccept(opened)
    if (!decoded.ok) return failed('SESSION_HANDSHAKE_MALFORMED', decoded.fault)
    const accept = decoded.value
    if (accept.record.length > 0)
      return failed('SESSION_HANDSHAKE_MALFORMED', 'a record, which the ticket stands for')
    const agreement = judgeAccept(context, accept, nowMs)
    if ('kind' in agreement) return agreement
    if (!isRecordValid(peer, context, nowMs)) return failed('SESSION_PEER_RECORD_EXPIRED')
    const { timestampMs: epochMs } = this.#hello
    const outcome = { pattern, agreement, peer, token: undefined, epochMs } as const
    const established = outcomeOf(this.#noise, context, outcome, this.#ticket)
    const { secrets, transcript } = established
    const send = confirmationOf(secrets.exporter, transcript, accept.challenge)
    return { kind: 'established', send, established }
  }

  dispose(): void {
    this.#noise[Symbol.dispose]()
  }
}

/** As responder, on a first message that asks to resume. `full` waits for a full handshake where we decline. */
export function answerResumption<Next>(
  context: HandshakeContext,
  bytes: Uint8Array,
  full: () => Next,
  nowMs: number,
): HandshakeStep<AwaitingConfirmation | Next> {
  const decline = () => ({ kind: 'continue', send: declined, next: full() }) as const
  const { resumptions } = context
  const messageAt = 1 + ticketIdBytes
  if (bytes.length < messageAt) return failed('SESSION_HANDSHAKE_MALFORMED', 'no ticket')
  const ticket = resumptions?.find(bytes.subarray(1, messageAt), context.record.encoded)
  if (resumptions === undefined || ticket === undefined || !isUsable(ticket, context, nowMs))
    return decline()
  const noise = noiseFor(context, ticket, false)
  const opened = openMessage(noise, bytes.subarray(messageAt))
  // Whoever has seen the id can name it: that must not cost its owner the ticket.
  if (!(opened instanceof Uint8Array)) return decline()
  resumptions.spend(ticket)
  const judged = judgeHello(context, opened, nowMs)
  if ('kind' in judged) {
    noise[Symbol.dispose]()
    return judged
  }
  const { hello, agreement } = judged
  const challenge = context.random.fill(new Uint8Array(nonceBytes))
  const timestampMs = Math.floor(nowMs)
  const accept = acceptOf(context, agreement, { challenge, timestampMs, record: noCertificates })
  const send = noise.writeMessage(encodeAccept(accept))
  const { peer } = ticket
  const outcome = {
    pattern,
    agreement,
    peer,
    token: undefined,
    epochMs: hello.timestampMs,
  } as const
  const established = outcomeOf(noise, context, outcome, ticket)
  return { kind: 'continue', send, next: new AwaitingConfirmation(context, established, challenge) }
}

/** The responder between its accept and the word that only a holder of the keys can say. */
export class AwaitingConfirmation {
  readonly #context: HandshakeContext
  readonly #established: Established
  readonly #expected: Uint8Array

  constructor(context: HandshakeContext, established: Established, challenge: Uint8Array) {
    const { secrets, transcript } = established
    this.#context = context
    this.#established = established
    this.#expected = confirmationOf(secrets.exporter, transcript, challenge)
  }

  receive(bytes: Uint8Array, nowMs: number): HandshakeStep<never> {
    const established = this.#established
    if (!equalConstantTime(bytes, this.#expected)) {
      this.dispose()
      return failed('SESSION_CHALLENGE')
    }
    if (!isRecordValid(established.peer, this.#context, nowMs)) {
      this.dispose()
      return failed('SESSION_PEER_RECORD_EXPIRED')
    }
    return { kind: 'established', established }
  }

  dispose(): void {
    forget(this.#established)
  }
}

function noiseFor(context: HandshakeContext, ticket: Ticket, initiator: boolean): HandshakeState {
  const { channelBinding = noCertificates, random } = context
  return new HandshakeState({
    protocolName: protocol,
    initiator,
    prologue: prologue(pattern, ticket.id, channelBinding),
    psks: [ticket.secret],
    random,
  })
}

/** The peer's record is valid and the rule on hybrid handshakes kept. */
function isUsable(ticket: Ticket, context: HandshakeContext, nowMs: number): boolean {
  if (context.requireHybrid && !ticket.isHybrid) return false
  return isRecordValid(ticket.peer, context, nowMs)
}

function isRecordValid(
  peer: PeerRecord,
  { timestampWindowMs }: HandshakeContext,
  nowMs: number,
): boolean {
  return checkPeerRecordTime(peer, nowMs, timestampWindowMs) === undefined
}
