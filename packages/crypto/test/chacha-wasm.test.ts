// ChaCha20-Poly1305 in WebAssembly, against node:crypto: every length, forgeries, overlapping views, and what is left in
// memory after a call.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { verifies } from '@myelin/testkit'
import fc from 'fast-check'
import { nodeEngine } from '../src/aead.ts'
import {
  ChaChaWasm,
  chachaWasmEngine,
  wasmAdBytesMax,
  wasmAeadBytesMax,
} from '../src/chacha-wasm.ts'
import { chacha20Poly1305, forgetAeadKeys, hasWasmAead } from '../src/index.ts'
import { type ChaChaPolyModule, encodeChaChaPoly } from '../src/wasm/chacha20-poly1305.ts'
import { at } from '../src/wasm/memory-layout.ts'
import { exportsOf } from './wasm-host.ts'

verifies('R024')

const module = exportsOf<ChaChaPolyModule>(encodeChaChaPoly())
const memory = new Uint8Array(module.memory.buffer)
const engine = new ChaChaWasm(module)
const reference = nodeEngine('chacha20-poly1305')
const random = (bytes: number) => new Uint8Array(randomBytes(bytes))
const none = new Uint8Array(0)

function compare(length: number, key: Uint8Array, nonce: Uint8Array, ad: Uint8Array): void {
  const text = random(length)
  const [ours, theirs] = [new Uint8Array(length + 16), new Uint8Array(length + 16)]
  engine.sealInto(key, nonce, text, ad, ours, 0)
  reference.sealInto(key, nonce, text, ad, theirs, 0)
  // Buffers: their comparison is quick, and there are thousands.
  assert.equal(Buffer.compare(ours, theirs), 0, `sealed ${length} bytes, ad ${ad.length}`)
  const opened = engine.open(key, nonce, theirs, ad)
  assert.ok(opened)
  assert.equal(Buffer.compare(opened, text), 0, `opened ${length} bytes, ad ${ad.length}`)
}

test('all lengths to 1100 and around every later step are sealed and opened as by node:crypto', () => {
  const lengths = Array.from({ length: 1101 }, (_, i) => i)
  // The first step holds 192 bytes, each later one 256, a tail 128.
  for (let step = 192; step <= wasmAeadBytesMax; step += 64)
    lengths.push(step - 1, step, step + 1, step + 15, step + 16, step + 17)
  lengths.push(wasmAeadBytesMax)
  for (const length of lengths.filter((l) => l <= wasmAeadBytesMax))
    compare(length, random(32), random(12), random(length % 41))
})

test('keys, nonces and associated data of all kinds give what node:crypto gives', () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
  const property = fc.property(
    fc.oneof(fc.nat(300), fc.nat(wasmAeadBytesMax)),
    bytes(32),
    bytes(12),
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ minLength: 500, maxLength: wasmAdBytesMax }),
    ),
    compare,
  )
  fc.assert(property, { numRuns: 300 })
})

test('every changed bit of a sealed message, its associated data, key or nonce is refused', () => {
  const words = { key: random(32), nonce: random(12), sealed: new Uint8Array(116), ad: random(10) }
  engine.sealInto(words.key, words.nonce, random(100), words.ad, words.sealed, 0)
  const open = () => engine.open(words.key, words.nonce, words.sealed, words.ad)
  for (const bytes of Object.values(words)) {
    for (let bit = 0; bit < 8 * bytes.length; bit += 1) {
      const flip = () => {
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
      }
      flip()
      assert.equal(open(), undefined, `bit ${bit}`)
      flip()
    }
  }
  assert.ok(open())
  for (const length of [0, 15, 16, 115])
    assert.equal(
      engine.open(words.key, words.nonce, words.sealed.subarray(0, length), words.ad),
      undefined,
    )
})

test('views may overlap and begin anywhere', () => {
  const [key, nonce, ad] = [random(35).subarray(3), random(17).subarray(5), random(8).subarray(1)]
  const text = random(700)
  const expected = new Uint8Array(716)
  reference.sealInto(key, nonce, text, ad, expected, 0)
  for (const shift of [-300, -17, -1, 0, 1, 15, 16, 300, 700]) {
    const shared = new Uint8Array(2100)
    shared.set(text, 601)
    engine.sealInto(key, nonce, shared.subarray(601, 1301), ad, shared, 601 + shift)
    const sealed = shared.subarray(601 + shift, 601 + shift + 716)
    assert.deepEqual(sealed, expected, `${shift} apart`)
    assert.deepEqual(engine.open(key, nonce, sealed, ad), text)
  }
})

