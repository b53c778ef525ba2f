import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '@myelin/base'
import {
  dialWithDeadline,
  MemoryNetwork,
  memory,
  type StreamTransport,
  TransportError,
} from '@myelin/transport'

/** A clock whose timers fire by hand. */
function handClock() {
  const timers = new Set<() => void>()
  const clock: Clock = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    setTimer: (_delayMs, callback) => {
      timers.add(callback)
      return { cancel: () => void timers.delete(callback) }
    },
    defer: queueMicrotask,
  }
  const fire = () => {
    for (const callback of timers) callback()
  }
  return { clock, timers, fire }
}

/** Never answers, but heeds its signal. */
function silent(seen: { signal?: AbortSignal | undefined }): StreamTransport {
  return {
    ...memory({ network: new MemoryNetwork() }),
    dial: (_address, { signal } = {}) => {
      seen.signal = signal
      return new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () =>
          reject(new TransportError('TRANSPORT_ABORTED', 'aborted', { cause: signal.reason })),
        )
      })
    },
  }
}

test('a dial past its deadline fails with TRANSPORT_TIMEOUT and is stopped', async () => {
  const { clock, fire } = handClock()
  const seen: { signal?: AbortSignal } = {}
  const dialling = dialWithDeadline(silent(seen), '/memory/a', { clock, timeoutMs: 5_000 })
  fire()
  await assert.rejects(dialling, {
    code: 'TRANSPORT_TIMEOUT',
    kind: 'recoverable',
    message: /5000/,
  })
  assert.equal(seen.signal?.aborted, true)
})

test("the caller's signal aborts as ever, and no timer is left", async () => {
  const { clock, timers } = handClock()
  const stop = new AbortController()
  const options = { clock, timeoutMs: 5_000, signal: stop.signal }
  const dialling = dialWithDeadline(silent({}), '/memory/a', options)
  stop.abort()
  await assert.rejects(dialling, { code: 'TRANSPORT_ABORTED' })
  assert.equal(timers.size, 0)
})

test('a dial within its deadline gives the stream, and no timer is left', async () => {
  const { clock, timers } = handClock()
  const transport = memory({ network: new MemoryNetwork() })
  await using _listener = await transport.listen('/memory/a', () => {})
  const stream = await dialWithDeadline(transport, '/memory/a', { clock, timeoutMs: 1 })
  assert.equal(stream.remoteAddress, '/memory/a')
  assert.equal(timers.size, 0)
})

test('a stream that arrives after the deadline all the same is destroyed', async () => {
  const { clock, fire } = handClock()
  const network = new MemoryNetwork()
  const inner = memory({ network })
  await using _listener = await inner.listen('/memory/a', () => {})
  const late = await inner.dial('/memory/a')
  let arrive: () => void = () => {}
  const deaf: StreamTransport = {
    ...inner,
    dial: () => new Promise((resolve) => (arrive = () => resolve(late))),
  }
  const dialling = dialWithDeadline(deaf, '/memory/a', { clock, timeoutMs: 1 })
  fire()
  await assert.rejects(dialling, { code: 'TRANSPORT_TIMEOUT' })
  arrive()
  await new Promise<void>((resolve) =>
    late.attach({ data: () => {}, drain: () => {}, end: () => {}, closed: () => resolve() }),
  )
})

test('a deadline that is no positive number of milliseconds is refused', async () => {
  const { clock } = handClock()
  for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
    await assert.rejects(dialWithDeadline(memory(), '/memory/a', { clock, timeoutMs }), {
      code: 'TRANSPORT_OPTION',
    })
})
