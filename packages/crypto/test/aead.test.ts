import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Encode } from '@myelin/base'
import { systemClock, systemRandom } from '@myelin/base/system'
import {
  type Aead,
  aead,
  aes256Gcm,
  aes256GcmSiv,
  chacha20Poly1305,
  fasterAead,
  xchacha20Poly1305,
} from '@myelin/crypto'
import { verifies } from '@myelin/testkit'

const all: readonly Aead<string>[] = [chacha20Poly1305, aes256Gcm, aes256GcmSiv, xchacha20Poly1305]
const ad = utf8Encode('header')
const plaintext = utf8Encode('a plaintext of some length, not a multiple of anything')

for (const cipher of all) {
  const key = systemRandom.fill(new Uint8Array(32))
  const nonce = systemRandom.fill(new Uint8Array(cipher.nonceBytes))

  test(`${cipher.name}: a flipped bit anywhere makes open answer undefined`, () => {
    const sealed = cipher.seal(key, nonce, plaintext, ad)
    for (let i = 0; i < sealed.length; i += 1) {
      const forged = sealed.slice()
      forged[i] = (forged[i] ?? 0) ^ (1 << (i % 8))
      assert.equal(cipher.open(key, nonce, forged, ad), undefined)
    }
    assert.equal(cipher.open(key, nonce, sealed, utf8Encode('Header')), undefined)
    assert.deepEqual(cipher.open(key, nonce, sealed, ad), plaintext)
  })

  test(`${cipher.name}: every truncation is refused without a throw`, () => {
    const sealed = cipher.seal(key, nonce, plaintext, ad)
    for (let length = 0; length < sealed.length; length += 1) {
      assert.equal(cipher.open(key, nonce, sealed.subarray(0, length), ad), undefined)
    }
  })

  test(`${cipher.name}: sealInto writes at the offset, in place, and touches nothing else`, () => {
    const target = new Uint8Array(5 + plaintext.length + 16 + 3).fill(0xee)
    target.set(plaintext, 5)
    const inPlace = target.subarray(5, 5 + plaintext.length)
    const written = cipher.sealInto(key, nonce, inPlace, ad, target, 5)
    assert.equal(written, plaintext.length + 16)
    assert.deepEqual(target.subarray(5, 5 + written), cipher.seal(key, nonce, plaintext, ad))
    assert.deepEqual(
      [...target.subarray(0, 5), ...target.subarray(5 + written)],
      Array(8).fill(0xee),
    )
  })

  test(`${cipher.name}: a key or nonce of another length is the caller's fault`, () => {
    const shortKey = new Uint8Array(16)
    const shortNonce = new Uint8Array(8)
    const sealed = cipher.seal(key, nonce, plaintext, ad)
    for (const misuse of [
      () => cipher.seal(shortKey, nonce, plaintext, ad),
      () => cipher.seal(key, shortNonce, plaintext, ad),
      () => cipher.open(shortKey, nonce, sealed, ad),
      () => cipher.open(key, shortNonce, sealed, ad),
    ]) {
      assert.throws(misuse, { code: 'CRYPTO_LENGTH' })
    }
  })
}

test('a slice of an opened plaintext is a copy, as of any Uint8Array', () => {
  const [key, nonce] = [new Uint8Array(32), new Uint8Array(12)]
  const opened = aes256Gcm.open(key, nonce, aes256Gcm.seal(key, nonce, plaintext, ad), ad)
  assert.ok(opened)
  opened.slice(0, 1).fill(0)
  assert.deepEqual(opened, plaintext)
})

test('an AEAD is found by its name', () => {
  assert.equal(aead('chacha20-poly1305'), chacha20Poly1305)
  assert.equal(aead('aes-256-gcm'), aes256Gcm)
  assert.equal(aead('xchacha20-poly1305'), xchacha20Poly1305)
})

/** A clock that advances by the script's steps, one step per reading. */
function steppingClock(stepsMs: readonly number[]) {
  let readings = 0
  let nowMs = 0
  return {
    ...systemClock,
    monotonicMs: () => {
      nowMs += stepsMs[readings % stepsMs.length] ?? 0
      readings += 1
      return nowMs
    },
  }
}

test('the cipher that seals faster on this machine is chosen, by the best of the runs', () => {
  verifies('R025')
  // Readings per round: before AES, after AES, after ChaCha. One slow AES run does not count.
  const fastAes = steppingClock([0, 1, 5, 0, 90, 5])
  const fastChacha = steppingClock([0, 5, 1])
  assert.equal(fasterAead({ clock: fastAes }), 'aes-256-gcm')
  assert.equal(fasterAead({ clock: fastChacha }), 'chacha20-poly1305')
})
