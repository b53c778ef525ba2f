// Two agents on one virtual clock with a session between them, and attempts at another one. Whatever happens
// to an attempt, the session that is there must not notice.

import assert from 'node:assert/strict'
import {
  acceptSession,
  type DialSessionOptions,
  dialSession,
  type Session,
  type SessionEnvironment,
  SessionError,
} from '@myelin/session'
import { VirtualClock } from '@myelin/testkit'
import type { ByteStream } from '@myelin/transport'
import { Interceptor, type Rule } from './interceptor.ts'
import { connect, type Party, party } from './pair.ts'

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export interface Scene {
  readonly clock: VirtualClock
  readonly alice: Party
  readonly bob: Party
  /** The session that was there before still answers, and no session that was open has ended. */
  unharmed(): Promise<void>
}

export async function scene(options: Partial<SessionEnvironment> = {}): Promise<Scene> {
  const clock = new VirtualClock()
  const [alice, bob] = [party({ clock, ...options }), party({ clock, ...options })]
  bob.onMessage = (message) => message.kind === 'request' && message.reply(message.payload)
  const { near, far } = await connect(alice, bob)
  const unharmed = async () => {
    const reply = await near.request('echo', bytes('still here'))
    assert.deepEqual(reply.payload, bytes('still here'))
    assert.ok(near.isOpen && far.isOpen)
  }
  return { clock, alice, bob, unharmed }
}

export type Outcome = Session | SessionError

/** The code of a refusal, or `open`. */
export function codeOf(outcome: Outcome): string {
  return outcome instanceof SessionError ? outcome.code : 'open'
}

export async function outcomeOf(session: Promise<Session>): Promise<Outcome> {
  return await session.catch((error: unknown) => {
    assert.ok(error instanceof SessionError, `a refusal is a SessionError, not ${error}`)
    return error
  })
}

export interface Attempt {
  readonly dialed: Outcome
  readonly accepted: Outcome
  readonly middle: Interceptor
}

export interface AttemptOptions extends Partial<DialSessionOptions> {
  readonly rule?: Rule
  readonly binding?: { readonly near?: Uint8Array; readonly far?: Uint8Array }
}

/** A handshake with somebody in between. */
export async function attempt(
  alice: Party,
  bob: Party,
  options: AttemptOptions = {},
): Promise<Attempt> {
  const { rule, binding, ...dial } = options
  const middle = await Interceptor.between(rule)
  const far = bound(middle.far, binding?.far)
  const accepting = outcomeOf(acceptSession(far, bob.environment, { handlers: bob.handlers }))
  const near = bound(middle.near, binding?.near)
  const dialing = outcomeOf(
    dialSession(near, alice.environment, {
      handlers: alice.handlers,
      expected: bob.keys.agent,
      ...dial,
    }),
  )
  const [dialed, accepted] = await Promise.all([dialing, accepting])
  return { dialed, accepted, middle }
}

function bound(stream: ByteStream, channelBinding: Uint8Array | undefined): ByteStream {
  return channelBinding === undefined ? stream : Object.assign(stream, { channelBinding })
}
