// RFC 7748 §5.2 and §6.1.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAcceptableX25519, X25519KeyPair } from '@myelin/crypto'
import { verifies } from '@myelin/testkit'
import { hex } from './hex.ts'

verifies('R026', 'R251')

test('the scalar multiplications of RFC 7748 §5.2 come out, the unreduced point among them', () => {
  const first = X25519KeyPair.fromSecret(
    hex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4'),
  )
  assert.deepEqual(
    first.agree(hex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c')),
    hex('c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552'),
  )
  const second = X25519KeyPair.fromSecret(
    hex('4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d'),
  )
  // The last byte is 0x93: the top bit is set and must be masked.
  assert.deepEqual(
    second.agree(hex('e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493')),
    hex('95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957'),
  )
})

test('the iteration of RFC 7748 §5.2 reaches its values after 1 and 1,000 rounds', () => {
  let k: Uint8Array = hex(`09${'00'.repeat(31)}`)
  let u = k
  for (let round = 1; round <= 1000; round += 1) {
    const shared = X25519KeyPair.fromSecret(k).agree(u)
    assert.ok(shared)
    ;[k, u] = [shared, k]
    if (round === 1) {
      assert.deepEqual(k, hex('422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079'))
    }
  }
  assert.deepEqual(k, hex('684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51'))
})

test('Alice and Bob of RFC 7748 §6.1 agree', () => {
  const alice = X25519KeyPair.fromSecret(
    hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'),
  )
  const bob = X25519KeyPair.fromSecret(
    hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'),
  )
  const shared = hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742')
  assert.deepEqual(alice.agree(bob.publicKey), shared)
  assert.deepEqual(bob.agree(alice.publicKey), shared)
})

test('points of low order are refused in every form, alone and in agreement', () => {
  const pair = X25519KeyPair.fromSecret(new Uint8Array(32).fill(7))
  const points = [
    '00'.repeat(32),
    `01${'00'.repeat(31)}`,
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    `ec${'ff'.repeat(30)}7f`,
    `ed${'ff'.repeat(30)}7f`,
    `ee${'ff'.repeat(30)}7f`,
    `ed${'ff'.repeat(31)}`,
  ]
  for (const point of points) {
    assert.equal(isAcceptableX25519(hex(point)), false, point)
    assert.equal(pair.agree(hex(point)), undefined, point)
  }
  assert.equal(isAcceptableX25519(hex(`ef${'ff'.repeat(30)}7f`)), true, 'p + 2 is 2, of high order')
})
