// What does not compile (R009): each state of a handshake offers the one step that is possible in it, and a step
// hands on the next state. The lines below are checked by the type checker; they are not run.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Admission,
  type AwaitingAccept,
  type AwaitingConfirmation,
  type AwaitingFinish,
  type AwaitingHello,
  beginHandshake,
  type HandshakeStep,
  type InitiatorContext,
  type Session,
  type SessionErrorCode,
} from '@myelin/session'
import { verifies } from '@myelin/testkit'

verifies('R009')

type Assert<Claim extends true> = Claim
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false

export type NextOfHello = Assert<
  Same<
    ReturnType<AwaitingHello['receive']>,
    HandshakeStep<AwaitingFinish | AwaitingConfirmation | AwaitingHello>
  >
>
export type NextOfAccept = Assert<Same<ReturnType<AwaitingAccept['receive']>, HandshakeStep<never>>>
export type NextOfFinish = Assert<Same<ReturnType<AwaitingFinish['receive']>, HandshakeStep<never>>>

export function statesOfTheResponder(
  hello: AwaitingHello,
  finish: AwaitingFinish,
  bytes: Uint8Array,
): void {
  // @ts-expect-error A responder without a hello cannot finish.
  hello.finish(bytes)
  // @ts-expect-error Nor is it where one waits for the last message: the two states are not the same type.
  const skipped: AwaitingFinish = hello
  // @ts-expect-error And it does not go back.
  const again: AwaitingHello = finish
  void [skipped, again]
  const step = hello.receive(bytes, 0)
  // @ts-expect-error There is no next state before it is known that the step succeeded.
  step.next
  if (step.kind === 'continue') {
    // @ts-expect-error A handshake that goes on has established nothing.
    step.established
    // @ts-expect-error The state after a hello takes a message, not another hello's context.
    step.next.receive()
  }
  if (step.kind === 'failed') {
    // @ts-expect-error After a failure there is nothing to send.
    step.send
    // @ts-expect-error And nothing to go on with.
    step.next
  }
}

export function statesOfTheInitiator(context: InitiatorContext, bytes: Uint8Array): void {
  const { next } = beginHandshake(context, 0)
  // @ts-expect-error The initiator's state is not one of the responder's.
  const wrong: AwaitingFinish = next
  void wrong
  const step = next.receive(bytes, 0)
  if (step.kind === 'established') {
    // @ts-expect-error What is established does not change.
    step.established.agreement = { version: 1, suite: 'aes-256-gcm', compression: 'none' }
    // @ts-expect-error Nor who is there.
    step.established.peer.agent = step.established.peer.name
  }
}

export function sessions(session: Session): void {
  // @ts-expect-error A name alone is not an agent id.
  session.peer.agent = 'bob'
  // @ts-expect-error A session ends with a code of its own, not any.
  void session.close('SESSION_FLOW_CONTROL')
  // @ts-expect-error Text is not bytes.
  session.post('data', 'hello')
  // @ts-expect-error There are four priorities.
  session.post('data', new Uint8Array(0), { priority: 'urgent' })
}

// @ts-expect-error Who is not admitted has a reason.
export const refusedWithoutReason: Admission = { isAdmitted: false }
// @ts-expect-error Who is admitted has roles, be they none.
export const admittedWithoutRoles: Admission = { isAdmitted: true }
// @ts-expect-error Codes are a closed list.
export const unknownCode: SessionErrorCode = 'SESSION_WHATEVER'

test('the states have no public way around them at run time either', async () => {
  const { AwaitingAccept, AwaitingFinish, AwaitingHello } = await import('../src/handshake.ts')
  for (const state of [AwaitingAccept, AwaitingFinish, AwaitingHello]) {
    assert.deepEqual(Object.getOwnPropertyNames(state.prototype).sort(), [
      'constructor',
      'dispose',
      'receive',
    ])
  }
})
