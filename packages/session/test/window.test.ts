// The window of a receiver and the path that it is sized to.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acceptSession, dialSession } from '@myelin/session'
import { VirtualClock, verifies } from '@myelin/testkit'
import type { ByteStream, ByteStreamHandlers } from '@myelin/transport'
import {
  dataWindowBytes,
  dataWindowBytesMin,
  handshakeWorkMs,
  streamWindowBytes,
} from '../src/limits.ts'
import { AdaptiveWindow, RoundTrips } from '../src/window.ts'
import { type Party, party } from './pair.ts'

const mib = 1024 * 1024

function windowOver(roundTripMs: number | undefined, bytesMax = 8 * mib) {
  const clock = new VirtualClock()
  const trips = new RoundTrips(clock, 1_000_000)
  if (roundTripMs !== undefined) trips.add(roundTripMs)
  const window = new AdaptiveWindow(trips, mib, bytesMax)
  /** So many bytes a millisecond are taken, in portions of a quarter of a window, for a second. */
  const take = async (bytesPerMs: number) => {
    for (let passedMs = 0; passedMs < 1000; ) {
      const portion = window.bytes / 4
      await clock.advance(portion / bytesPerMs)
      passedMs += portion / bytesPerMs
      window.taken(portion)
    }
  }
  return { window, take }
}

test('a window grows to one and a half times what comes in a round trip, and no further', async () => {
  verifies('R022')
  const { window, take } = windowOver(100)
  await take(15_000)
  // 1.5 × 15,000 B/ms × 100 ms = 2,250,000 B; windows double.
  assert.equal(window.bytes, 4 * mib)
  await take(1_000_000)
  assert.equal(window.bytes, 8 * mib, 'bounded')
})

test('a window stays as it is where the path is short, the reader slow or the path unknown', async () => {
  for (const [roundTripMs, bytesPerMs] of [
    [0.2, 1_000_000],
    [100, 2_000],
    [undefined, 1_000_000],
  ] as const) {
    const { window, take } = windowOver(roundTripMs)
    await take(bytesPerMs)
    assert.equal(window.bytes, mib, `${roundTripMs} ms, ${bytesPerMs} B/ms`)
  }
})

test('a window shrinks step by step where little of it is needed, and not below its first size', async () => {
  verifies('R022')
  const { window, take } = windowOver(100)
  await take(40_000)
  assert.equal(window.bytes, 8 * mib)
  window.relax()
  assert.equal(window.bytes, 8 * mib, 'it was needed')
  const sizes = Array.from({ length: 4 }, () => {
    window.relax()
    return window.bytes / mib
  })
  assert.deepEqual(sizes, [4, 2, 1, 1])
  await take(40_000)
  assert.equal(window.bytes, 8 * mib, 'and comes back')
})

test('the shortest round trip counts, and an old one is forgotten', async () => {
  const clock = new VirtualClock()
  const trips = new RoundTrips(clock, 1_000)
  assert.equal(trips.shortestMs, undefined)
  for (const ms of [30, 10, 50]) trips.add(ms)
  assert.equal(trips.shortestMs, 10)
  await clock.advance(1_000)
  trips.add(40)
  assert.equal(trips.shortestMs, 10, 'of the span before')
  await clock.advance(1_000)
  trips.add(60)
  assert.equal(trips.shortestMs, 40)
})

/** A long pipe without a bound: what is written arrives after `delayMs`. */
class LongPipe implements ByteStream {
  readonly kind = 'stream' as const
  readonly transport = 'memory'
  readonly localAddress = '/memory/near'
  readonly remoteAddress = '/memory/far'
  readonly bufferedBytes = 0
  readonly #clock: VirtualClock
  readonly #delayMs: number
  #peer: LongPipe | undefined
  #handlers: ByteStreamHandlers | undefined

  constructor(clock: VirtualClock, delayMs: number, peer?: LongPipe) {
    this.#clock = clock
    this.#delayMs = delayMs
    this.#peer = peer
    if (peer !== undefined) peer.#peer = this
  }

  attach(handlers: ByteStreamHandlers): void {
    this.#handlers = handlers
  }

  write(bytes: Uint8Array): boolean {
    this.#clock.setTimer(this.#delayMs, () => this.#peer?.arrive(bytes))
    return true
  }

  arrive(bytes: Uint8Array): void {
    this.#handlers?.data(bytes)
  }

  cork(): void {}
  uncork(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

async function longSession(delayMs: number) {
  const clock = new VirtualClock()
  const [alice, bob] = [party({ clock }), party({ clock })] as [Party, Party]
  const near = new LongPipe(clock, delayMs)
  const far = new LongPipe(clock, delayMs, near)
  const accepting = acceptSession(far, bob.environment, { handlers: bob.handlers })
  const dialing = dialSession(near, alice.environment, {
    handlers: alice.handlers,
    expected: bob.keys.agent,
  })
  const both = Promise.all([dialing, accepting])
  await clock.advance(20 * delayMs)
  const [sender, receiver] = await both
  return { clock, alice, bob, sender, receiver }
}

test('a session over a long path fills it: windows of session and stream grow, and shrink at rest', async () => {
  verifies('R022')
  const { clock, bob, sender, receiver } = await longSession(50)
  assert.equal(receiver.stats.windowBytes, dataWindowBytesMin)
  let taken = 0
  bob.onStream = async (stream) => {
    for await (const chunk of stream) taken += chunk.length
  }
  const stream = sender.openStream('bulk')
  let isPouring = true
  const pour = async () => {
    while (isPouring) if (!stream.write(new Uint8Array(64 * 1024))) await stream.drained()
  }
  const poured = pour()
  await clock.advance(100)
  taken = 0
  await clock.advance(100)
  // The first windows: what one stream may send in a round trip.
  assert.ok(taken <= 2 * streamWindowBytes, `${taken} bytes`)
  await clock.advance(4_000)
  assert.equal(receiver.stats.windowBytes, dataWindowBytes)
  taken = 0
  await clock.advance(1_000)
  const ideal = dataWindowBytes * 10
  assert.ok(taken > 0.7 * ideal, `${taken} of ${ideal} bytes a second`)
  isPouring = false
  await clock.advance(1_000)
  await poured
  await clock.advance(180_000)
  assert.equal(receiver.stats.windowBytes, dataWindowBytesMin)
  // As the handshake had it, without what the other side's work takes elsewhere.
  assert.equal(receiver.stats.roundTripMs, 100 - handshakeWorkMs)
})

test('a slow reader keeps the first window, however long the path, and what it holds has a bound', async () => {
  verifies('R022')
  const { clock, bob, sender, receiver } = await longSession(50)
  bob.holds = true
  let heldMost = 0
  for (let sent = 0; sender.post('data', new Uint8Array(16_000)) && sent < 1_000; sent += 1) {}
  for (let passed = 0; passed < 100; passed += 1) {
    await clock.advance(100)
    for (const message of bob.messages.splice(0, 3)) message.release()
    heldMost = Math.max(heldMost, receiver.stats.heldBytes)
  }
  assert.ok(heldMost > dataWindowBytesMin && heldMost <= dataWindowBytes, `${heldMost} bytes held`)
  assert.ok(receiver.stats.windowBytes < dataWindowBytes)
})
