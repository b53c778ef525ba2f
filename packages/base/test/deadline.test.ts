import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { sleep, withDeadline } from '@myelin/base'
import { VirtualClock } from '@myelin/testkit'

const options = (clock: VirtualClock, signal?: AbortSignal) => ({
  clock,
  timeoutMs: 100,
  signal,
  what: 'the test',
})

test('work that is done in time gives its value or its error, and leaves no timer', async () => {
  const clock = new VirtualClock()
  assert.equal(await withDeadline(Promise.resolve(7), options(clock)), 7)
  await assert.rejects(withDeadline(Promise.reject(new Error('own')), options(clock)), /own/)
  assert.equal(clock.timersPending, 0)
})

test('work that takes too long is given up to the millisecond', async () => {
  const clock = new VirtualClock()
  const outcome = withDeadline(new Promise(() => {}), options(clock)).catch(
    (error: unknown) => error,
  )
  let isOver = false
  void outcome.then(() => {
    isOver = true
  })
  await clock.advance(99)
  assert.equal(isOver, false)
  await clock.advance(1)
  const error = (await outcome) as { code: string; kind: string; message: string }
  assert.deepEqual([error.code, error.kind], ['BASE_DEADLINE', 'recoverable'])
  assert.match(error.message, /^the test took longer than 100 ms; /)
})

test('without a timeout it waits without end', async () => {
  const clock = new VirtualClock()
  const work = Promise.withResolvers<number>()
  const waiting = withDeadline(work.promise, { clock, what: 'the test' })
  assert.equal(clock.timersPending, 0)
  await clock.advance(1e12)
  work.resolve(1)
  assert.equal(await waiting, 1)
})

test('an abort wins with its reason, and leaves no timer and no listener', async () => {
  const clock = new VirtualClock()
  const abort = new AbortController()
  const waiting = withDeadline(new Promise(() => {}), options(clock, abort.signal))
  abort.abort(new Error('enough'))
  await assert.rejects(waiting, /enough/)
  assert.equal(clock.timersPending, 0)
  assert.equal(getEventListeners(abort.signal, 'abort').length, 0)
  // Aborted before: the work's own failure goes nowhere, and not unhandled.
  await assert.rejects(
    withDeadline(Promise.reject(new Error('own')), options(clock, abort.signal)),
    /enough/,
  )
})

test('a signal that outlives the work keeps nothing of it', async () => {
  const clock = new VirtualClock()
  const { signal } = new AbortController()
  await withDeadline(Promise.resolve(1), options(clock, signal))
  const sleeping = sleep(clock, 5, signal)
  await clock.advance(5)
  await sleeping
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test('sleep ends when its time is over or when it is woken', async () => {
  const clock = new VirtualClock()
  const woken: number[] = []
  void sleep(clock, 20).then(() => woken.push(20))
  void sleep(clock, 10).then(() => woken.push(10))
  await clock.advance(15)
  assert.deepEqual(woken, [10])
  const abort = new AbortController()
  const sleeping = sleep(clock, 1_000, abort.signal)
  abort.abort(new Error('up'))
  await assert.rejects(sleeping, /up/)
  await assert.rejects(sleep(clock, 1, abort.signal), /up/)
  assert.equal(clock.timersPending, 1)
})
