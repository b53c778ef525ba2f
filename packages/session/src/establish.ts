// From a byte stream to a session: drives the handshake over a connection, asks whether the peer is trusted,
// tells a refused peer why, and gives up in time. One attempt, one outcome.

import { describeError, type Timer } from '@myelin/base'
import { concealFields, wipe } from '@myelin/crypto'
import type { ByteStream } from '@myelin/transport'
import { encodePacket, type PacketFault } from '@myelin/wire'
import { decodeAlert, encodeAlert } from './alert.ts'
import { Connection, type Phase } from './connection.ts'
import { refusal, SessionError, type SessionErrorCode } from './errors.ts'
import {
  type AwaitingAccept,
  type AwaitingFinish,
  type AwaitingHello,
  awaitHandshake,
  beginHandshake,
  resumeHandshake,
} from './handshake.ts'
import {
  type Established,
  forget,
  type HandshakeContext,
  type HandshakeStep,
} from './handshake-steps.ts'
import { handshakeBytesMax, helloBytesMax } from './limits.ts'
import {
  type AwaitingConfirmation,
  type AwaitingResumption,
  ticketFor,
} from './resumed-handshake.ts'
import type { Session } from './session.ts'
import { SessionCore } from './session-core.ts'
import type {
  AcceptSessionOptions,
  Admission,
  DialSessionOptions,
  SessionEnvironment,
  SessionHandlers,
} from './session-options.ts'

/** Runs the handshake as initiator. Rejects with a `SessionError`; the byte stream is then gone. */
export function dialSession(
  stream: ByteStream,
  environment: SessionEnvironment,
  options: DialSessionOptions,
): Promise<Session> {
  const { expected, staticKey, token, hybrid = true } = options
  let start: Start
  try {
    const context = { ...contextOf(environment, stream), expected, staticKey, token, hybrid }
    const nowMs = environment.clock.wallMs()
    const ticket = ticketFor(context, nowMs)
    const { send, next } =
      ticket === undefined
        ? beginHandshake(context, nowMs)
        : resumeHandshake(context, ticket, nowMs)
    start = { isInitiator: true, state: next, send }
  } catch (cause) {
    // A static key that gives no shared secret may well come from a peer's own record.
    stream.destroy()
    const message = `the handshake cannot begin: ${describeError(cause)}`
    return Promise.reject(new SessionError('SESSION_OPTION', message, { cause, kind: 'usage' }))
  }
  return new Establishment(stream, environment, options, start).outcome
}

/** Runs the handshake as responder. */
export function acceptSession(
  stream: ByteStream,
  environment: SessionEnvironment,
  options: AcceptSessionOptions,
): Promise<Session> {
  const state = awaitHandshake(contextOf(environment, stream))
  return new Establishment(stream, environment, options, { isInitiator: false, state }).outcome
}

function contextOf(environment: SessionEnvironment, stream: ByteStream): HandshakeContext {
  const { keys, abilities, requireHybrid, timestampWindowMs, nonces, random, resumptions } =
    environment
  const { channelBinding } = stream
  return {
    keys,
    record: environment.record(),
    abilities,
    requireHybrid,
    timestampWindowMs,
    nonces,
    random,
    channelBinding,
    resumptions,
  }
}

type State =
  | AwaitingAccept
  | AwaitingHello
  | AwaitingFinish
  | AwaitingResumption<AwaitingAccept>
  | AwaitingConfirmation

interface Start {
  readonly isInitiator: boolean
  readonly state: State
  readonly send?: Uint8Array
}

/** Refuses a peer before any handshake, in the clear, with the number of the reason. */
export function refuseStream(
  stream: ByteStream,
  code: SessionErrorCode,
  environment: SessionEnvironment,
): void {
  const phase: Phase = {
    packet: () => {},
    packetFault: () => {},
    drained: () => {},
    ended: () => {},
    closed: () => {},
  }
  new Connection(stream, helloBytesMax, () => phase).stopReading()
  sendAlert(stream, code)
  environment.refused.add(stream)
}

function sendAlert(stream: ByteStream, code: SessionErrorCode): void {
  const alert = encodeAlert(code)
  if (alert === undefined) return
  stream.write(alert)
  stream.end()
}

