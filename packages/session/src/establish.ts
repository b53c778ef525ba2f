// From a byte stream to a session: drives the handshake over a connection, asks whether the peer is trusted,
// tells a refused peer why, and gives up in time. One attempt, one outcome.

import { type Timer, withDeadline } from '@myelin/base'
import type { ByteStream } from '@myelin/transport'
import { encodePacket, type PacketFault } from '@myelin/wire'
import { Connection, type Phase } from './connection.ts'
import { closeCodes, codeOfNumber, refusal, SessionError } from './errors.ts'
import {
  type AwaitingAccept,
  type AwaitingFinish,
  type AwaitingHello,
  awaitHandshake,
  beginHandshake,
  type Established,
  type HandshakeContext,
  type HandshakeStep,
} from './handshake.ts'
import { handshakeBytesMax } from './limits.ts'
import type { Session } from './session.ts'
import { SessionCore } from './session-core.ts'
import type {
  AcceptSessionOptions,
  Admission,
  DialSessionOptions,
  SessionEnvironment,
  SessionHandlers,
} from './session-options.ts'

/** First byte of an alert: a handshake that ends in the clear, with the number of the reason (u16). */
const alertMark = 0xff
const alertBytes = 3

/** Runs the handshake as initiator. Rejects with a `SessionError`; the byte stream is then gone. */
export function dialSession(stream: ByteStream, environment: SessionEnvironment, options: DialSessionOptions): Promise<Session> {
  const context = { ...contextOf(environment, stream), expected: options.expected, staticKey: options.staticKey, token: options.token, hybrid: options.hybrid ?? true }
  const { send, next } = beginHandshake(context, environment.clock.wallMs())
  return new Establishment(stream, environment, options, { isInitiator: true, state: next, send }).outcome
}

/** Runs the handshake as responder. */
export function acceptSession(stream: ByteStream, environment: SessionEnvironment, options: AcceptSessionOptions): Promise<Session> {
  const state = awaitHandshake(contextOf(environment, stream))
  return new Establishment(stream, environment, options, { isInitiator: false, state }).outcome
}

function contextOf(environment: SessionEnvironment, stream: ByteStream): HandshakeContext {
  const { keys, abilities, requireHybrid, timestampWindowMs, nonces, random } = environment
  const { channelBinding } = stream
  return { keys, record: environment.record(), abilities, requireHybrid, timestampWindowMs, nonces, random, channelBinding }
}

type State = AwaitingAccept | AwaitingHello | AwaitingFinish

interface Start {
  readonly isInitiator: boolean
  readonly state: State
  readonly send?: Uint8Array
}

class Establishment implements Phase {
  readonly outcome: Promise<Session>
  readonly #environment: SessionEnvironment
  readonly #handlers: SessionHandlers
  readonly #isInitiator: boolean
  readonly #connection: Connection
  readonly #timer: Timer
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = () => this.#fail(refusal('SESSION_LOST', { detail: 'aborted', cause: this.#signal?.reason, kind: 'recoverable' }))
  #state: State | undefined
  #resolve!: (session: Session) => void
  #reject!: (error: SessionError) => void
  #isSettled = false

