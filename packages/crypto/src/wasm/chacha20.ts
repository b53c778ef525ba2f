// ChaCha20 (RFC 8439 §2.3) in vectors of four words, in two shapes. Four blocks: a vector for each word of the state,
// with a block in each lane, then a transposition. Two blocks: a vector for each row of the state, and rotated rows
// for the diagonals; half the work, for short messages and tails. Both write the keystream to memory.
//
// Every double round leaves most of the machine's scalar units idle, so that `beside` is run with each: Poly1305 over
// a part of the message whose bytes are known already. No branch and no address depends on key or keystream.

import {
  type Code,
  doWhile,
  type FunctionScope,
  i8x16,
  i32,
  i32x4,
  type Local,
  repeat,
  sequence,
  v128,
} from './assembler.ts'
import { at } from './memory-layout.ts'

const doubleRounds = 10

type Four<T> = readonly [T, T, T, T]

/** Four blocks of keystream from the counter in `counter` on. */
export function fourBlocks(f: FunctionScope, counter: Local, beside: Code): Code {
  const x = locals(f, 16)
  const temporary = locals(f, 4) as unknown as Four<Local>
  const zero = i32.const(0)
  const initial = (word: number) => v128.load32Splat(zero, at.state + 4 * word)
  // The counters of the four lanes; the sum may wrap, as §2.3 has it.
  const counters = i32x4.add(initial(12), i32x4.const(0, 1, 2, 3))
  const start = (word: number) => (word === 12 ? counters : initial(word))
  const pick = (indices: Four<number>) => indices.map((index) => x[index]) as unknown as Four<Local>
  return sequence(
    i32.store(zero, counter.get, at.counter),
    ...x.map((word, index) => word.set(start(index))),
    rounds(
      f,
      sequence(
        // §2.3: four quarter rounds on the columns, four on the diagonals.
        quarterRounds(
          pick([0, 1, 2, 3]),
          pick([4, 5, 6, 7]),
          pick([8, 9, 10, 11]),
          pick([12, 13, 14, 15]),
          temporary,
        ),
        quarterRounds(
          pick([0, 1, 2, 3]),
          pick([5, 6, 7, 4]),
          pick([10, 11, 8, 9]),
          pick([15, 12, 13, 14]),
          temporary,
        ),
        beside,
      ),
    ),
    ...x.map((word, index) => word.set(i32x4.add(word.get, start(index)))),
    repeat(4, (row) =>
      storeTransposed(pick([4 * row, 4 * row + 1, 4 * row + 2, 4 * row + 3]), temporary, row),
    ),
  )
}

/** Two blocks of keystream from the counter in `counter` on. */
export function twoBlocks(f: FunctionScope, counter: Local, beside: Code): Code {
  const x = locals(f, 8)
  const temporary = locals(f, 2)
  const zero = i32.const(0)
  const row = (index: number) => v128.load(zero, at.state + 16 * index)
  const start = (index: number) =>
    index === 7 ? i32x4.add(row(3), i32x4.const(1, 0, 0, 0)) : row(index % 4)
  const pair = (index: number) => [x[index], x[index + 4]] as unknown as readonly Local[]
  const step = quarterRounds(pair(0), pair(1), pair(2), pair(3), temporary)
  const turn = (rows: Four<number>) =>
    repeat(4, (index) =>
      sequence(...pair(index).map((v) => v.set(turned(v, rows[index] as number)))),
    )
  return sequence(
    i32.store(zero, counter.get, at.counter),
    ...x.map((vector, index) => vector.set(start(index))),
    // The diagonals become columns when row n is turned by n words.
    rounds(f, sequence(step, turn([0, 1, 2, 3]), step, turn([0, 3, 2, 1]), beside)),
    ...x.map((vector, index) =>
      v128.store(zero, i32x4.add(vector.get, start(index)), at.keystream + 16 * index),
    ),
  )
}

function locals(f: FunctionScope, count: number): readonly Local[] {
  return Array.from({ length: count }, () => f.local('v128'))
}

function rounds(f: FunctionScope, body: Code): Code {
  const left = f.local('i32')
  return sequence(
    left.set(i32.const(doubleRounds)),
    doWhile(body, left.tee(i32.sub(left.get, i32.const(1)))),
  )
}

/** §2.1, on several sets of words side by side, so that no step waits for the one before it. */
function quarterRounds(
  a: readonly Local[],
  b: readonly Local[],
  c: readonly Local[],
  d: readonly Local[],
  temporary: readonly Local[],
): Code {
  const half = (
    to: readonly Local[],
    from: readonly Local[],
    mix: readonly Local[],
    bits: number,
  ) =>
    sequence(
      ...to.map((word, i) => word.set(i32x4.add(word.get, (from[i] as Local).get))),
      ...mix.map((word, i) =>
        word.set(rotated(v128.xor(word.get, (to[i] as Local).get), bits, temporary[i] as Local)),
      ),
    )
  return sequence(half(a, b, d, 16), half(c, d, b, 12), half(a, b, d, 8), half(c, d, b, 7))
}

/** Each word turned left: whole bytes move in one instruction. */
function rotated(value: Code, bits: number, temporary: Local): Code {
  if (bits % 8 === 0) {
    const bytes = bits / 8
    const from = (index: number) => (index & ~3) | ((index - bytes) & 3)
    return i8x16.shuffle(
      temporary.tee(value),
      temporary.get,
      Array.from({ length: 16 }, (_, i) => from(i)),
    )
  }
  return v128.or(i32x4.shl(temporary.tee(value), bits), i32x4.shrU(temporary.get, 32 - bits))
}

function words(...indices: Four<number>): readonly number[] {
  return indices.flatMap((index) => [0, 1, 2, 3].map((byte) => 4 * index + byte))
}

/** The words of a row turned to the left by `count`. */
function turned(vector: Local, count: number): Code {
  if (count === 0) return vector.get
  const from = (lane: number) => (lane + count) % 4
  return i8x16.shuffle(vector.get, vector.get, words(from(0), from(1), from(2), from(3)))
}

/** Four vectors with a block in each lane become a quarter of each block. */
function storeTransposed(rows: Four<Local>, temporary: Four<Local>, quarter: number): Code {
  const [p, q, r, s] = rows
  const low = (a: Local, b: Local) => i8x16.shuffle(a.get, b.get, words(0, 4, 1, 5))
  const high = (a: Local, b: Local) => i8x16.shuffle(a.get, b.get, words(2, 6, 3, 7))
  const lows = (a: Local, b: Local) => i8x16.shuffle(a.get, b.get, words(0, 1, 4, 5))
  const highs = (a: Local, b: Local) => i8x16.shuffle(a.get, b.get, words(2, 3, 6, 7))
  const [t0, t1, t2, t3] = temporary
  const put = (block: number, value: Code) =>
    v128.store(i32.const(0), value, at.keystream + 64 * block + 16 * quarter)
  return sequence(
    t0.set(low(p, q)),
    t1.set(low(r, s)),
    t2.set(high(p, q)),
    t3.set(high(r, s)),
    put(0, lows(t0, t1)),
    put(1, highs(t0, t1)),
    put(2, lows(t2, t3)),
    put(3, highs(t2, t3)),
  )
}
