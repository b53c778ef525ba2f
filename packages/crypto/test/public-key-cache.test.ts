import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemRandom } from '@myelin/base/system'
import { Ed25519KeyPair } from '@myelin/crypto'
import { PublicKeyCache } from '../src/public-key-cache.ts'

const key = () => Ed25519KeyPair.generate(systemRandom).publicKey

test('a key is imported once while it stays in the cache', () => {
  const cache = new PublicKeyCache('ed25519', 4)
  const one = key()
  assert.equal(cache.get(one), cache.get(one.slice()))
  assert.equal(cache.size, 1)
})

test('the least recently used key goes first, and the bound holds', () => {
  const cache = new PublicKeyCache('ed25519', 2)
  const [a, b, c] = [key(), key(), key()]
  const objectA = cache.get(a)
  const objectB = cache.get(b)
  cache.get(a)
  cache.get(c)
  assert.equal(cache.size, 2)
  assert.equal(cache.get(a), objectA)
  assert.notEqual(cache.get(b), objectB)
})

test('bytes that are no key are not kept', () => {
  const cache = new PublicKeyCache('ed25519', 2)
  assert.equal(cache.get(new Uint8Array(31)), undefined)
  assert.equal(cache.size, 0)
})
