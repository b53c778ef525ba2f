import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteReader, ByteWriter } from '@myelin/base'
import fc from 'fast-check'

type Field =
  | readonly ['u8' | 'u16' | 'u32', number]
  | readonly ['u64', bigint]
  | readonly ['u53', number]
  | readonly ['f64', number]
  | readonly ['bytes16' | 'bytes32', Uint8Array]

const bytes = fc.uint8Array({ maxLength: 40 })
const field: fc.Arbitrary<Field> = fc.oneof(
  fc.tuple(fc.constant('u8' as const), fc.integer({ min: 0, max: 0xff })),
  fc.tuple(fc.constant('u16' as const), fc.integer({ min: 0, max: 0xffff })),
  fc.tuple(fc.constant('u32' as const), fc.integer({ min: 0, max: 0xffff_ffff })),
  fc.tuple(fc.constant('u64' as const), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  fc.tuple(fc.constant('u53' as const), fc.maxSafeNat()),
  fc.tuple(fc.constant('f64' as const), fc.double()),
  fc.tuple(fc.constant('bytes16' as const), bytes),
  fc.tuple(fc.constant('bytes32' as const), bytes),
)

function write(writer: ByteWriter, [kind, value]: Field): void {
  if (typeof value === 'bigint') writer.u64(value)
  else if (typeof value !== 'number') writer[kind as 'bytes16'](value)
  else writer[kind as 'u8'](value)
}

function read(reader: ByteReader, [kind]: Field): number | bigint | Uint8Array {
  return kind === 'bytes32' ? reader.bytes32(40) : reader[kind]()
}

test('fields of any kind survive, however small the writer began and wherever it had to grow', () => {
  fc.assert(
    fc.property(fc.array(field, { maxLength: 30 }), fc.nat(64), (fields, capacity) => {
      const writer = new ByteWriter(capacity)
      for (const one of fields) write(writer, one)
      const reader = new ByteReader(writer.finish())
      for (const one of fields) assert.deepEqual(read(reader, one), one[1])
      assert.ok(reader.isComplete)
    }),
  )
})

test('every kind of field may be the one that makes the writer grow', () => {
  const fields: Field[] = [
    ['u8', 1],
    ['u16', 2],
    ['u32', 3],
    ['u64', 4n],
    ['u53', 5],
    ['f64', 6],
    ['bytes16', new Uint8Array(1)],
    ['bytes32', new Uint8Array(1)],
  ]
  for (const one of fields) {
    const writer = new ByteWriter(4).u32(0xdead_beef)
    write(writer, one)
    const reader = new ByteReader(writer.view())
    assert.equal(reader.u32(), 0xdead_beef)
    assert.deepEqual(read(reader, one), one[1])
  }
})

test('a reader of any bytes never throws and never reads past the end', () => {
  fc.assert(
    fc.property(
      bytes,
      fc.array(
        fc.constantFrom('u8', 'u16', 'u32', 'u64', 'u53', 'f64', 'bytes16', 'rest' as const),
      ),
      (input, calls) => {
        const reader = new ByteReader(input)
        for (const call of calls) {
          reader[call]()
          assert.ok(reader.offset <= input.length)
        }
      },
    ),
  )
})

test('a reader that failed stays so and gives zeros', () => {
  const reader = new ByteReader(Uint8Array.of(1, 2, 3))
  assert.equal(reader.u32(), 0)
  assert.deepEqual(
    [reader.isValid, reader.isComplete, reader.u8(), reader.u64(), reader.take(1).length],
    [false, false, 0, 0n, 0],
  )
})
