// What every Aead must do (RFC 5116, and the interface of @myelin/crypto), as tests that run over any: Myelin's own and
// those of others. It knows no algorithm; the vectors of one are the business of its own tests.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { RegisterTest } from './transport-compliance.ts'

/** The Aead of @myelin/crypto. */
export interface AeadSubject {
  readonly name: string
  readonly keyBytes: number
  readonly nonceBytes: number
  readonly tagBytes: number
  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, ad: Uint8Array): Uint8Array
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
    ad: Uint8Array,
  ): Uint8Array | undefined
  sealInto(
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    ad: Uint8Array,
    target: Uint8Array,
    offset: number,
  ): number
}

const lengths = [0, 1, 15, 16, 17, 63, 64, 65, 255, 1_024, 2_048, 2_049, 16_384, 65_519]
const random = (length: number) => new Uint8Array(randomBytes(length))

/** Registers the tests of an Aead. */
export function aeadCompliance(
  aead: AeadSubject,
  { test, name = aead.name }: { readonly test: RegisterTest; readonly name?: string },
): void {
  for (const [title, body] of Object.entries(tests)) {
    test(`${name}: ${title}`, async () =>
      body(aead, random(aead.keyBytes), random(aead.nonceBytes)))
  }
}

type Body = (aead: AeadSubject, key: Uint8Array, nonce: Uint8Array) => void

const tests: Readonly<Record<string, Body>> = {
  'what was sealed opens, at all lengths, and is longer by the tag alone': (aead, key, nonce) => {
    for (const length of lengths) {
      const [plaintext, ad] = [random(length), random(length % 41)]
      const sealed = aead.seal(key, nonce, plaintext, ad)
      assert.equal(sealed.length, length + aead.tagBytes)
      assert.deepEqual(aead.open(key, nonce, sealed, ad)?.slice(), plaintext)
    }
  },
  'ciphertext hides the plaintext, and depends on key and nonce': (aead, key, nonce) => {
    const plaintext = new Uint8Array(64)
    const ad = random(10)
    const sealed = aead.seal(key, nonce, plaintext, ad)
    const others = [
      plaintext,
      aead.seal(random(aead.keyBytes), nonce, plaintext, ad),
      aead.seal(key, random(aead.nonceBytes), plaintext, ad),
    ]
    for (const other of others) assert.notDeepEqual(other.slice(0, 64), sealed.slice(0, 64))
    assert.deepEqual(aead.seal(key, nonce, plaintext, ad), sealed, 'and on nothing else')
  },
  'any changed bit, and any other key, nonce or associated data, is refused': (
    aead,
    key,
    nonce,
  ) => {
    const [plaintext, ad] = [random(40), random(10)]
    const sealed = aead.seal(key, nonce, plaintext, ad)
    for (const [what, bytes] of Object.entries({ key, nonce, sealed, ad })) {
      for (let bit = 0; bit < 8 * bytes.length; bit += 1) {
        const changed = bytes.slice()
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
        const given = { key, nonce, sealed, ad, [what]: changed }
        const opened = aead.open(given.key, given.nonce, given.sealed, given.ad)
        assert.equal(opened, undefined, `${what}, bit ${bit}`)
      }
    }
  },
  'what is cut short or goes on is refused': (aead, key, nonce) => {
    const [plaintext, ad] = [random(40), random(10)]
    const sealed = aead.seal(key, nonce, plaintext, ad)
    for (let length = 0; length < sealed.length; length += 1)
      assert.equal(aead.open(key, nonce, sealed.subarray(0, length), ad), undefined, `${length}`)
    const longer = new Uint8Array(sealed.length + 1)
    longer.set(sealed)
    assert.equal(aead.open(key, nonce, longer, ad), undefined)
    assert.equal(aead.open(key, nonce, sealed, ad.subarray(1)), undefined)
    assert.deepEqual(aead.open(key, nonce, sealed, ad)?.slice(), plaintext, 'it did open')
  },
  'sealInto writes where it is told and nowhere else, plaintext in place included': (
    aead,
    key,
    nonce,
  ) => {
    for (const length of lengths) {
      const [plaintext, ad] = [random(length), random(10)]
      const expected = aead.seal(key, nonce, plaintext, ad)
      const end = 7 + expected.length
      const target = new Uint8Array(end + 5).fill(0xa5)
      assert.equal(aead.sealInto(key, nonce, plaintext, ad, target, 7), expected.length)
      assert.deepEqual(target.slice(7, end), expected)
      assert.ok([...target.subarray(0, 7), ...target.subarray(end)].every((byte) => byte === 0xa5))
      target.set(plaintext, 7)
      aead.sealInto(key, nonce, target.subarray(7, 7 + length), ad, target, 7)
      assert.deepEqual(target.slice(7, end), expected)
    }
  },
  'what was given stays as it was, and what was returned is memory of its own': (
    aead,
    key,
    nonce,
  ) => {
    for (const length of lengths) {
      const given = [key, nonce, random(length), random(10)] as const
      const before = given.map((bytes) => bytes.slice())
      const sealed = aead.seal(...given)
      const copy = sealed.slice()
      const opened = aead.open(key, nonce, sealed, given[3])
      assert.deepEqual([...given.map((bytes) => bytes.slice()), sealed.slice()], [...before, copy])
      opened?.fill(0)
      const again = aead.open(key, nonce, sealed, given[3])
      assert.deepEqual(again?.slice(), before[2])
      assert.deepEqual(sealed.slice(), copy)
    }
  },
  'keys and nonces of other lengths throw': (aead, key, nonce) => {
    const [plaintext, ad] = [random(10), random(10)]
    const target = new Uint8Array(10 + aead.tagBytes)
    for (const wrong of [-1, 1]) {
      const [badKey, badNonce] = [random(key.length + wrong), random(nonce.length + wrong)]
      for (const [k, n] of [
        [badKey, nonce],
        [key, badNonce],
      ] as const) {
        assert.throws(() => aead.seal(k, n, plaintext, ad))
        assert.throws(() => aead.open(k, n, target, ad))
        assert.throws(() => aead.sealInto(k, n, plaintext, ad, target, 0))
      }
    }
  },
}
