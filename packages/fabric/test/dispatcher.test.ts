// What becomes of a message at its handler, where the peer makes it hard.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Logger } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import { type Gate, SecurityLog } from '@myelin/guard'
import { AgentKeys } from '@myelin/identity'
import { VirtualClock, verifies } from '@myelin/testkit'
import { builtInMessageTypes } from '@myelin/wire'
import { type Deliverable, Dispatcher } from '../src/dispatcher.ts'

const from = AgentKeys.generate(systemRandom).agent
const allowing = { incoming: () => 'allowed' } as unknown as Gate

function scene() {
  const lines: string[] = []
  const logger: Logger = { log: (_, event) => void lines.push(event), child: () => logger }
  const clock = new VirtualClock()
  const dispatcher = new Dispatcher({
    types: builtInMessageTypes(),
    log: new SecurityLog(clock, logger),
    logger,
    held: { messages: 100, bytes: 1_000_000 },
  })
  return { dispatcher, lines }
}

test('the answer to a peer that reads none is dropped and counted, with no error and no line in the log', () => {
  verifies('R067')
  const { dispatcher, lines } = scene()
  let handled = 0
  dispatcher.handle('echo', ({ payload }) => {
    handled += 1
    return payload
  })
  const said = { replies: 0, failures: 0, released: 0 }
  let room = 10
  const request: Deliverable = {
    kind: 'request',
    type: 'echo',
    payload: new Uint8Array(10),
    timestampMs: 0,
    priority: 'normal',
    release: () => {
      said.released += 1
    },
    canReply: (bytes) => bytes <= room,
    reply: () => {
      said.replies += 1
      return true
    },
    fail: () => {
      said.failures += 1
      return true
    },
  }
  dispatcher.dispatch(request, from, allowing)
  room = 9
  for (let i = 0; i < 3; i += 1) dispatcher.dispatch(request, from, allowing)
  assert.deepEqual(said, { replies: 1, failures: 0, released: 4 })
  assert.equal(handled, 4)
  assert.deepEqual(dispatcher.counts, {
    handled: 4,
    unhandled: 0,
    refused: 0,
    failed: 0,
    unanswered: 3,
  })
  assert.deepEqual(lines, [])
})
