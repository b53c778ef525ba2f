// RFC 5869 appendix A (SHA-256), RFC 7693 appendices A and B, FIPS 180-4, RFC 4231, and the
// reference implementation of Argon2 (phc-winner-argon2, test.c).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyBytes, hexEncode, utf8Encode } from '@myelin/base'
import {
  blake2b,
  blake2s,
  derivePassphraseKey,
  hkdf,
  hkdfExpand,
  hkdfExtract,
  hmac,
  sha256,
  sha512,
} from '@myelin/crypto'
import { verifies } from '@myelin/testkit'
import { hex } from './hex.ts'

const ascending = (from: number, length: number) => Uint8Array.from({ length }, (_, i) => from + i)

const hkdfVectors = [
  {
    ikm: new Uint8Array(22).fill(0x0b),
    salt: ascending(0x00, 13),
    info: ascending(0xf0, 10),
    prk: '077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5',
    okm: '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
  },
  {
    ikm: ascending(0x00, 80),
    salt: ascending(0x60, 80),
    info: ascending(0xb0, 80),
    prk: '06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244',
    okm:
      'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c' +
      '59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71' +
      'cc30c58179ec3e87c14c01d5c1f3434f1d87',
  },
  {
    ikm: new Uint8Array(22).fill(0x0b),
    salt: emptyBytes,
    info: emptyBytes,
    prk: '19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04',
    okm: '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  },
]

test('HKDF-SHA-256 gives the keys of RFC 5869, in one step and in two', () => {
  verifies('R028', 'R147', 'R251')
  for (const { ikm, salt, info, prk, okm } of hkdfVectors) {
    const length = okm.length / 2
    assert.equal(hexEncode(hkdfExtract('sha256', ikm, salt)), prk)
    assert.equal(hexEncode(hkdfExpand('sha256', hex(prk), info, length)), okm)
    assert.equal(hexEncode(hkdf('sha256', ikm, salt, info, length)), okm)
  }
})

test('HKDF gives the same for a long info as its two steps, and refuses more than 255 blocks', () => {
  const [ikm, salt, info] = [ascending(1, 32), ascending(2, 16), new Uint8Array(3000).fill(5)]
  for (const hash of ['sha256', 'sha512', 'blake2s', 'blake2b'] as const) {
    const stepwise = (length: number, text: Uint8Array) =>
      hkdfExpand(hash, hkdfExtract(hash, ikm, salt), text, length)
    for (const text of [info, info.subarray(0, 1024), emptyBytes]) {
      assert.deepEqual(hkdf(hash, ikm, salt, text, 200), stepwise(200, text))
    }
    const blockBytes = hash === 'sha512' || hash === 'blake2b' ? 64 : 32
    assert.equal(hkdf(hash, ikm, salt, emptyBytes, 255 * blockBytes).length, 255 * blockBytes)
    assert.throws(() => hkdf(hash, ikm, salt, emptyBytes, 255 * blockBytes + 1), {
      code: 'CRYPTO_LENGTH',
    })
    assert.throws(() => stepwise(255 * blockBytes + 1, emptyBytes), { code: 'CRYPTO_LENGTH' })
  }
})

test('the hashes give the digests of "abc" in their standards', () => {
  const abc = utf8Encode('abc')
  assert.equal(
    hexEncode(sha256(abc)),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  )
  assert.equal(
    hexEncode(sha512(abc)),
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a' +
      '2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  )
  assert.equal(
    hexEncode(blake2s(abc)),
    '508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982',
  )
  assert.equal(
    hexEncode(blake2b(abc)),
    'ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1' +
      '7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923',
  )
})

test('HMAC-SHA-256 gives the tag of RFC 4231 case 2, however the message is cut', () => {
  const tag = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
  const key = utf8Encode('Jefe')
  assert.equal(hexEncode(hmac('sha256', key, utf8Encode('what do ya want for nothing?'))), tag)
  assert.equal(
    hexEncode(hmac('sha256', key, utf8Encode('what do ya '), utf8Encode('want for nothing?'))),
    tag,
  )
})

test('Argon2id gives the tags of its reference implementation', () => {
  const [password, salt] = [utf8Encode('password'), utf8Encode('somesalt')]
  const derive = (parallelism: number) =>
    hexEncode(derivePassphraseKey(password, salt, { memoryKib: 256, passes: 2, parallelism }))
  assert.equal(derive(1), '9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe')
  assert.equal(derive(2), '6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037')
})

test('Argon2id refuses options out of their bounds', () => {
  const [password, salt] = [utf8Encode('password'), utf8Encode('somesalt')]
  const good = { memoryKib: 256, passes: 2, parallelism: 1 }
  for (const bad of [
    { ...good, memoryKib: 7 },
    { ...good, memoryKib: 2 ** 21 },
    { ...good, passes: 0 },
    { ...good, passes: 65 },
    { ...good, parallelism: 0 },
    { ...good, parallelism: 17 },
    { ...good, passes: 1.5 },
  ]) {
    assert.throws(() => derivePassphraseKey(password, salt, bad), { code: 'CRYPTO_LENGTH' })
  }
  assert.throws(() => derivePassphraseKey(password, salt.subarray(1), good), {
    code: 'CRYPTO_LENGTH',
  })
})
