// Any bytes in the place of any message of a resumption are answered with a step, never with a throw, and never with
// a session.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { awaitHandshake, Resumptions, resumeHandshake, type Ticket } from '@myelin/session'
import { VirtualClock } from '@myelin/testkit'
import fc from 'fast-check'
import { party } from './pair.ts'

function sides() {
  const clock = new VirtualClock()
  const resumptions = new Resumptions({ clock })
  const [alice, bob] = [party({ clock }), party({ clock, resumptions })]
  const id = Uint8Array.from(randomBytes(16))
  const secret = Uint8Array.from(randomBytes(32))
  const rest = { id, isHybrid: true, expiresMs: clock.monotonicMs() + 1_000 }
  const kept = { ...rest, secret: secret.slice(), ownRecord: bob.record.encoded }
  resumptions.keep(alice.record, kept, false)
  const ticket: Ticket = { ...rest, secret, ownRecord: alice.record.encoded, peer: bob.record }
  const near = { ...alice.environment, record: alice.record }
  const far = { ...bob.environment, record: bob.record }
  return { near, far, ticket, nowMs: clock.wallMs() }
}

const anything = fc.uint8Array({ maxLength: 300 })

test('a first message of any bytes behind a ticket that is there never resumes', () => {
  fc.assert(
    fc.property(anything, fc.boolean(), (rest, isKnown) => {
      const { far, ticket, nowMs } = sides()
      const id = isKnown ? ticket.id : new Uint8Array(16)
      const step = awaitHandshake(far).receive(Buffer.concat([Uint8Array.of(5), id, rest]), nowMs)
      assert.ok(step.kind === 'continue')
      assert.deepEqual(step.send, Uint8Array.of(0))
    }),
  )
  fc.assert(
    fc.property(anything, (bytes) => {
      const { far, nowMs } = sides()
      assert.notEqual(awaitHandshake(far).receive(bytes, nowMs).kind, 'established')
    }),
  )
})

test('an answer of any bytes is a refusal, or declines', () => {
  fc.assert(
    fc.property(anything, (bytes) => {
      const { near, ticket, nowMs } = sides()
      const { next } = resumeHandshake(near, ticket, nowMs)
      const isDeclining = bytes.length === 1 && bytes[0] === 0
      assert.equal(next.receive(bytes, nowMs).kind, isDeclining ? 'continue' : 'failed')
    }),
  )
})

test('a confirmation of any bytes is refused', () => {
  fc.assert(
    fc.property(fc.oneof(anything, fc.uint8Array({ minLength: 32, maxLength: 32 })), (bytes) => {
      const { near, far, ticket, nowMs } = sides()
      const { send, next } = resumeHandshake(near, ticket, nowMs)
      const answer = awaitHandshake(far).receive(send, nowMs)
      assert.ok(answer.kind === 'continue')
      assert.equal(next.receive(answer.send, nowMs).kind, 'established')
      const step = answer.next.receive(bytes, nowMs)
      assert.ok(step.kind === 'failed')
      assert.equal(step.error.code, 'SESSION_CHALLENGE')
    }),
  )
})
