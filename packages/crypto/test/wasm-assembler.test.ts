// The encoder of WebAssembly modules: LEB128 with the examples of the DWARF 4 standard (§7.6), and small modules that the
// engine must accept and run.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  doWhile,
  encodeSigned,
  encodeUnsigned,
  flatten,
  i8x16,
  i32,
  i32x4,
  i64,
  ModuleWriter,
  repeat,
  sequence,
  v128,
  when,
  whileLoop,
} from '../src/wasm/assembler.ts'
import { exportsOf, webAssembly } from './wasm-host.ts'

test('unsigned numbers are encoded as in DWARF 4, figure 22', () => {
  const cases: readonly (readonly [number, readonly number[]])[] = [
    [0, [0]],
    [2, [2]],
    [127, [127]],
    [128, [0x80, 1]],
    [129, [0x81, 1]],
    [130, [0x82, 1]],
    [12_857, [0xb9, 0x64]],
    [624_485, [0xe5, 0x8e, 0x26]],
    [0xffff_ffff, [0xff, 0xff, 0xff, 0xff, 0x0f]],
  ]
  for (const [value, bytes] of cases) assert.deepEqual(encodeUnsigned(value), bytes)
})

test('signed numbers are encoded as in DWARF 4, figure 23', () => {
  const cases: readonly (readonly [bigint, readonly number[]])[] = [
    [2n, [2]],
    [-2n, [0x7e]],
    [63n, [0x3f]],
    [64n, [0xc0, 0]],
    [-64n, [0x40]],
    [-65n, [0xbf, 0x7f]],
    [127n, [0xff, 0]],
    [-127n, [0x81, 0x7f]],
    [128n, [0x80, 1]],
    [-128n, [0x80, 0x7f]],
    [129n, [0x81, 1]],
    [-129n, [0xff, 0x7e]],
    [-123_456n, [0xc0, 0xbb, 0x78]],
  ]
  for (const [value, bytes] of cases) assert.deepEqual(encodeSigned(value), bytes)
})

interface Small {
  readonly memory: { readonly buffer: ArrayBuffer }
  run(...values: readonly (number | bigint)[]): number | bigint
}

function compile(writer: ModuleWriter): Small {
  const bytes = writer.encode()
  assert.equal(webAssembly.validate(bytes), true)
  return exportsOf(bytes)
}

test('constants of any size come back as they were', () => {
  const property = fc.property(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.integer(),
    (long, short) => {
      const writer = new ModuleWriter(1)
      writer.define({ parameters: [], results: ['i64'] }, () => i64.const(long), 'run')
      assert.equal(compile(writer).run(), long)
      const other = new ModuleWriter(1)
      other.define({ parameters: [], results: ['i32'] }, () => i32.const(short), 'run')
      assert.equal(compile(other).run(), short)
    },
  )
  fc.assert(property, { numRuns: 100 })
})

test('functions call others, loop and choose', () => {
  const writer = new ModuleWriter(1)
  const square = writer.define({ parameters: ['i64'], results: ['i64'] }, (f) =>
    i64.mul(f.parameter(0).get, f.parameter(0).get),
  )
  // The sum of the squares below n, with odd numbers taken twice.
  writer.define(
    { parameters: ['i32'], results: ['i64'] },
    (f) => {
      const total = f.local('i64')
      const next = f.local('i32')
      const add = total.set(i64.add(total.get, square(i64.extendI32(next.get))))
      return sequence(
        whileLoop(
          i32.ltU(next.get, f.parameter(0).get),
          sequence(
            when(
              i32.eqz(i32.and(next.get, i32.const(1))),
              add,
              repeat(2, () => add),
            ),
            next.set(i32.add(next.get, i32.const(1))),
          ),
        ),
        total.get,
      )
    },
    'run',
  )
  const { run } = compile(writer)
  assert.equal(run(0), 0n)
  assert.equal(run(5), 0n + 2n * 1n + 4n + 2n * 9n + 16n)
})

test('a loop that tests behind its body runs at least once', () => {
  const writer = new ModuleWriter(1)
  writer.define(
    { parameters: ['i32'], results: ['i32'] },
    (f) => {
      const [left, runs] = [f.parameter(0), f.local('i32')]
      const body = sequence(
        runs.set(i32.add(runs.get, i32.const(1))),
        left.set(i32.sub(left.get, i32.const(1))),
      )
      return sequence(doWhile(body, i32.gtU(left.get, i32.const(0))), runs.get)
    },
    'run',
  )
  const { run } = compile(writer)
  assert.equal(run(1), 1)
  assert.equal(run(7), 7)
})

test('vectors are loaded, shuffled, shifted and stored in the order of their lanes', () => {
  const writer = new ModuleWriter(1)
  const zero = i32.const(0)
  const reversed = Array.from({ length: 16 }, (_, i) => 15 - i)
  writer.define(
    { parameters: [], results: [] },
    () =>
      sequence(
        v128.store(zero, i8x16.shuffle(v128.load(zero), v128.load(zero), reversed), 16),
        v128.store(zero, i32x4.shl(i32x4.const(1, 2, 3, 4), 4), 32),
        v128.store(zero, i32x4.add(v128.load32Splat(zero), i32x4.const(0, 1, 2, 3)), 48),
      ),
    'run',
  )
  const { memory, run } = compile(writer)
  const bytes = new Uint8Array(memory.buffer)
  bytes.set(Array.from({ length: 16 }, (_, i) => i))
  run()
  assert.deepEqual([...bytes.subarray(16, 32)], reversed)
  const words = new Uint32Array(memory.buffer)
  assert.deepEqual([...words.subarray(8, 12)], [16, 32, 48, 64])
  assert.deepEqual(
    [...words.subarray(12, 16)],
    [0, 1, 2, 3].map((i) => 0x0302_0100 + i),
  )
})

test('nested code becomes one row, and a module that is not well typed is not valid', () => {
  assert.deepEqual(flatten([1, [2, [3], []], [[4]]]), [1, 2, 3, 4])
  const writer = new ModuleWriter(1)
  writer.define({ parameters: [], results: ['i32'] }, () => i64.const(1), 'run')
  assert.equal(webAssembly.validate(writer.encode()), false)
  assert.throws(() => writer.define({ parameters: [], results: [] }, (f) => f.parameter(0).get))
})
