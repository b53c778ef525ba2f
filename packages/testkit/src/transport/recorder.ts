// The handlers of one byte stream under test: writes down what is called, in order, notes what must not
// happen, and lets a test await a condition instead of sleeping.

import { concatBytes, withDeadline } from '@myelin/base'
import { systemClock } from '@myelin/base/system'
import type { ByteStream, ByteStreamHandlers } from '@myelin/transport'

/** A condition that does not come true within this many milliseconds fails its test with its name. */
const patienceMs = 15_000

export type StreamEvent = 'data' | 'drain' | 'end' | 'closed'

export class StreamRecorder implements ByteStreamHandlers {
  readonly stream: ByteStream
  readonly chunks: Uint8Array[] = []
  readonly events: StreamEvent[] = []
  /** Calls that the port forbids, in words. */
  readonly violations: string[] = []
  byteCount = 0
  drainCount = 0
  isEnded = false
  isClosed = false
  error: Error | undefined
  /** Called with each chunk, after it was noted. */
  onData: ((chunk: Uint8Array) => void) | undefined
  #isInside = false
  #waiters: { readonly condition: () => boolean; readonly resolve: () => void }[] = []

  /** Attaches itself. */
  constructor(stream: ByteStream, onData?: (chunk: Uint8Array) => void) {
    this.stream = stream
    this.onData = onData
    stream.attach(this)
  }

  data(chunk: Uint8Array): void {
    this.#note('data', () => {
      if (this.isEnded) this.violations.push('data after end')
      this.chunks.push(chunk)
      this.byteCount += chunk.length
      this.onData?.(chunk)
    })
  }

  drain(): void {
    this.#note('drain', () => {
      this.drainCount += 1
    })
  }

  end(): void {
    this.#note('end', () => {
      if (this.isEnded) this.violations.push('end twice')
      this.isEnded = true
    })
  }

  closed(error?: Error): void {
    this.#note('closed', () => {
      this.isClosed = true
      this.error = error
    })
  }

  get bytes(): Uint8Array {
    return concatBytes(...this.chunks)
  }

  /** Resolves when `condition` holds, which is asked after each event; `what` names it if it never does. */
  until(what: string, condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve()
    const work = new Promise<void>((resolve) => this.#waiters.push({ condition, resolve }))
    return withDeadline(work, { clock: systemClock, timeoutMs: patienceMs, what })
  }

  #note(event: StreamEvent, act: () => void): void {
    if (this.isClosed) this.violations.push(`${event} after closed`)
    if (this.#isInside) this.violations.push(`${event} inside another handler`)
    this.#isInside = true
    this.events.push(event)
    act()
    this.#isInside = false
    this.#waiters = this.#waiters.filter(({ condition, resolve }) => {
      if (!condition()) return true
      resolve()
      return false
    })
  }
}

/** Lets the event loop turn, so that whatever is under way in this process has happened. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Writes all bytes and heeds backpressure. */
export async function writeAll(recorder: StreamRecorder, parts: Iterable<Uint8Array>) {
  for (const part of parts) {
    const drains = recorder.drainCount
    if (recorder.stream.write(part)) continue
    await recorder.until('a drain', () => recorder.drainCount > drains || recorder.isClosed)
  }
}

/** A small generator with a seed, so that a failure can be run again (mulberry32). Not for secrets. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** `length` bytes that depend on their place, so that a lost, doubled or moved byte shows. */
export function seededBytes(length: number, random: () => number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i += 1) bytes[i] = random() * 256
  return bytes
}

/** Cuts bytes into pieces of random sizes, copies each: a stream owns what it is given. */
export function* seededPieces(bytes: Uint8Array, random: () => number): Generator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; ) {
    const scale = random() < 0.5 ? 64 : 40_000
    const length = 1 + Math.floor(random() * scale)
    yield bytes.slice(offset, offset + length)
    offset += length
  }
}
