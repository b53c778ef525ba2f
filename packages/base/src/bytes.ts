// Readers and writers of big-endian binary structures, and small helpers over Uint8Array.
// The reader never throws: a read past the end marks it failed and returns zeros or empty views, so a
// decoder reads all its fields and asks `isComplete` once.

import { assert } from './errors.ts'

export const emptyBytes: Uint8Array = new Uint8Array(0)

/** One copy of all parts. Not for the hot path. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    out.set(part, offset)
    offset += part.length
  }
  return out
}

/** Equality of public bytes. For secrets use `equalConstantTime` of @myelin/crypto. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false
  return true
}

/** Lexicographic order, for canonical encodings. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** Reads big-endian fields from untrusted bytes. Views share the input's memory. */
export class ByteReader {
  readonly bytes: Uint8Array
  #offset = 0
  #failed = false
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    // A plain view: `slice` of a Buffer would share memory where that of a Uint8Array copies.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get offset(): number {
    return this.#offset
  }

  get remaining(): number {
    return this.bytes.length - this.#offset
  }

  /** False as soon as one read went past the end. */
  get isValid(): boolean {
    return !this.#failed
  }

  /** All reads succeeded and nothing is left over. */
  get isComplete(): boolean {
    return !this.#failed && this.remaining === 0
  }

  u8(): number {
    return this.#take(1) ? this.#view.getUint8(this.#offset - 1) : 0
  }

  u16(): number {
    return this.#take(2) ? this.#view.getUint16(this.#offset - 2) : 0
  }

  u32(): number {
    return this.#take(4) ? this.#view.getUint32(this.#offset - 4) : 0
  }

  u64(): bigint {
    return this.#take(8) ? this.#view.getBigUint64(this.#offset - 8) : 0n
  }

  /** A u64 that must fit a double exactly (times in ms, counters); larger values fail the reader. */
  u53(): number {
    const value = this.u64()
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) return this.#fail()
    return Number(value)
  }

  f64(): number {
    return this.#take(8) ? this.#view.getFloat64(this.#offset - 8) : 0
  }

  /** A view of the next `length` bytes, not a copy. */
  take(length: number): Uint8Array {
    return this.#take(length)
      ? this.bytes.subarray(this.#offset - length, this.#offset)
      : new Uint8Array(0)
  }

  /** Bytes behind a u16 length; longer than `maxLength` fails the reader. */
  bytes16(maxLength = 0xffff): Uint8Array {
    const length = this.u16()
    if (length > maxLength) this.#fail()
    return this.take(length)
  }

  /** Bytes behind a u32 length; longer than `maxLength` fails the reader. */
  bytes32(maxLength: number): Uint8Array {
    const length = this.u32()
    if (length > maxLength) this.#fail()
    return this.take(length)
  }

  /** Everything that is left. */
  rest(): Uint8Array {
    return this.take(this.remaining)
  }

  #take(length: number): boolean {
    if (this.#failed || length > this.remaining) {
      this.#failed = true
      return false
    }
    this.#offset += length
    return true
  }

  #fail(): 0 {
    this.#failed = true
    return 0
  }
}

/** Writes big-endian fields into a buffer that grows up to `maxLength`. */
export class ByteWriter {
  #bytes: Uint8Array
  #view: DataView
  #length = 0
  readonly #maxLength: number

  constructor(capacity = 256, maxLength: number = 2 ** 31 - 1) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
    this.#maxLength = maxLength
  }

  get length(): number {
    return this.#length
  }

  u8(value: number): this {
    this.#reserve(1)
    this.#view.setUint8(this.#length, value)
    this.#length += 1
    return this
  }

  u16(value: number): this {
    this.#reserve(2)
    this.#view.setUint16(this.#length, value)
    this.#length += 2
    return this
  }

  u32(value: number): this {
    this.#reserve(4)
    this.#view.setUint32(this.#length, value)
    this.#length += 4
    return this
  }

  u64(value: bigint): this {
    this.#reserve(8)
    this.#view.setBigUint64(this.#length, value)
    this.#length += 8
    return this
  }

  /** A non-negative safe integer as u64. */
  u53(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, 'u53 takes a non-negative safe integer')
    return this.u64(BigInt(value))
  }

  f64(value: number): this {
    this.#reserve(8)
    this.#view.setFloat64(this.#length, value)
    this.#length += 8
    return this
  }

  /** Copies `bytes` in. */
  put(bytes: Uint8Array): this {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  bytes16(bytes: Uint8Array): this {
    assert(bytes.length <= 0xffff, 'a field with a u16 length holds at most 65,535 bytes')
    return this.u16(bytes.length).put(bytes)
  }

  bytes32(bytes: Uint8Array): this {
    return this.u32(bytes.length).put(bytes)
  }

  /** The bytes written so far: a view, valid until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** A copy of the bytes written so far. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #reserve(length: number): void {
    const needed = this.#length + length
    if (needed <= this.#bytes.length) return
    assert(needed <= this.#maxLength, `the structure exceeds its bound of ${this.#maxLength} bytes`)
    const grown = new Uint8Array(
      Math.min(this.#maxLength, Math.max(needed, this.#bytes.length * 2)),
    )
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}
