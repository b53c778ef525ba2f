// RFC 8439 §2.8.2, the GCM specification's AES-256 cases (McGrew and Viega, appendix B), RFC 8452
// §C.2, and draft-irtf-cfrg-xchacha-03 §A.3.1.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatBytes, emptyBytes, utf8Encode } from '@myelin/base'
import {
  type Aead,
  aes256Gcm,
  aes256GcmSiv,
  chacha20Poly1305,
  xchacha20Poly1305,
} from '@myelin/crypto'
import { verifies } from '@myelin/testkit'
import { hex } from './hex.ts'

const sunscreen = utf8Encode(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, " +
    'sunscreen would be it.',
)
const countingKey = hex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f')
const sunscreenAd = hex('50515253c0c1c2c3c4c5c6c7')

interface Sample {
  readonly aead: Aead<string>
  readonly key: Uint8Array
  readonly nonce: Uint8Array
  readonly plaintext: Uint8Array
  readonly ad: Uint8Array
  readonly sealed: Uint8Array
}

function check({ aead, key, nonce, plaintext, ad, sealed }: Sample): void {
  assert.deepEqual(aead.seal(key, nonce, plaintext, ad), sealed)
  assert.deepEqual(aead.open(key, nonce, sealed, ad), plaintext)
}

test('ChaCha20-Poly1305 gives the sealed text of RFC 8439 §2.8.2', () => {
  verifies('R024', 'R251')
  check({
    aead: chacha20Poly1305,
    key: countingKey,
    nonce: hex('070000004041424344454647'),
    plaintext: sunscreen,
    ad: sunscreenAd,
    sealed: hex(`
      d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6
      3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36
      92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
      3ff4def08e4b7a9de576d26586cec64b6116
      1ae10b594f09e26a7e902ecbd0600691`),
  })
})

test('XChaCha20-Poly1305 gives the sealed text of the draft, under a 192-bit nonce', () => {
  verifies('R146')
  check({
    aead: xchacha20Poly1305,
    key: countingKey,
    nonce: hex('404142434445464748494a4b4c4d4e4f5051525354555657'),
    plaintext: sunscreen,
    ad: sunscreenAd,
    sealed: hex(`
      bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb
      731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452
      2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9
      21f9664c97637da9768812f615c68b13b52e
      c0875924c1c7987947deafd8780acf49`),
  })
})

test('AES-256-GCM gives the sealed texts of the GCM specification', () => {
  verifies('R025')
  const feed = hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308')
  const zeros = new Uint8Array(32)
  check({
    aead: aes256Gcm,
    key: zeros,
    nonce: zeros.subarray(0, 12),
    plaintext: emptyBytes,
    ad: emptyBytes,
    sealed: hex('530f8afbc74536b9a963b4f1c4cb738b'), // case 13
  })
  check({
    aead: aes256Gcm,
    key: zeros,
    nonce: zeros.subarray(0, 12),
    plaintext: zeros.slice(0, 16),
    ad: emptyBytes,
    sealed: hex('cea7403d4d606b6e074ec5d3baf39d18 d0d1c8a799996bf0265b98b5d48ab919'), // case 14
  })
  check({
    aead: aes256Gcm,
    key: feed,
    nonce: hex('cafebabefacedbaddecaf888'),
    plaintext: hex(`
      d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
      1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39`),
    ad: hex('feedfacedeadbeeffeedfacedeadbeefabaddad2'),
    sealed: hex(`
      522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
      8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662
      76fc6ece0f4e1768cddf8853bb2d551b`), // case 16
  })
})

test('AES-256-GCM-SIV gives the sealed texts of RFC 8452', () => {
  const key = concatBytes(Uint8Array.of(1), new Uint8Array(31))
  const nonce = concatBytes(Uint8Array.of(3), new Uint8Array(11))
  const sample = { aead: aes256GcmSiv, key, nonce, ad: emptyBytes }
  check({ ...sample, plaintext: emptyBytes, sealed: hex('07f5f4169bbf55a8400cd47ea6fd400f') })
  check({
    ...sample,
    plaintext: hex('0100000000000000'),
    sealed: hex('c2ef328e5c71c83b 843122130f7364b761e0b97427e3df28'),
  })
})