class Establishment implements Phase {
  readonly outcome: Promise<Session>
  readonly #environment: SessionEnvironment
  readonly #handlers: SessionHandlers
  readonly #isInitiator: boolean
  readonly #connection: Connection
  readonly #timer: Timer
  readonly #signal: AbortSignal | undefined
  readonly #accepting: Partial<AcceptSessionOptions>
  readonly #onAbort = () => {
    const cause: unknown = this.#signal?.reason
    if (cause instanceof SessionError) this.#refuse(cause)
    else this.#fail(refusal('SESSION_LOST', { detail: 'aborted', cause, kind: 'recoverable' }))
  }
  #state: State | undefined
  /** Open for us, not yet confirmed by the peer. */
  #session: SessionCore | undefined
  /** What it leaves to the next one, once it is confirmed. */
  #established: Established | undefined
  #resolve!: (session: Session) => void
  #reject!: (error: SessionError) => void
  #isSettled = false
  #isGreeted = false

  constructor(
    stream: ByteStream,
    environment: SessionEnvironment,
    options: DialSessionOptions | AcceptSessionOptions,
    start: Start,
  ) {
    this.#environment = environment
    this.#handlers = options.handlers
    this.#isInitiator = start.isInitiator
    this.#state = start.state
    this.#signal = options.signal
    this.#accepting = start.isInitiator ? {} : options
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#timer = environment.clock.setTimer(environment.handshakeTimeoutMs, () => {
      this.#refuse(refusal('SESSION_HANDSHAKE_TIMEOUT', { kind: 'recoverable' }))
    })
    const payloadBytesMax = start.isInitiator ? handshakeBytesMax : helloBytesMax
    this.#connection = new Connection(stream, payloadBytesMax, () => this)
    if (start.send !== undefined) stream.write(encodePacket(0, start.send))
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (options.signal?.aborted) this.#onAbort()
  }

  packet(flags: number, _header: Uint8Array, payload: Uint8Array): void {
    const alert = decodeAlert(flags, payload)
    if (alert !== undefined) {
      this.#alerted(alert)
      return
    }
    const state = this.#state
    if (state === undefined) {
      // While the decision is pending a correct peer is silent.
      this.#refuse(refusal('SESSION_HANDSHAKE_MALFORMED', { detail: 'data before the answer' }))
      return
    }
    if (flags !== 0) {
      this.#refuse(refusal('SESSION_HANDSHAKE_MALFORMED', { detail: 'unexpected packet flags' }))
      return
    }
    const code = this.#isGreeted ? undefined : this.#greet()
    if (code !== undefined) this.#refuse(refusal(code, { kind: 'recoverable' }))
    else this.#take(state.receive(payload, this.#environment.clock.wallMs()))
  }

  /** The first message is there. What comes next may be longer. */
  #greet(): SessionErrorCode | undefined {
    this.#isGreeted = true
    this.#connection.decoder.payloadBytesMax = handshakeBytesMax
    return this.#accepting.greeted?.()
  }

  packetFault(fault: PacketFault): void {
    this.#refuse(refusal('SESSION_HANDSHAKE_MALFORMED', { detail: fault }))
  }

  drained(): void {}

  ended(): void {
    this.#fail(
      refusal('SESSION_LOST', {
        detail: 'the peer hung up during the handshake',
        kind: 'recoverable',
      }),
    )
  }

  closed(error?: Error): void {
    this.#fail(
      refusal('SESSION_LOST', {
        detail: error?.message ?? 'during the handshake',
        cause: error,
        kind: 'recoverable',
      }),
    )
  }

  #take(step: HandshakeStep<State>): void {
    if (step.kind === 'failed') {
      this.#refuse(step.error)
    } else if (step.kind === 'continue') {
      this.#state = step.next
      this.#connection.stream.write(encodePacket(0, step.send))
    } else {
      this.#state = undefined
      if (this.#isInitiator) this.#admitAsInitiator(step.established, step.send as Uint8Array)
      else this.#admit(step.established, (session) => this.#accept(session))
    }
  }

  /** The initiator decides on the responder before it says who it is itself. */
  #admitAsInitiator(established: Established, finish: Uint8Array): void {
    this.#admit(established, (session) => this.#awaitConfirmation(session), finish)
  }

  #accept(session: SessionCore): void {
    session.accept()
    this.#accepting.admitted?.()
    this.#awaitConfirmation(session)
  }

  /** The session is made when the peer's settings arrive in it; a refusal arrives in it too. */
  #awaitConfirmation(session: SessionCore): void {
    session.confirmed.then(
      () => this.#finish(session),
      (error: SessionError) => this.#fail(error),
    )
  }

  #admit(established: Established, then: (session: SessionCore) => void, send?: Uint8Array): void {
    const { stream } = this.#connection
    const { peer, token } = established
    const { remoteAddress } = stream
    const candidate = concealFields(
      { peer, token, isInitiator: this.#isInitiator, remoteAddress },
      'token',
    )
    const decide = (admission: Admission) => {
      if (this.#isSettled) {
        forget(established)
        return
      }
      if (!admission.isAdmitted) {
        const { code, detail } = admission
        this.#refuseSealed(established, refusal(code, detail === undefined ? {} : { detail }))
        return
      }
      if (send !== undefined) stream.write(encodePacket(0, send))
      then(this.#open(established, admission.roles))
    }
    const undecided = (cause: unknown) => {
      const error = refusal('SESSION_INTERNAL', {
        cause,
        detail: 'the decision on the peer failed',
      })
      if (this.#isSettled) forget(established)
      else this.#refuseSealed(established, error)
    }
    let decision: Admission | Promise<Admission>
    try {
      decision = this.#environment.authorize(candidate)
    } catch (cause) {
      undecided(cause)
      return
    }
    if (decision instanceof Promise) decision.then(decide, undecided)
    else decide(decision)
  }

  #open(established: Established, roles: readonly string[]): SessionCore {
    const session = new SessionCore(this.#environment, this.#connection, established, {
      isInitiator: this.#isInitiator,
      roles,
      handlers: this.#handlers,
    })
    this.#connection.phase = session
    this.#session = session
    this.#established = established
    return session
  }

  /** A responder's refusal travels inside the session that the handshake made: nobody else can say it. */
  #refuseSealed(established: Established, error: SessionError): void {
    if (this.#isInitiator) {
      forget(established)
      this.#refuse(error)
      return
    }
    if (established.resumption !== undefined) wipe(established.resumption.secret)
    const silent: SessionHandlers = { message: () => {}, stream: () => {}, closed: () => {} }
    const session = new SessionCore(this.#environment, this.#connection, established, {
      isInitiator: false,
      roles: [],
      handlers: silent,
    })
    this.#connection.phase = session
    session.refuse(error)
    this.#fail(error)
  }

  #alerted(code: SessionErrorCode): void {
    this.#fail(refusal(code, { isUnauthenticated: true, detail: 'as the peer says' }))
    this.#connection.stream.destroy()
  }

  /** Tells the peer why, in the clear where there is no session yet, and hangs up. */
  #refuse(error: SessionError): void {
    if (this.#isSettled) return
    if (this.#session === undefined) sendAlert(this.#connection.stream, error.code)
    else this.#session.refuse(error)
    this.#fail(error)
    this.#linger()
  }

  /** Lets the alert leave, then drops the connection whatever the peer does. */
  #linger(): void {
    this.#environment.refused.add(this.#connection.stream)
  }

  #finish(session: Session): void {
    if (!this.#settle()) return
    const { resumption, peer } = this.#established as Established
    if (resumption !== undefined)
      this.#environment.resumptions?.keep(peer, resumption, this.#isInitiator)
    this.#resolve(session)
  }

  #fail(error: SessionError): void {
    if (!this.#settle()) return
    if (this.#established?.resumption !== undefined) wipe(this.#established.resumption.secret)
    this.#state?.dispose()
    this.#state = undefined
    if (this.#connection.phase === this) this.#connection.stopReading()
    if (error.code === 'SESSION_LOST') this.#connection.stream.destroy()
    const { logger } = this.#environment
    const { remoteAddress } = this.#connection.stream
    // A stranger chooses how often it fails; whoever accepts sessions keeps count of that.
    const level = this.#isInitiator ? 'warn' : 'debug'
    logger.log(level, 'handshake-failed', {
      code: error.code,
      remoteAddress,
      reason: error.message,
    })
    this.#reject(error)
  }

  #settle(): boolean {
    if (this.#isSettled) return false
    this.#isSettled = true
    this.#timer.cancel()
    this.#signal?.removeEventListener('abort', this.#onAbort)
    return true
  }
}
