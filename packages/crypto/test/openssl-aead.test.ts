// OpenSSL called directly, against node:crypto and against the bounds that native code does not check (R024, R025).

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { verifies } from '@myelin/testkit'
import fc from 'fast-check'
import { enginesThatAgree, nodeEngine } from '../src/aead.ts'
import { aeadEngine, aes256Gcm, chacha20Poly1305, forgetAeadKeys } from '../src/index.ts'
import {
  type AeadEngine,
  engineAdBytesMax,
  enginesOver,
  opensslEngines,
} from '../src/openssl-aead.ts'

verifies('R024', 'R025')

const engines = opensslEngines()
const skip = engines === undefined && 'this Node has no node:ffi, or hides its OpenSSL'
const names = ['aes-256-gcm', 'chacha20-poly1305'] as const
const plain = (bytes: Uint8Array) => new Uint8Array(bytes)

for (const name of names) {
  test(`${name} seals and opens as node:crypto does, at any length`, { skip }, () => {
    const engine = engines?.[name]
    assert.ok(engine)
    const reference = nodeEngine(name)
    const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength })
    const property = fc.property(
      bytes(32, 32),
      bytes(12, 12),
      fc.oneof(bytes(0, 300), bytes(4000, 4200), bytes(65_000, 65_600)),
      bytes(0, engineAdBytesMax),
      fc.nat(40),
      (key, nonce, plaintext, ad, offset) => {
        const size = offset + plaintext.length + 16
        const [ours, theirs] = [new Uint8Array(size + 3), new Uint8Array(size + 3)]
        engine.sealInto(key, nonce, plaintext, ad, ours, offset)
        reference.sealInto(key, nonce, plaintext, ad, theirs, offset)
        assert.deepEqual(ours, theirs)
        const sealed = ours.subarray(offset, size)
        assert.deepEqual(engine.open(key, nonce, sealed, ad), plain(plaintext))
        const at = Math.floor(sealed.length / 2)
        sealed[at] = (sealed[at] ?? 0) ^ 0x10
        assert.equal(engine.open(key, nonce, sealed, ad), undefined)
      },
    )
    fc.assert(property, { numRuns: 150 })
  })

  test(`${name}: nothing is written outside of the target`, { skip }, () => {
    const engine = engines?.[name]
    assert.ok(engine)
    const [key, nonce, ad] = [randomBytes(32), randomBytes(12), new Uint8Array(0)]
    const target = new Uint8Array(64)
    for (const [length, offset] of [
      [49, 0],
      [48, 1],
      [0, 49],
      [8, 60],
      [8, 1000],
      [8, -24],
    ] as const) {
      const seal = () => engine.sealInto(key, nonce, new Uint8Array(length), ad, target, offset)
      assert.throws(seal, RangeError, `${length} at ${offset}`)
    }
    assert.deepEqual(target, new Uint8Array(64))
    engine.sealInto(key, nonce, new Uint8Array(48), ad, target, 0)
  })

  test(`${name}: what was opened is its reader's alone, however short`, { skip }, () => {
    const engine = engines?.[name]
    assert.ok(engine)
    const [key, nonce, ad] = [randomBytes(32), randomBytes(12), new Uint8Array(10)]
    const texts = Array.from({ length: 400 }, (_, i) => randomBytes(i % 7 === 0 ? 5000 : i % 130))
    const opened = texts.map((text) => {
      const sealed = new Uint8Array(text.length + 16)
      engine.sealInto(key, nonce, text, ad, sealed, 0)
      return engine.open(key, nonce, sealed, ad)
    })
    for (const [i, text] of texts.entries()) assert.deepEqual(opened[i], plain(text))
  })
}

test('a forgery leaves no plaintext behind', { skip }, () => {
  const engine = engines?.['aes-256-gcm']
  assert.ok(engine)
  const [key, nonce, ad] = [randomBytes(32), randomBytes(12), new Uint8Array(0)]
  const secret = new Uint8Array(64).fill(0xa7)
  const sealed = new Uint8Array(80)
  engine.sealInto(key, nonce, secret, ad, sealed, 0)
  const first = engine.open(key, nonce, sealed, ad)
  sealed[79] = (sealed[79] ?? 0) ^ 1
  assert.equal(engine.open(key, nonce, sealed, ad), undefined)
  // Short plaintexts lie side by side: the next place is where the forgery was unpacked.
  const memory = new Uint8Array((first as Uint8Array).buffer)
  const after = (first as Uint8Array).byteOffset + 64
  assert.deepEqual(memory.subarray(after, after + 64), new Uint8Array(64))
})

test('memory that overlaps is sealed as if it did not', () => {
  for (const cipher of [aes256Gcm, chacha20Poly1305]) {
    const [key, nonce, ad] = [new Uint8Array(32).fill(1), new Uint8Array(12), new Uint8Array(10)]
    const text = Uint8Array.from({ length: 100 }, (_, i) => i)
    const expected = nodeEngine(cipher.name).sealInto
    const apart = new Uint8Array(116)
    expected(key, nonce, text, ad, apart, 0)
    for (const shift of [0, 1, 10, 40, 99, 100]) {
      const memory = new Uint8Array(316)
      memory.set(text, 100)
      const at = 100 + (shift % 2 === 0 ? shift : -shift)
      cipher.sealInto(key, nonce, memory.subarray(100, 200), ad, memory, at)
      assert.deepEqual(memory.subarray(at, at + 116), apart, `${cipher.name}, ${at - 100} apart`)
    }
  }
})

