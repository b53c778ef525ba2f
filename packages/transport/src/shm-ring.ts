// One direction of a shared-memory stream: a ring of bytes with one writer and one reader, each in a process of
// its own. Pure: works on any ArrayBuffer.
//
// The other side can write anything anywhere at any time. So each side keeps its own index in private memory and
// only ever publishes it; of the other's it takes each value once, and refuses one that goes backwards or past
// what can be true. Such a ring is broken for good (`isBroken`), and neither reads nor writes any more. Bytes
// are copied out once, before anybody looks at them.
//
// Indices count bytes modulo 2^32 and the capacity is a power of two, so a difference is right across the wrap.
//
// Sleep and wake: who wants to sleep raises a flag and looks again; who publishes looks at the flag afterwards. Each
// needs its store to be visible before its load (Dekker). Publishing is therefore an `Atomics.exchange`: a
// read-modify-write is a full barrier on every processor, whatever the engine makes of a plain atomic store to
// memory that it does not know to be shared.

import { assert } from '@myelin/base'

/** Words of 4 bytes that a cache line and the one fetched with it take: what one side writes stands alone. */
const lineWords = 32
/** Words of one ring's control block. */
export const ringControlWords = 3 * lineWords

// The writer's line.
const headWord = 0
const endedWord = 1
const blockedWord = 2
// The reader's lines: its index, which changes with every chunk, and its flag, which seldom does.
const tailWord = lineWords
const asleepWord = 2 * lineWords

export interface RingPlace {
  readonly control: Int32Array
  /** Where the control block of this ring begins, in words. */
  readonly controlAt: number
  /** The bytes of this ring alone; a power of two of them. */
  readonly data: Uint8Array
  /** Where both indices begin: 0, but in tests of the wrap. */
  readonly start?: number
}

export class RingWriter {
  readonly capacity: number
  readonly #control: Int32Array
  readonly #at: number
  readonly #data: Uint8Array
  #head: number
  #tail: number
  #isBroken = false

  constructor({ control, controlAt, data, start = 0 }: RingPlace) {
    this.capacity = checkedCapacity(data)
    this.#control = control
    this.#at = controlAt
    this.#data = data
    this.#head = start | 0
    this.#tail = start | 0
  }

  /** The reader's index was impossible. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /** Bytes that the reader has not taken, as of now. */
  get unread(): number {
    this.#look()
    return (this.#head - this.#tail) >>> 0
  }

  /** Copies what fits of `bytes` from `offset` on; returns how much. The reader sees it after `publish`. */
  push(bytes: Uint8Array, offset = 0): number {
    const wanted = bytes.length - offset
    // The reader's line is only fetched when what is known of it does not suffice.
    if (this.#free < wanted) this.#look()
    const count = this.#isBroken ? 0 : Math.min(wanted, this.#free)
    if (count === 0) return 0
    const from = this.#head & (this.capacity - 1)
    const first = Math.min(count, this.capacity - from)
    this.#data.set(first === bytes.length ? bytes : bytes.subarray(offset, offset + first), from)
    if (count > first) this.#data.set(bytes.subarray(offset + first, offset + count), 0)
    this.#head = (this.#head + count) | 0
    return count
  }

  publish(): void {
    Atomics.exchange(this.#control, this.#at + headWord, this.#head)
  }

  /** Says that nothing more comes. Call after the last `publish`. */
  finish(): void {
    Atomics.exchange(this.#control, this.#at + endedWord, 1)
  }

  /** Tells the reader whether we wait for room. */
  setBlocked(isBlocked: boolean): void {
    Atomics.exchange(this.#control, this.#at + blockedWord, isBlocked ? 1 : 0)
  }

  get hasRoom(): boolean {
    this.#look()
    return !this.#isBroken && this.#free > 0
  }

  /** Whether the reader sleeps; who asks has to wake it, for nobody else is told so. */
  takeSleeper(): boolean {
    const word = this.#at + asleepWord
    return Atomics.load(this.#control, word) !== 0 && Atomics.exchange(this.#control, word, 0) !== 0
  }

  get #free(): number {
    return this.capacity - ((this.#head - this.#tail) >>> 0)
  }

  #look(): void {
    if (this.#isBroken) return
    const tail = Atomics.load(this.#control, this.#at + tailWord)
    if (tail === this.#tail) return
    if ((tail - this.#tail) >>> 0 > (this.#head - this.#tail) >>> 0) this.#isBroken = true
    else this.#tail = tail
  }
}

export class RingReader {
  readonly capacity: number
  readonly #control: Int32Array
  readonly #at: number
  readonly #data: Uint8Array
  #head: number
  #tail: number
  #isBroken = false
  #isFinal = false
  #isEnded = false

  constructor({ control, controlAt, data, start = 0 }: RingPlace) {
    this.capacity = checkedCapacity(data)
    this.#control = control
    this.#at = controlAt
    this.#data = data
    this.#head = start | 0
    this.#tail = start | 0
  }

  /** The writer's index was impossible. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /** The writer said that nothing more comes. Bytes may still wait. */
  get isEnded(): boolean {
    this.#isEnded ||= !this.#isFinal && Atomics.load(this.#control, this.#at + endedWord) !== 0
    return this.#isEnded
  }

  /** All is read that will ever come. */
  get isFinished(): boolean {
    // In this order: what was published before the end is seen after it.
    return this.isEnded && this.waiting === 0 && !this.#isBroken
  }

  /** Bytes that can be pulled, as of now. */
  get waiting(): number {
    this.#look()
    return this.#isBroken ? 0 : (this.#head - this.#tail) >>> 0
  }

  /** Takes at most `bytesMax` bytes out, in memory of their own; undefined where there are none. */
  pull(bytesMax: number): Uint8Array | undefined {
    const count = Math.min(this.waiting, bytesMax)
    if (count === 0) return undefined
    const from = this.#tail & (this.capacity - 1)
    const first = Math.min(count, this.capacity - from)
    const chunk = Buffer.allocUnsafeSlow(count)
    chunk.set(this.#data.subarray(from, from + first))
    if (count > first) chunk.set(this.#data.subarray(0, count - first), first)
    this.#tail = (this.#tail + count) | 0
    Atomics.exchange(this.#control, this.#at + tailWord, this.#tail)
    return chunk
  }

  /** Whether the writer waits for room and half of it has come, so that waking it pays. */
  get isAwaited(): boolean {
    if (Atomics.load(this.#control, this.#at + blockedWord) === 0) return false
    return this.waiting <= this.capacity / 2
  }

  /** Raises the flag, or takes it back. After raising it, look once more before sleeping. */
  setAsleep(isAsleep: boolean): void {
    Atomics.exchange(this.#control, this.#at + asleepWord, isAsleep ? 1 : 0)
  }

  /** The writer is gone: what it has published by now is all that counts. */
  freeze(): void {
    this.#isEnded = this.isEnded
    this.#look()
    this.#isFinal = true
  }

  #look(): void {
    if (this.#isBroken || this.#isFinal) return
    const head = Atomics.load(this.#control, this.#at + headWord)
    if (head === this.#head) return
    const waiting = (head - this.#tail) >>> 0
    if (waiting > this.capacity || waiting < (this.#head - this.#tail) >>> 0) this.#isBroken = true
    else this.#head = head
  }
}

function checkedCapacity({ length }: Uint8Array): number {
  const isPower = length > 0 && (length & (length - 1)) === 0
  assert(isPower && length <= 2 ** 30, 'a ring has a power of two of bytes, at most 2^30')
  return length
}