test('nothing is written outside of the target, and too much is refused', () => {
  const target = new Uint8Array(64)
  const seal = (length: number, ad: number, offset: number) => () =>
    engine.sealInto(random(32), random(12), new Uint8Array(length), random(ad), target, offset)
  for (const [length, offset] of [
    [49, 0],
    [48, 1],
    [0, 49],
    [8, -1],
    [8, Number.NaN],
  ] as const)
    assert.throws(seal(length, 0, offset), RangeError, `${length} at ${offset}`)
  assert.throws(seal(0, wasmAdBytesMax + 1, 0), RangeError)
  assert.deepEqual(target, new Uint8Array(64))
  const long = new Uint8Array(wasmAeadBytesMax + 17)
  assert.throws(() => engine.open(random(32), random(12), long, none), RangeError)
})

/** Where four bytes of `secret` in a row lie in the memory of the module. */
function tracesOf(secret: Uint8Array): readonly number[] {
  const found: number[] = []
  const haystack = Buffer.from(memory.buffer)
  for (let i = 0; i + 4 <= secret.length; i += 1) {
    const where = haystack.indexOf(secret.subarray(i, i + 4))
    if (where >= 0) found.push(where)
  }
  return found
}

/** The keystream: block 0 holds the one-time key of Poly1305, the rest follows. */
function keystreamOf(key: Uint8Array, nonce: Uint8Array, bytes: number): Uint8Array {
  const sealed = new Uint8Array(bytes + 16)
  reference.sealInto(key, nonce, new Uint8Array(bytes), none, sealed, 0)
  return sealed.subarray(0, bytes)
}

test('after a call the memory holds neither key, keystream nor plaintext', () => {
  const ad = random(13)
  for (const length of [5, 16, 64, 100, 192, 193, 700, 1024, 1025, 4000]) {
    const [key, nonce, text] = [random(32), random(12), random(length)]
    const sealed = new Uint8Array(length + 16)
    const stream = keystreamOf(key, nonce, 4096)
    const check = (when: string) => {
      assert.deepEqual(tracesOf(key), [], `key, ${when}`)
      assert.deepEqual(tracesOf(text), [], `plaintext, ${when}`)
      assert.deepEqual(tracesOf(stream), [], `keystream, ${when}`)
      const secrets = memory.subarray(at.key, at.secretsEnd)
      assert.ok(
        secrets.every((byte) => byte === 0),
        when,
      )
    }
    engine.sealInto(key, nonce, text, ad, sealed, 0)
    check(`sealed ${length}`)
    assert.deepEqual(engine.open(key, nonce, sealed, ad), text)
    check(`opened ${length}`)
    sealed[length] = (sealed[length] ?? 0) ^ 1
    assert.equal(engine.open(key, nonce, sealed, ad), undefined)
    check(`refused ${length}`)
  }
  memory.fill(7, at.message, at.message + 100)
  engine.forget()
  assert.ok(memory.subarray(at.key).every((byte) => byte === 0))
  assert.deepEqual(tracesOf(Uint8Array.of(7, 7, 7, 7)), [])
})

test('what was opened is its reader’s alone, however short', () => {
  const [key, nonce, ad] = [random(32), random(12), random(10)]
  const texts = Array.from({ length: 400 }, (_, i) => random(i % 7 === 0 ? 3000 : i % 130))
  const opened = texts.map((text) => {
    const sealed = new Uint8Array(text.length + 16)
    engine.sealInto(key, nonce, text, ad, sealed, 0)
    return engine.open(key, nonce, sealed, ad)
  })
  assert.deepEqual(opened, texts)
})

test('a host without WebAssembly, without vectors or without leave to compile has no engine', () => {
  const host = {
    validate: () => true,
    Module: class {},
    Instance: class {
      exports = module
    },
  }
  assert.ok(chachaWasmEngine(host))
  assert.equal(chachaWasmEngine({ ...host, validate: () => false }), undefined)
  class Forbidden {
    constructor() {
      throw new EvalError('wasm-unsafe-eval')
    }
  }
  assert.equal(chachaWasmEngine({ ...host, Module: Forbidden }), undefined)
  const found = Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly')
  assert.ok(found)
  Object.defineProperty(globalThis, 'WebAssembly', { ...found, value: undefined })
  try {
    assert.equal(chachaWasmEngine(), undefined)
  } finally {
    Object.defineProperty(globalThis, 'WebAssembly', found)
  }
})

test('the package seals alike below, at and above the length at which the engine changes', () => {
  assert.equal(hasWasmAead(), true)
  const [key, nonce, ad] = [random(32), random(12), random(10)]
  const around = [-17, -16, -1, 0, 1, 16].map((more) => wasmAeadBytesMax + more)
  for (const length of [0, 100, ...around]) {
    const text = random(length)
    const expected = new Uint8Array(length + 16)
    reference.sealInto(key, nonce, text, ad, expected, 0)
    const sealed = chacha20Poly1305.seal(key, nonce, text, ad)
    assert.deepEqual(sealed, expected)
    forgetAeadKeys()
    assert.deepEqual(chacha20Poly1305.open(key, nonce, sealed, ad), text)
  }
})
