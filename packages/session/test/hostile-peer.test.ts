// What an admitted peer may do that no correct one does: speak before its settings, take no answers, cause
// control frames and read none.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatBytes } from '@myelin/base'
import { verifies } from '@myelin/testkit'
import {
  encodeFrame,
  frameKinds,
  messageFlags,
  streamFlags,
  writeMessageHeader,
  writeStreamHeader,
} from '@myelin/wire'
import { decodeFailure, encodeFailure } from '../src/request-failure.ts'
import { party, until } from './pair.ts'
import { rogueInitiator, rogueSession, rogueSettings } from './rogue.ts'

verifies('R104')

function request(id: number): Uint8Array {
  const frame = new Uint8Array(20)
  writeMessageHeader(frame, 0, messageFlags.request, 2, id, 0, 4)
  return frame
}

function emptyStream(streamId: number): Uint8Array {
  const frame = new Uint8Array(12)
  const flags = streamFlags.open | streamFlags.fin
  writeStreamHeader(frame, 0, { flags, typeId: 1, streamId }, 0)
  return frame
}

test('nothing is delivered before the settings, and the session ends', async () => {
  const [eve, bob] = [party(), party()]
  const rogue = await rogueInitiator(eve, bob)
  rogue.send(request(0))
  await assert.rejects(rogue.accepting, { code: 'SESSION_PROTOCOL' })
  assert.deepEqual(bob.messages, [])
})

test('nor does anything stand before the settings in their record', async () => {
  for (const first of [
    request(0),
    Uint8Array.of(frameKinds.padding),
    encodeFrame.defineType(64, 'x'),
  ]) {
    const [eve, bob] = [party(), party()]
    const rogue = await rogueInitiator(eve, bob)
    rogue.send(first, rogueSettings, request(1))
    await assert.rejects(rogue.accepting, { code: 'SESSION_PROTOCOL' })
    assert.deepEqual(bob.messages, [])
  }
})

test('settings behind a close open nothing', async () => {
  const [eve, bob] = [party(), party()]
  let opened = 0
  bob.handlers.opened = () => {
    opened += 1
  }
  const rogue = await rogueInitiator(eve, bob)
  rogue.send(encodeFrame.close(1, ''), rogueSettings)
  await assert.rejects(rogue.accepting, { code: 'SESSION_CLOSED' })
  assert.equal(opened, 0)
})

test('a peer that takes no message at all gets no failure either, and breaks nothing', async () => {
  const [eve, bob] = [party(), party()]
  const answers: boolean[] = []
  bob.onMessage = (message) => answers.push(message.fail(1, 'a text longer than one byte'))
  const rogue = await rogueInitiator(eve, bob)
  const limits = { dataMax: 2 ** 20, streamDataMax: 2 ** 20, streamsMax: 8, messageBytesMax: 1 }
  rogue.send(encodeFrame.settings(limits), request(0))
  const far = await rogue.accepting
  rogue.send(request(1))
  await until(() => answers.length === 2)
  assert.deepEqual(answers, [false, false])
  assert.ok(far.isOpen)
})

test('a peer that grants nothing gets no failure once the queue is full, and breaks nothing', async () => {
  const [eve, bob] = [party(), party()]
  bob.holds = true
  const rogue = await rogueInitiator(eve, bob)
  const limits = { dataMax: 0, streamDataMax: 0, streamsMax: 0, messageBytesMax: 2 ** 24 }
  rogue.send(encodeFrame.settings(limits), request(0))
  const far = await rogue.accepting
  await until(() => bob.messages.length === 1)
  for (const bytes of [2 ** 24, 2 ** 20, 2 ** 12, 64]) {
    const payload = new Uint8Array(bytes)
    assert.throws(
      () => {
        for (;;) far.post('data', payload)
      },
      { code: 'SESSION_QUEUE_FULL' },
    )
  }
  const queued = far.stats.queuedBytes
  assert.equal(bob.messages[0]?.fail(1, 'x'.repeat(1_000)), false)
  assert.equal(far.stats.queuedBytes, queued)
  assert.ok(far.isOpen)
})

test('a peer that causes control frames without end and reads none is cut off', async () => {
  const [eve, bob] = [party(), party()]
  bob.onStream = (stream) => {
    stream.reset(2)
    stream.stop(2)
  }
  const rogue = await rogueSession(eve, bob)
  rogue.stream.pause()
  for (let id = 0; rogue.far.isOpen && id < 1_000_000; ) {
    const frames: Uint8Array[] = []
    for (let i = 0; i < 5_000; i += 1, id += 2) frames.push(emptyStream(id))
    rogue.send(concatBytes(...frames))
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(bob.ended[0]?.code, 'SESSION_FLOW_CONTROL')
  assert.ok(rogue.far.stats.bytesSent < 2 ** 21, `${rogue.far.stats.bytesSent} bytes wait for it`)
})

test('a long failure is cut between two characters', () => {
  const failure = decodeFailure(encodeFailure(7, 'ä'.repeat(2_000)))
  assert.equal(failure.remoteCode, 7)
  assert.equal(failure.remoteMessage, 'ä'.repeat(512))
  const odd = decodeFailure(encodeFailure(7, `x${'ä'.repeat(2_000)}`))
  assert.equal(odd.remoteMessage, `x${'ä'.repeat(511)}`)
})

test('the same failure again costs no more memory, and another one is told as what it is', () => {
  const busy = encodeFailure(4, 'slow down')
  assert.equal(encodeFailure(4, 'slow down'), busy)
  for (const [code, text] of [
    [4, 'slow down, please'],
    [5, 'slow down'],
    [4, 'slow down'],
  ] as const) {
    const { remoteCode, remoteMessage } = decodeFailure(encodeFailure(code, text))
    assert.deepEqual([remoteCode, remoteMessage], [code, text])
  }
})
