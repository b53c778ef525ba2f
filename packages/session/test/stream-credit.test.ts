// Bytes that nobody will read any more: their credit goes back, whatever has arrived before the reader left.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SessionStream } from '@myelin/session'
import { verifies } from '@myelin/testkit'
import { dataWindowBytes, streamWindowBytes } from '../src/limits.ts'
import { connect, party, until } from './pair.ts'

const ways: Readonly<Record<string, (stream: SessionStream) => unknown>> = {
  'stop()': (stream) => stream.stop(),
  'the end of a loop': async (stream) => {
    for await (const _ of stream) break
  },
  'its disposal': (stream) => stream[Symbol.asyncDispose](),
}

for (const [way, leave] of Object.entries(ways)) {
  for (const end of ['finish', 'reset'] as const) {
    test(`a reader that leaves by ${way} behind a ${end} gives back what it has not read`, async () => {
      verifies('R023')
      const [alice, bob] = [party(), party()]
      const { near, far } = await connect(alice, bob)
      // Together more than the session's window: a leak would stall the last of them.
      const rounds = 2 * (dataWindowBytes / streamWindowBytes)
      for (let round = 0; round < rounds; round += 1) {
        const stream = near.openStream('unread')
        for (let i = 0; i < 2; i += 1) stream.write(new Uint8Array(100_000))
        await until(() => stream.queuedBytes === 0)
        stream[end]()
        await near.ping()
        const arrived = bob.streams.at(-1) as SessionStream
        arrived.finish()
        await leave(arrived)
        await until(() => far.stats.heldBytes === 0)
        stream.stop()
      }
      assert.equal(bob.streams.length, rounds)
      assert.ok(near.isOpen)
    })
  }
}
