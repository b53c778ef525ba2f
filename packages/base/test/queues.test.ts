import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AsyncQueue, BoundedQueue } from '@myelin/base'
import fc from 'fast-check'

test('a bounded queue is a list that refuses beyond its bound', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.nat() },
    { weight: 4, arbitrary: fc.constant('shift' as const) },
    { weight: 1, arbitrary: fc.constant('clear' as const) },
  )
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(step, { maxLength: 200 }),
      (capacity, steps) => {
        const queue = new BoundedQueue<number>(capacity)
        let model: number[] = []
        for (const one of steps) {
          if (one === 'clear') {
            queue.clear()
            model = []
          } else if (one === 'shift') {
            assert.equal(queue.peek(), model[0])
            assert.equal(queue.shift(), model.shift())
          } else {
            assert.equal(queue.push(one), model.length < capacity)
            if (model.length < capacity) model.push(one)
          }
          assert.deepEqual([queue.size, queue.isFull], [model.length, model.length === capacity])
        }
      },
    ),
  )
})

test('a queue needs a capacity', () => {
  for (const capacity of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => new BoundedQueue(capacity), { code: 'BASE_ASSERTION' })
  }
})

async function drain<Item>(queue: AsyncQueue<Item>): Promise<Item[]> {
  const items: Item[] = []
  for await (const item of queue) items.push(item)
  return items
}

test('items are read in order, those before and those after the reader came', async () => {
  const queue = new AsyncQueue<number>(10)
  queue.push(1)
  queue.push(2)
  const reading = drain(queue)
  await Promise.resolve()
  for (const item of [3, 4, 5]) assert.ok(queue.push(item))
  queue.close()
  assert.deepEqual(await reading, [1, 2, 3, 4, 5])
})

test('a full queue refuses, and says when there is room again', async () => {
  const taken: number[] = []
  const queue = new AsyncQueue<number>(2, (item) => taken.push(item))
  assert.deepEqual([queue.push(1), queue.push(2), queue.push(3)], [true, true, false])
  assert.equal(queue.size, 2)
  await queue.next()
  assert.deepEqual(taken, [1])
  assert.ok(queue.push(4))
  // One who waits gets the item at once: it was never queued.
  await queue.next()
  await queue.next()
  const waiting = queue.next()
  queue.push(5)
  assert.deepEqual(await waiting, { done: false, value: 5 })
  assert.deepEqual(taken, [1, 2, 4, 5])
})

test('a close lets what is queued be read, a failure comes after it, once', async () => {
  const queue = new AsyncQueue<number>(3)
  queue.push(1)
  queue.close(new Error('broken'))
  assert.equal(queue.push(2), false)
  assert.deepEqual(await queue.next(), { done: false, value: 1 })
  await assert.rejects(queue.next(), /broken/)
  assert.deepEqual(await queue.next(), { done: true, value: undefined })
})

test('a close ends the one who waits', async () => {
  const [ended, failed] = [new AsyncQueue<number>(1), new AsyncQueue<number>(1)]
  const [end, failure] = [ended.next(), failed.next()]
  ended.close()
  failed.close(new Error('broken'))
  assert.equal((await end).done, true)
  await assert.rejects(failure, /broken/)
})

test('a reader that leaves drops what is queued and gives its room back', async () => {
  const taken: (number | undefined)[] = []
  const queue = new AsyncQueue<number | undefined>(4, (item) => taken.push(item))
  for (const item of [1, undefined, 3]) queue.push(item)
  for await (const item of queue) {
    assert.equal(item, 1)
    break
  }
  assert.deepEqual(taken, [1, undefined, 3])
  assert.equal(queue.size, 0)
  assert.equal(queue.push(4), false)
  assert.equal((await queue.next()).done, true)
})

test('who left a broken queue hears of it no more', async () => {
  const queue = new AsyncQueue<number>(4)
  queue.push(1)
  queue.close(new Error('broken'))
  await queue.return()
  assert.equal((await queue.next()).done, true)
})

test('two readers at once are one too many', async () => {
  const queue = new AsyncQueue<number>(1)
  const first = queue.next()
  await assert.rejects(queue.next(), TypeError)
  queue.push(1)
  assert.equal((await first).value, 1)
})
