import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Encode } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import {
  blake3,
  blake3DeriveKey,
  blake3Keyed,
  encapsulateMlKem768,
  MlDsa87KeyPair,
  MlKem768KeyPair,
  MlKem768PublicKey,
  verifyMlDsa65,
  verifyMlDsa87,
} from '@myelin/crypto'
import { verifies } from '@myelin/testkit'

verifies('R287')

const message = utf8Encode('a message')

test('an encapsulated secret reaches the owner of the key alone', () => {
  const owner = MlKem768KeyPair.generate(systemRandom)
  const sent = encapsulateMlKem768(owner.publicKey)
  assert.ok(sent)
  assert.equal(sent.ciphertext.length, 1088)
  assert.equal(sent.sharedSecret.length, 32)
  assert.deepEqual(owner.decapsulate(sent.ciphertext), sent.sharedSecret)
  const other = MlKem768KeyPair.generate(systemRandom).decapsulate(sent.ciphertext)
  assert.equal(other?.length, 32)
  assert.notDeepEqual(other, sent.sharedSecret)
})

test('a changed ciphertext gives a steady other secret, a shorter one none', () => {
  const owner = MlKem768KeyPair.generate(systemRandom)
  const sent = encapsulateMlKem768(owner.publicKey)
  assert.ok(sent)
  const forged = sent.ciphertext.with(500, (sent.ciphertext[500] ?? 0) ^ 1)
  const first = owner.decapsulate(forged)
  assert.notDeepEqual(first, sent.sharedSecret)
  // FIPS 203 §6.3: implicit rejection is a function of the ciphertext.
  assert.deepEqual(owner.decapsulate(forged), first)
  assert.equal(owner.decapsulate(forged.subarray(1)), undefined)
})

test('two encapsulations to one imported key differ', () => {
  const owner = MlKem768KeyPair.generate(systemRandom)
  const key = MlKem768PublicKey.fromBytes(owner.publicKey)
  assert.ok(key)
  const [one, two] = [key.encapsulate(), key.encapsulate()]
  assert.notDeepEqual(one.ciphertext, two.ciphertext)
  assert.deepEqual(owner.decapsulate(one.ciphertext), one.sharedSecret)
  assert.deepEqual(owner.decapsulate(two.ciphertext), two.sharedSecret)
})

test('a KEM key of another length or with a coefficient of q is refused', () => {
  const { publicKey } = MlKem768KeyPair.generate(systemRandom)
  assert.equal(encapsulateMlKem768(publicKey.subarray(1)), undefined)
  // The first coefficient becomes 0xfff = 4,095 > 3,328.
  const reduced = publicKey.with(0, 0xff).with(1, (publicKey[1] ?? 0) | 0x0f)
  assert.equal(encapsulateMlKem768(reduced), undefined)
  assert.throws(() => MlKem768KeyPair.fromSeed(new Uint8Array(32)), { code: 'CRYPTO_LENGTH' })
  assert.equal(MlKem768KeyPair.fromDecapsulationKey(new Uint8Array(2400)), undefined)
})

test('an ML-DSA-87 signature is bound to key, message and context', () => {
  const pair = MlDsa87KeyPair.generate(systemRandom)
  const context = utf8Encode('myelin test')
  const signature = pair.sign(message, context)
  assert.equal(signature.length, 4627)
  assert.equal(verifyMlDsa87(pair.publicKey, message, signature, context), true)
  assert.equal(verifyMlDsa87(pair.publicKey, message, signature), false)
  assert.equal(verifyMlDsa87(pair.publicKey, utf8Encode('A message'), signature, context), false)
  const other = MlDsa87KeyPair.generate(systemRandom)
  assert.equal(verifyMlDsa87(other.publicKey, message, signature, context), false)
  const flipped = signature.with(100, (signature[100] ?? 0) ^ 1)
  assert.equal(verifyMlDsa87(pair.publicKey, message, flipped, context), false)
})

test('an ML-DSA key pair comes back from its seed; signing is hedged', () => {
  const pair = MlDsa87KeyPair.generate(systemRandom)
  const again = MlDsa87KeyPair.fromSeed(pair.exportSeed())
  assert.deepEqual(again.publicKey, pair.publicKey)
  const [one, two] = [again.sign(message), again.sign(message)]
  assert.notDeepEqual(one, two)
  assert.equal(verifyMlDsa87(pair.publicKey, message, one), true)
  assert.equal(verifyMlDsa87(pair.publicKey, message, two), true)
})

test('wrong sizes verify as false, and signing under a long context is the caller’s fault', () => {
  const pair = MlDsa87KeyPair.generate(systemRandom)
  const longest = new Uint8Array(255)
  const signature = pair.sign(message, longest)
  assert.equal(verifyMlDsa87(pair.publicKey, message, signature, longest), true)
  assert.equal(verifyMlDsa87(pair.publicKey, message, signature, new Uint8Array(256)), false)
  assert.equal(verifyMlDsa87(pair.publicKey.subarray(1), message, signature, longest), false)
  assert.equal(verifyMlDsa87(pair.publicKey, message, signature.subarray(1), longest), false)
  assert.equal(verifyMlDsa65(pair.publicKey, message, signature, longest), false)
  assert.throws(() => pair.sign(message, new Uint8Array(256)), { code: 'CRYPTO_LENGTH' })
  assert.throws(() => MlDsa87KeyPair.fromSeed(new Uint8Array(31)), { code: 'CRYPTO_LENGTH' })
})

test('the modes of BLAKE3 are separate, extend by prefix, and check their arguments', () => {
  const key = new Uint8Array(32)
  const modes = [blake3(message), blake3Keyed(key, message), blake3DeriveKey('context', message)]
  assert.equal(new Set(modes.map((digest) => digest.join())).size, 3)
  assert.deepEqual(blake3(message, 200).subarray(0, 32), blake3(message))
  assert.throws(() => blake3Keyed(key.subarray(1), message), { code: 'CRYPTO_LENGTH' })
  for (const length of [0, -1, 1.5, 2 ** 21]) {
    assert.throws(() => blake3(message, length), { code: 'CRYPTO_LENGTH' })
  }
})
