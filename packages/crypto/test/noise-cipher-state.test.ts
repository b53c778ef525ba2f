import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyBytes, utf8Encode } from '@myelin/base'
import { aes256Gcm, CipherState, chacha20Poly1305, parseProtocolName } from '@myelin/crypto'
import { hex } from './hex.ts'
import { bytesOf } from './scripted-random.ts'

const chacha = parseProtocolName('Noise_XX_25519_ChaChaPoly_SHA256').cipher
const aes = parseProtocolName('Noise_XX_25519_AESGCM_SHA256').cipher
const message = utf8Encode('transport message')
const key = bytesOf(0x42, 32)

function keyed(cipher = chacha): CipherState {
  const state = new CipherState(cipher)
  state.initializeKey(key.slice())
  return state
}

test('without a key, encryption copies and decryption passes through', () => {
  const state = new CipherState(chacha)
  const sealed = state.encryptWithAd(emptyBytes, message)
  assert.deepEqual(sealed, message)
  assert.notEqual(sealed, message)
  assert.deepEqual(state.decryptWithAd(emptyBytes, message), message)
  assert.equal(state.nonce, 0)
})

test('the counter is little-endian for ChaChaPoly and big-endian for AESGCM (§12.3, §12.4)', () => {
  const counter = 0x0001_0203_0405_0607
  const cases = [
    { cipher: chacha, aead: chacha20Poly1305, nonce: hex('00000000 07060504 03020100') },
    { cipher: aes, aead: aes256Gcm, nonce: hex('00000000 00010203 04050607') },
  ]
  for (const { cipher, aead, nonce } of cases) {
    const state = keyed(cipher)
    state.setNonce(counter)
    const sealed = state.encryptWithAd(emptyBytes, message)
    assert.deepEqual(sealed, aead.seal(key, nonce, message, emptyBytes))
    assert.equal(state.nonce, counter + 1)
  }
})

test('a refused message leaves the counter where it was', () => {
  const [send, receive] = [keyed(), keyed()]
  const sealed = send.encryptWithAd(emptyBytes, message)
  assert.equal(receive.decryptWithAd(emptyBytes, sealed.with(0, (sealed[0] ?? 0) ^ 1)), undefined)
  assert.equal(receive.nonce, 0)
  assert.deepEqual(receive.decryptWithAd(emptyBytes, sealed), message)
  assert.equal(receive.nonce, 1)
})

test('a replayed or reordered message is refused unless the counter is set for it (§11.4)', () => {
  const [send, receive] = [keyed(), keyed()]
  const [first, second] = [1, 2].map(() => send.encryptWithAd(emptyBytes, message))
  assert.ok(first && second)
  assert.equal(receive.decryptWithAd(emptyBytes, second), undefined)
  receive.setNonce(1)
  assert.deepEqual(receive.decryptWithAd(emptyBytes, second), message)
  assert.equal(receive.decryptWithAd(emptyBytes, second), undefined)
})

test('rekey is the encryption of zeros under nonce 2^64 - 1, and the counter goes on (§4.2)', () => {
  for (const [cipher, aead] of [
    [chacha, chacha20Poly1305],
    [aes, aes256Gcm],
  ] as const) {
    const state = keyed(cipher)
    state.encryptWithAd(emptyBytes, message)
    state.rekey()
    const last = hex('00000000 ffffffffffffffff')
    const expected = aead.seal(key, last, new Uint8Array(32), emptyBytes).subarray(0, 32)
    assert.deepEqual(state.exportKey(), expected.slice())
    assert.equal(state.nonce, 1)
    const peer = keyed(cipher)
    peer.rekey()
    peer.setNonce(1)
    const sealed = state.encryptWithAd(message, message)
    assert.deepEqual(peer.decryptWithAd(message, sealed), message)
  }
})

test('the counter is refused beyond what a double counts exactly', () => {
  const state = keyed()
  state.setNonce(Number.MAX_SAFE_INTEGER - 1)
  assert.equal(state.encryptWithAd(emptyBytes, message).length, message.length + 16)
  assert.throws(() => state.encryptWithAd(emptyBytes, message), { code: 'CRYPTO_NONCE_EXHAUSTED' })
  assert.throws(() => state.decryptWithAd(emptyBytes, message), { code: 'CRYPTO_NONCE_EXHAUSTED' })
  for (const bad of [-1, 0.5, Number.MAX_SAFE_INTEGER, 2 ** 60, Number.NaN]) {
    assert.throws(() => state.setNonce(bad), { code: 'CRYPTO_NONCE_EXHAUSTED' })
  }
})

test('disposal wipes the key and ends the state', () => {
  const state = new CipherState(chacha)
  const owned = key.slice()
  state.initializeKey(owned)
  state[Symbol.dispose]()
  assert.deepEqual(owned, new Uint8Array(32))
  for (const use of [
    () => state.encryptWithAd(emptyBytes, message),
    () => state.decryptWithAd(emptyBytes, message),
    () => state.rekey(),
    () => state.exportKey(),
    () => state.initializeKey(key.slice()),
  ]) {
    assert.throws(use, { code: 'CRYPTO_DISPOSED' })
  }
})
