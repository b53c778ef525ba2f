// The doors of an agent: who comes in, and who is told that there is no room (R067).

import type { SecurityLog } from '@myelin/guard'
import {
  type Admission,
  acceptSession,
  type Candidate,
  refuseStream,
  type SessionEnvironment,
  type SessionError,
  type SessionHandlers,
} from '@myelin/session'
import type { ByteStream, Listener, StreamTransport } from '@myelin/transport'
import { Doorway, type DoorwayCounts } from './doorway.ts'
import * as limits from './limits.ts'
import type { Links } from './links.ts'

export interface ReceptionParts {
  readonly environment: SessionEnvironment
  readonly log: SecurityLog
  readonly transport: Pick<StreamTransport, 'listen'>
  readonly links: Links
  readonly closing: AbortSignal
  readonly sessionsMax: number
  readonly handshakesPendingMax: number
  adoption(startedMs: number): { readonly adopt: SessionHandlers }
}

export class Reception {
  readonly #parts: ReceptionParts
  readonly #doorway: Doorway
  readonly #listeners: Listener[] = []
  /** As the parts', with a bound on what may come in. */
  readonly #accepting: SessionEnvironment

  constructor(parts: ReceptionParts) {
    this.#parts = parts
    const { environment, handshakesPendingMax } = parts
    this.#doorway = new Doorway({
      clock: environment.clock,
      silentMax: limits.connectionsSilentMax,
      pendingMax: handshakesPendingMax,
    })
    this.#accepting = { ...environment, authorize: (candidate) => this.#authorize(candidate) }
  }

  get addresses(): readonly string[] {
    return this.#listeners.flatMap((listener) => listener.addresses)
  }

  /** Connections that are not sessions yet. */
  get counts(): DoorwayCounts {
    return this.#doorway.counts
  }

  async listen(address: string): Promise<void> {
    const { transport } = this.#parts
    this.#listeners.push(await transport.listen(address, (stream) => void this.#accept(stream)))
  }

  /** Sends away who is not in yet, and closes the doors. */
  async close(reason: unknown): Promise<void> {
    this.#doorway.close(reason)
    await Promise.all(this.#listeners.map((listener) => listener.close()))
  }

  async #accept(stream: ByteStream): Promise<void> {
    const { environment, log, closing, adoption } = this.#parts
    if (this.#isFull || closing.aborted) {
      const detail = `busy: ${stream.remoteAddress}`
      log.record({ kind: 'session-refused', severity: 'warning', detail })
      refuseStream(stream, 'SESSION_BUSY', environment)
      return
    }
    const caller = this.#doorway.enter(stream)
    try {
      const { adopt } = adoption(environment.clock.monotonicMs())
      await acceptSession(stream, this.#accepting, {
        handlers: adopt,
        signal: caller.signal,
        greeted: caller.greet,
        admitted: caller.admit,
      })
    } catch (error) {
      const detail = `${(error as SessionError).code} ${stream.remoteAddress}`
      log.record({ kind: 'handshake-refused', severity: 'warning', detail })
    } finally {
      caller.leave()
    }
  }

  get #isFull(): boolean {
    const { links, sessionsMax } = this.#parts
    return links.size + this.#doorway.counts.admitted >= sessionsMax
  }

  /** Before anybody is asked, and before a token is spent: is there room at all? */
  #authorize(candidate: Candidate): Admission | Promise<Admission> {
    const { links, environment } = this.#parts
    const isTooMany = links.count(candidate.peer.agent) >= limits.sessionsOfPeerMax
    if (this.#isFull || isTooMany) return { isAdmitted: false, code: 'SESSION_BUSY' }
    return environment.authorize(candidate)
  }
}
