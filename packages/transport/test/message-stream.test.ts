import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type MessageEvents, type MessageSocket, MessageStream } from '../src/message-stream.ts'

/** A socket that does nothing by itself and writes down what it is told. */
function stage() {
  const calls: string[] = []
  const deferred: (() => void)[] = []
  const state = { bufferedAmount: 0 }
  let events: MessageEvents | undefined
  const names = { transport: 'test', localAddress: '/', remoteAddress: '/' }
  const socket: MessageSocket = {
    get bufferedAmount() {
      return state.bufferedAmount
    },
    send: (bytes) => {
      calls.push(`send ${bytes.length}`)
      state.bufferedAmount += bytes.length
    },
    watchBuffer: () => void calls.push('watch'),
    pause: () => void calls.push('pause'),
    resume: () => void calls.push('resume'),
    close: () => void calls.push('close'),
    terminate: () => void calls.push('terminate'),
    defer: (callback) => void deferred.push(callback),
  }
  const stream = new MessageStream(names, (given) => {
    events = given
    return socket
  })
  assert.ok(events)
  const seen: string[] = []
  let onData = () => {}
  const attach = () =>
    stream.attach({
      data: (chunk) => {
        seen.push(`data ${chunk.length}`)
        onData()
      },
      drain: () => void seen.push('drain'),
      end: () => void seen.push('end'),
      closed: (error) =>
        void seen.push(`closed ${(error as { code?: string })?.code ?? ''}`.trim()),
    })
  const on = (act: () => void) => {
    onData = act
  }
  return { stream, events, calls, deferred, state, seen, attach, on }
}

const microtasks = () => new Promise<void>((resolve) => queueMicrotask(resolve))

test('what came before the reader waits for it, the end and the closing too', async () => {
  const { stream, events, seen, attach, calls } = stage()
  stream.end()
  events.message(new Uint8Array(3))
  events.message(new Uint8Array(0))
  assert.deepEqual(calls, ['send 0', 'close'])
  events.closed(1000)
  attach()
  assert.deepEqual(seen, [])
  await microtasks()
  assert.deepEqual(seen, ['data 3', 'end', 'closed'])
})

test('a stream that closes behind a reader that pauses is read to its end first', async () => {
  const { stream, events, seen, attach } = stage()
  attach()
  await microtasks()
  stream.end()
  stream.pause()
  events.message(new Uint8Array(1))
  events.message(new Uint8Array(0))
  events.closed(1000)
  await microtasks()
  assert.deepEqual(seen, [])
  stream.resume()
  await microtasks()
  assert.deepEqual(seen, ['data 1', 'end', 'closed'])
})

test('a code other than 1000, or 1000 before both ends, is a stream broken off', async () => {
  for (const [ends, code] of [
    [true, 1006],
    [true, 4000],
    [false, 1000],
  ] as const) {
    const { stream, events, seen, attach } = stage()
    attach()
    await microtasks()
    if (ends) stream.end()
    events.message(new Uint8Array(0))
    events.closed(code)
    assert.deepEqual(seen, ['end', 'closed TRANSPORT_RESET'])
  }
})

test('a socket that cannot pause may bring so much unread and no more', async () => {
  const { stream, events, seen, attach, calls } = stage()
  attach()
  stream.pause()
  for (let i = 0; i < 64; i += 1) events.message(new Uint8Array(2 ** 20))
  assert.ok(!calls.includes('terminate'))
  events.message(new Uint8Array(1))
  assert.ok(calls.includes('terminate'))
  await microtasks()
  assert.deepEqual(seen, ['closed TRANSPORT_PROTOCOL'])
})

test('a writer that was told to wait is told once when half of it has left', async () => {
  const { stream, events, seen, attach, calls, state } = stage()
  attach()
  await microtasks()
  assert.equal(stream.write(new Uint8Array(200_000)), true)
  assert.equal(stream.write(new Uint8Array(100_000)), false)
  assert.equal(calls.filter((call) => call === 'watch').length, 1)
  state.bufferedAmount = 140_000
  events.sent()
  assert.deepEqual(seen, [])
  assert.equal(calls.filter((call) => call === 'watch').length, 2, 'it is watched on')
  state.bufferedAmount = 100_000
  events.sent()
  events.sent()
  assert.deepEqual(seen, ['drain'])
})

test('a reader that takes long gives the others a turn', async () => {
  const { events, seen, attach, deferred, calls, on } = stage()
  attach()
  await microtasks()
  on(() => {
    const beganMs = performance.now()
    while (performance.now() - beganMs < 3);
  })
  events.message(new Uint8Array(1))
  events.message(new Uint8Array(2))
  assert.deepEqual([seen, calls.at(-1)], [['data 1'], 'pause'])
  deferred[0]?.()
  assert.deepEqual(seen, ['data 1', 'data 2'])
})

test('an empty write says nothing: an empty message would be the end', () => {
  const { stream, calls } = stage()
  stream.write(new Uint8Array(0))
  stream.cork()
  stream.write(new Uint8Array(0))
  stream.uncork()
  assert.deepEqual(calls, [])
})