test('the engine says its name, and forgets', () => {
  assert.equal(aeadEngine(), engines === undefined ? 'node:crypto' : 'openssl')
  const [key, nonce, ad] = [randomBytes(32), randomBytes(12), new Uint8Array(10)]
  const sealed = aes256Gcm.seal(key, nonce, Uint8Array.of(1, 2, 3), ad)
  forgetAeadKeys()
  assert.deepEqual(aes256Gcm.open(key, nonce, sealed, ad), Uint8Array.of(1, 2, 3))
})

test('associated data that is too long for the engine goes through node:crypto', () => {
  const [key, nonce] = [randomBytes(32), randomBytes(12)]
  const ad = randomBytes(engineAdBytesMax + 1)
  const text = Uint8Array.of(1, 2, 3)
  const expected = new Uint8Array(19)
  nodeEngine('aes-256-gcm').sealInto(key, nonce, text, ad, expected, 0)
  assert.deepEqual(aes256Gcm.seal(key, nonce, text, ad), expected)
  assert.deepEqual(aes256Gcm.open(key, nonce, expected, ad), text)
})

test('an engine that differs from node:crypto in anything is not used', () => {
  const honest = nodeEngine('aes-256-gcm')
  const isUsed = (changes: Partial<AeadEngine>) =>
    Object.hasOwn(enginesThatAgree({ 'aes-256-gcm': { ...honest, ...changes } }), 'aes-256-gcm')
  assert.equal(isUsed({}), true)
  const faulty: Readonly<Record<string, Partial<AeadEngine>>> = {
    'another nonce': {
      sealInto: (key, nonce, ...rest) =>
        honest.sealInto(
          key,
          nonce.map((byte) => byte ^ 1),
          ...rest,
        ),
    },
    'other plaintext': {
      open: (...words) => honest.open(...words)?.map((byte) => byte ^ 1),
    },
    'forgeries pass': {
      open: (_key, _nonce, sealed) =>
        Uint8Array.from({ length: sealed.length - 16 }, (_, i) => 11 * i),
    },
    'opens nothing': { open: () => undefined },
    'breaks down': {
      sealInto: () => {
        throw new Error('no memory')
      },
    },
  }
  for (const [what, changes] of Object.entries(faulty)) assert.equal(isUsed(changes), false, what)
})

/** A library in which each function answers as told. */
function fakeFfi(answers: Readonly<Record<string, unknown>>): Parameters<typeof enginesOver>[0] {
  const functionsOf = (definitions: object) =>
    Object.fromEntries(Object.keys(definitions).map((name) => [name, () => answers[name] ?? 1]))
  const fake = {
    dlopen: (_path: null, definitions: object) => ({ functions: functionsOf(definitions) }),
    getRawPointer: () => 4096n,
  }
  return fake as unknown as Parameters<typeof enginesOver>[0]
}

test('a library that lacks what is needed gives no engine', () => {
  const missing = {
    dlopen: () => {
      throw new Error('undefined symbol: EVP_aes_256_gcm')
    },
  }
  assert.equal(enginesOver(missing as unknown as Parameters<typeof enginesOver>[0]), undefined)
  assert.equal(enginesOver(fakeFfi({ EVP_CIPHER_CTX_new: 0n })), undefined)
  assert.equal(enginesOver(fakeFfi({ EVP_CipherInit_ex: 0 })), undefined)
})

test('a call that fails where none can is an error, and never bytes', () => {
  const [key, nonce] = [new Uint8Array(32), new Uint8Array(12)]
  const failing = ['EVP_CipherUpdate', 'EVP_CipherFinal_ex', 'EVP_CIPHER_CTX_ctrl']
  for (const name of failing) {
    const engine = enginesOver(fakeFfi({ [name]: 0 }))?.['aes-256-gcm']
    assert.ok(engine)
    const seal = () =>
      engine.sealInto(key, nonce, new Uint8Array(4), new Uint8Array(0), new Uint8Array(20), 0)
    assert.throws(seal, { code: 'CRYPTO_ENGINE' }, name)
    assert.equal(engine.open(key, nonce, new Uint8Array(20), new Uint8Array(0)), undefined, name)
  }
  const answers: Record<string, unknown> = {}
  const engine = enginesOver(fakeFfi(answers))?.['aes-256-gcm']
  assert.ok(engine)
  answers.EVP_CipherUpdate = 0
  const withAd = () => engine.open(key, nonce, new Uint8Array(20), new Uint8Array(10))
  assert.throws(withAd, { code: 'CRYPTO_ENGINE' })
  answers.EVP_CipherInit_ex = 0
  assert.throws(withAd, { code: 'CRYPTO_ENGINE' })
})
