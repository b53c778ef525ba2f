import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatBytes } from '@myelin/base'
import fc from 'fast-check'
import { RingReader, RingWriter, ringControlWords } from '../src/shm-ring.ts'

const capacity = 16

interface Pair {
  readonly control: Int32Array
  readonly writer: RingWriter
  readonly reader: RingReader
}

/** Both ends over one plain buffer, whose indices are `start` already. */
function pair(start = 0): Pair {
  const control = new Int32Array(ringControlWords)
  const place = { control, controlAt: 0, data: new Uint8Array(capacity), start }
  const [writer, reader] = [new RingWriter(place), new RingReader(place)]
  // What both start from is what the memory says.
  control.fill(start)
  control[1] = 0
  return { control, writer, reader }
}

const step = fc.oneof(
  fc.record({ push: fc.uint8Array({ maxLength: 24 }), offset: fc.nat(4) }),
  fc.record({ pull: fc.integer({ min: 1, max: 24 }) }),
)

test('whatever the order of pushes and pulls, a ring is a queue of bytes', () => {
  // Starts just below 2^32 and 2^31 too, so that the indices wrap and change their sign.
  const start = fc.constantFrom(0, 5, -3, -capacity, 2 ** 31 - 7)
  fc.assert(
    fc.property(start, fc.array(step, { maxLength: 60 }), (from, steps) => {
      const { writer, reader } = pair(from)
      let queue: number[] = []
      for (const action of steps) {
        if ('push' in action) {
          const offset = Math.min(action.offset, action.push.length)
          const count = writer.push(action.push, offset)
          assert.equal(count, Math.min(action.push.length - offset, capacity - queue.length))
          assert.equal(reader.waiting, queue.length, 'nothing shows before publish')
          writer.publish()
          queue.push(...action.push.subarray(offset, offset + count))
        } else {
          const expected = queue.slice(0, action.pull)
          queue = queue.slice(action.pull)
          assert.deepEqual([...(reader.pull(action.pull) ?? [])], expected)
        }
        assert.equal(reader.waiting, queue.length)
        assert.equal(writer.unread, queue.length)
        assert.equal(writer.hasRoom, queue.length < capacity)
      }
      assert.equal(reader.isBroken || writer.isBroken, false)
    }),
    { numRuns: 1_000 },
  )
})

test('a chunk that was pulled is not touched by later writes', () => {
  const { writer, reader } = pair()
  const pulled: Uint8Array[] = []
  const sent: Uint8Array[] = []
  for (let byte = 0; byte < 40; byte += 1) {
    const bytes = new Uint8Array(5).fill(byte)
    writer.push(bytes)
    writer.publish()
    sent.push(bytes)
    pulled.push(reader.pull(5) ?? assert.fail('nothing came'))
  }
  assert.deepEqual(concatBytes(...pulled), concatBytes(...sent))
})

test('no words of the other side make a ring read or write beyond what it may', () => {
  const word = fc.record({ at: fc.nat(ringControlWords - 1), value: fc.integer() })
  fc.assert(
    fc.property(fc.array(fc.oneof(step, word), { maxLength: 60 }), (steps) => {
      const { control, writer, reader } = pair()
      for (const action of steps) {
        if ('at' in action) control[action.at] = action.value
        else if ('push' in action) {
          const count = writer.push(action.push, Math.min(action.offset, action.push.length))
          assert.ok(count >= 0 && count <= capacity)
          writer.publish()
        } else assert.ok((reader.pull(action.pull)?.length ?? 0) <= capacity)
        assert.ok(reader.waiting <= capacity && writer.unread <= capacity)
      }
    }),
    { numRuns: 2_000 },
  )
})
