import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RingReader, RingWriter, ringControlWords } from '../src/shm-ring.ts'

const [headWord, tailWord] = [0, 32]

function rings() {
  const control = new Int32Array(ringControlWords)
  const place = { control, controlAt: 0, data: new Uint8Array(16) }
  return { control, writer: new RingWriter(place), reader: new RingReader(place) }
}

test('a head that runs past the capacity or goes back breaks the reader for good', () => {
  for (const head of [17, -1, 2]) {
    const { control, writer, reader } = rings()
    writer.push(new Uint8Array(4))
    writer.publish()
    assert.equal(reader.waiting, 4)
    control[headWord] = head
    assert.equal(reader.pull(64), undefined, `head ${head}`)
    assert.equal(reader.isBroken, true)
    control[headWord] = 4
    assert.equal(reader.waiting, 0, 'no word mends it')
    assert.equal(reader.isFinished, false)
  }
})

test('a tail that overtakes the head or goes back breaks the writer for good', () => {
  for (const tail of [5, -1, 1]) {
    const { control, writer, reader } = rings()
    writer.push(new Uint8Array(4))
    writer.publish()
    reader.pull(2)
    assert.equal(writer.unread, 2)
    control[tailWord] = tail
    assert.equal(writer.hasRoom, false, `tail ${tail}`)
    assert.equal(writer.isBroken, true)
    control[tailWord] = 2
    assert.equal(writer.push(new Uint8Array(1)), 0, 'no word mends it')
  }
})

test('the end is only seen behind the last byte', () => {
  const { writer, reader } = rings()
  writer.push(Uint8Array.of(1, 2))
  writer.publish()
  writer.finish()
  assert.deepEqual([reader.isEnded, reader.isFinished], [true, false])
  assert.deepEqual([...(reader.pull(64) ?? [])], [1, 2])
  assert.equal(reader.isFinished, true)
})

test('a frozen ring gives what it held, and nothing that came after', () => {
  const { writer, reader } = rings()
  writer.push(Uint8Array.of(1))
  writer.publish()
  reader.freeze()
  writer.push(Uint8Array.of(2))
  writer.publish()
  writer.finish()
  assert.deepEqual([...(reader.pull(64) ?? [])], [1])
  assert.deepEqual([reader.waiting, reader.isEnded], [0, false])
})

test('one sleeper is taken once', () => {
  const { writer, reader } = rings()
  assert.equal(writer.takeSleeper(), false)
  reader.setAsleep(true)
  assert.deepEqual([writer.takeSleeper(), writer.takeSleeper()], [true, false])
  reader.setAsleep(true)
  reader.setAsleep(false)
  assert.equal(writer.takeSleeper(), false)
})

test('a writer that waits for room is woken when half of it is there', () => {
  const { writer, reader } = rings()
  writer.push(new Uint8Array(16))
  writer.publish()
  assert.equal(reader.isAwaited, false)
  writer.setBlocked(true)
  reader.pull(7)
  assert.equal(reader.isAwaited, false)
  reader.pull(1)
  assert.equal(reader.isAwaited, true)
  writer.setBlocked(false)
  assert.equal(reader.isAwaited, false)
})

test('a ring whose size is no power of two is refused', () => {
  const control = new Int32Array(ringControlWords)
  for (const length of [0, 3, 24]) {
    const place = { control, controlAt: 0, data: new Uint8Array(length) }
    assert.throws(() => new RingWriter(place))
    assert.throws(() => new RingReader(place))
  }
})
