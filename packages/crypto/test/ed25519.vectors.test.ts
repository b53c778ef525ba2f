// RFC 8032 §7.1, tests 1 to 3.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatBytes, hexEncode } from '@myelin/base'
import { Ed25519KeyPair, isAcceptableEd25519, sha512, verifyEd25519 } from '@myelin/crypto'
import { verifies } from '@myelin/testkit'
import { hex } from './hex.ts'

verifies('R027', 'R251')

const vectors = [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature: `e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155
                5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b`,
  },
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature: `92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
                085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00`,
  },
  {
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature: `6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac
                18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a`,
  },
]

for (const [index, vector] of vectors.entries()) {
  test(`RFC 8032 test ${index + 1}: the seed gives the public key and the signature`, () => {
    const pair = Ed25519KeyPair.fromSeed(hex(vector.seed))
    assert.equal(hexEncode(pair.publicKey), vector.publicKey)
    const signature = pair.sign(hex(vector.message))
    assert.deepEqual(signature, hex(vector.signature))
    assert.equal(verifyEd25519(pair.publicKey, hex(vector.message), signature), true)
    assert.equal(hexEncode(pair.exportSeed()), vector.seed)
  })
}

test('a signature of another length, message or key does not verify', () => {
  const [first, second] = vectors.map(({ seed }) => Ed25519KeyPair.fromSeed(hex(seed)))
  assert.ok(first && second)
  const message = hex('0102')
  const signature = first.sign(message)
  assert.equal(verifyEd25519(first.publicKey, message, signature), true)
  assert.equal(verifyEd25519(second.publicKey, message, signature), false)
  assert.equal(verifyEd25519(first.publicKey, hex('0103'), signature), false)
  assert.equal(verifyEd25519(first.publicKey, message, signature.subarray(0, 63)), false)
  assert.equal(verifyEd25519(first.publicKey, message, hex(`${hexEncode(signature)}00`)), false)
  assert.equal(verifyEd25519(first.publicKey.subarray(0, 31), message, signature), false)
})

test('a low-order key cannot vouch for every message at once', () => {
  // A and R the neutral element, s = 0: the equation of RFC 8032 §5.1.7 holds for any message.
  const neutral = `01${'00'.repeat(31)}`
  const signature = hex(`${neutral}${'00'.repeat(32)}`)
  assert.equal(verifyEd25519(hex(neutral), hex('00'), signature), false)
  assert.equal(isAcceptableEd25519(hex(neutral)), false)
})

test('a signature whose R is of low order is refused, though the equation holds', () => {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const littleEndian = (bytes: Uint8Array) => BigInt(`0x${hexEncode(bytes.toReversed())}`)
  const seed = hex(vectors[0]?.seed ?? '')
  const pair = Ed25519KeyPair.fromSeed(seed)
  const message = hex('00')
  const [scalar, prefix] = [sha512(seed).subarray(0, 32), sha512(seed).subarray(32)]
  scalar[0] = (scalar[0] ?? 0) & 0xf8
  scalar[31] = ((scalar[31] ?? 0) & 0x3f) | 0x40
  /** RFC 8032 §5.1.6 steps 4 to 6, for an R of our choice and its discrete logarithm. */
  const signWith = (encodedR: Uint8Array, r: bigint) => {
    const k = littleEndian(sha512(concatBytes(encodedR, pair.publicKey, message)))
    const s = (r + k * littleEndian(scalar)) % order
    return concatBytes(encodedR, hex(s.toString(16).padStart(64, '0')).toReversed())
  }
  const honest = pair.sign(message)
  const honestR = littleEndian(sha512(concatBytes(prefix, message))) % order
  assert.deepEqual(signWith(honest.subarray(0, 32), honestR), honest)
  const neutral = hex(`01${'00'.repeat(31)}`)
  assert.equal(verifyEd25519(pair.publicKey, message, signWith(neutral, 0n)), false)
})

test('a y of p or more is no key, the largest below p is', () => {
  const top = (low: string, high: string) => hex(`${low}${'ff'.repeat(30)}${high}`)
  assert.equal(isAcceptableEd25519(top('ed', '7f')), false)
  assert.equal(isAcceptableEd25519(top('f0', 'ff')), false)
  assert.equal(isAcceptableEd25519(top('eb', '7f')), true)
  assert.equal(isAcceptableEd25519(top('eb', 'ff')), true)
})

test('a single bit that is not set in a high y makes it one below p, wherever it is', () => {
  for (let at = 1; at < 31; at += 1) {
    const y = hex(`${'ff'.repeat(31)}7f`)
    assert.equal(isAcceptableEd25519(y), false)
    y[at] = 0xfe
    assert.equal(isAcceptableEd25519(y), true, `byte ${at}`)
  }
})
