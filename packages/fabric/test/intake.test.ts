import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '@myelin/base'
import { SecurityLog } from '@myelin/guard'
import type { IncomingMessage, Session } from '@myelin/session'
import { VirtualClock, verifies } from '@myelin/testkit'
import { type IntakeParts, intake } from '../src/intake.ts'

verifies('R090', 'R165')

/** The handlers of a session whose peer has turned. */
function scene({ isMetered = true, canReply = true, isKnown = true } = {}) {
  const state = { left: 0, replies: 0, closes: 0, released: 0, dispatched: 0 }
  const session = {
    peer: { agent: 'peer' },
    close: async () => {
      state.closes += 1
    },
  } as unknown as Session
  const link = { session, gate: { metered: () => isMetered }, isLeftByPeer: false }
  const log = new SecurityLog(new VirtualClock(), silentLogger)
  const parts = {
    log,
    dispatcher: {
      dispatch: () => {
        state.dispatched += 1
      },
    },
    sender: { acknowledged: () => isKnown },
    receiver: {},
    datagrams: {},
    connections: () => ({
      links: { of: () => link },
      leftByPeer: () => {
        state.left += 1
        link.isLeftByPeer = true
      },
    }),
  } as unknown as IntakeParts
  const handlers = intake(parts)
  const take = (type: string, kind: string, payload: Uint8Array = new Uint8Array(0)) => {
    const message = {
      type,
      kind,
      payload,
      reply: () => {
        if (!canReply) throw new Error('full')
        state.replies += 1
        return true
      },
      release: () => {
        state.released += 1
      },
    }
    handlers.message(message as unknown as IncomingMessage, session)
  }
  return { state, take, log }
}

test('a handover is answered once; a second one ends the session', () => {
  const { state, take } = scene()
  take('handover', 'request')
  assert.deepEqual([state.left, state.replies, state.closes], [1, 1, 0])
  take('handover', 'request')
  assert.deepEqual([state.left, state.replies, state.closes, state.released], [1, 1, 1, 2])
})

test('a handover whose answer finds no room ends the session, and throws nothing', () => {
  const { state, take } = scene({ canReply: false })
  take('handover', 'request')
  assert.deepEqual([state.left, state.closes, state.released], [0, 1, 1])
})

test('what is malformed, of the wrong kind, of unsent messages or too often ends the session', () => {
  const ack = new Uint8Array(8 + 8 + 2 + 2)
  const wrong: [Parameters<typeof scene>[0], string, string, Uint8Array][] = [
    [{}, 'delivery', 'request', new Uint8Array(0)],
    [{}, 'delivery-ack', 'message', new Uint8Array(3)],
    [{ isKnown: false }, 'delivery-ack', 'message', ack],
    [{ isMetered: false }, 'delivery-ack', 'message', ack],
    [{ isMetered: false }, 'handover', 'request', new Uint8Array(0)],
    [{}, 'handover', 'message', new Uint8Array(0)],
  ]
  for (const [options, type, kind, payload] of wrong) {
    const { state, take, log } = scene(options)
    take(type, kind, payload)
    assert.deepEqual([state.closes, state.released, state.dispatched], [1, 1, 0], `${type} ${kind}`)
    assert.deepEqual(log.counts, { 'delivery-invalid': 1 })
  }
  const { state, take } = scene()
  take('delivery-ack', 'message', ack)
  take('data', 'message')
  assert.deepEqual([state.closes, state.dispatched], [0, 1])
})