  constructor(stream: ByteStream, environment: SessionEnvironment, options: DialSessionOptions | AcceptSessionOptions, start: Start) {
    this.#environment = environment
    this.#handlers = options.handlers
    this.#isInitiator = start.isInitiator
    this.#state = start.state
    this.#signal = options.signal
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#timer = environment.clock.setTimer(environment.handshakeTimeoutMs, () => {
      this.#refuse(refusal('SESSION_HANDSHAKE_TIMEOUT', { kind: 'recoverable' }))
    })
    this.#connection = new Connection(stream, handshakeBytesMax, () => this)
    if (start.send !== undefined) stream.write(encodePacket(0, start.send))
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (options.signal?.aborted) this.#onAbort()
  }

  packet(flags: number, _header: Uint8Array, payload: Uint8Array): void {
    const state = this.#state
    if (state === undefined) {
      // While the decision is pending a correct peer is silent.
      this.#refuse(refusal('SESSION_HANDSHAKE_MALFORMED', { detail: 'data before the answer' }))
      return
    }
    if (payload[0] === alertMark && payload.length === alertBytes && flags === 0) {
      this.#alerted(payload)
      return
    }
    if (flags !== 0) {
      this.#refuse(refusal('SESSION_HANDSHAKE_MALFORMED', { detail: 'unexpected packet flags' }))
      return
    }
    this.#take(state.receive(payload, this.#environment.clock.wallMs()))
  }

  packetFault(fault: PacketFault): void {
    this.#refuse(refusal('SESSION_HANDSHAKE_MALFORMED', { detail: fault }))
  }

  drained(): void {}

  ended(): void {
    this.#fail(refusal('SESSION_LOST', { detail: 'the peer hung up during the handshake', kind: 'recoverable' }))
  }

  closed(error?: Error): void {
    this.#fail(refusal('SESSION_LOST', { detail: error?.message ?? 'during the handshake', cause: error, kind: 'recoverable' }))
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
    this.#admit(established, (session) => {
      // The session is ours when the responder's settings arrive in it; a refusal arrives in it too.
      const { clock, handshakeTimeoutMs } = this.#environment
      const confirmed = withDeadline(session.confirmed, { clock, timeoutMs: handshakeTimeoutMs, what: 'the confirmation' })
      confirmed.then(
        () => this.#finish(session),
        (error) => this.#fail(error instanceof SessionError ? error : refusal('SESSION_HANDSHAKE_TIMEOUT', { cause: error })),
      )
    }, finish)
  }

  #accept(session: SessionCore): void {
    session.accept()
    this.#finish(session)
  }

  #admit(established: Established, then: (session: SessionCore) => void, send?: Uint8Array): void {
    const { stream } = this.#connection
    const { peer, token } = established
    const candidate = { peer, token, isInitiator: this.#isInitiator, remoteAddress: stream.remoteAddress }
    const decide = (admission: Admission) => {
      if (this.#isSettled) return
      if (!admission.isAdmitted) {
        const { code, detail } = admission
        this.#refuseSealed(established, refusal(code, detail === undefined ? {} : { detail }))
        return
      }
      if (send !== undefined) stream.write(encodePacket(0, send))
      then(this.#open(established, admission.roles))
    }
    const decision = this.#environment.authorize(candidate)
    if (!(decision instanceof Promise)) {
      decide(decision)
      return
    }
    decision.then(decide, (cause) => this.#refuse(refusal('SESSION_INTERNAL', { cause, detail: 'the decision on the peer failed' })))
  }

  #open(established: Established, roles: readonly string[]): SessionCore {
    const session = new SessionCore(this.#environment, this.#connection, established, { isInitiator: this.#isInitiator, roles, handlers: this.#handlers })
    this.#connection.phase = session
    return session
  }

  /** A responder's refusal travels inside the session that the handshake made: nobody else can say it. */
  #refuseSealed(established: Established, error: SessionError): void {
    if (this.#isInitiator) {
      this.#refuse(error)
      return
    }
    const silent: SessionHandlers = { message: () => {}, stream: () => {}, closed: () => {} }
    const session = new SessionCore(this.#environment, this.#connection, established, { isInitiator: false, roles: [], handlers: silent })
    this.#connection.phase = session
    session.refuse(error)
    this.#fail(error)
  }

  #alerted(payload: Uint8Array): void {
    const code = codeOfNumber(((payload[1] as number) << 8) | (payload[2] as number))
    this.#fail(refusal(code, { isUnauthenticated: true, detail: 'as the peer says' }))
    this.#connection.stream.destroy()
  }

  /** Tells the peer why, in the clear, and hangs up. */
  #refuse(error: SessionError): void {
    if (this.#isSettled) return
    const number = closeCodes[error.code]
    const { stream } = this.#connection
    if (number !== 0) {
      stream.write(encodePacket(0, Uint8Array.of(alertMark, number >>> 8, number & 0xff)))
      stream.end()
    }
    this.#fail(error)
    this.#linger()
  }

  /** Lets the alert leave, then drops the connection whatever the peer does. */
  #linger(): void {
    const { clock, closeTimeoutMs } = this.#environment
    clock.setTimer(closeTimeoutMs, () => this.#connection.stream.destroy())
  }

  #finish(session: Session): void {
    if (!this.#settle()) return
    this.#resolve(session)
  }

  #fail(error: SessionError): void {
    if (!this.#settle()) return
    this.#state?.dispose()
    this.#state = undefined
    if (this.#connection.phase === this) this.#connection.stopReading()
    if (error.code === 'SESSION_LOST') this.#connection.stream.destroy()
    const { logger } = this.#environment
    const { remoteAddress } = this.#connection.stream
    logger.log('warn', 'handshake-failed', { code: error.code, remoteAddress, reason: error.message })
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
