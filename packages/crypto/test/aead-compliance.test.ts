// The suite that any Aead is held to, over all of ours, and over one that somebody else wrote.

import { test } from 'node:test'
import {
  type Aead,
  aes256Gcm,
  aes256GcmSiv,
  chacha20Poly1305,
  xchacha20Poly1305,
} from '@myelin/crypto'
import { aeadCompliance, verifies } from '@myelin/testkit'
import { chacha20poly1305 as noble } from '@noble/ciphers/chacha.js'

verifies('R011', 'R051', 'R024')

for (const aead of [aes256Gcm, aes256GcmSiv, chacha20Poly1305, xchacha20Poly1305])
  aeadCompliance(aead, { test })

/** It would say so only when it is used, where an error means a forgery. */
function cipherOf(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array) {
  if (key.length !== 32 || nonce.length !== 12) throw new RangeError('give 32 and 12 bytes')
  return noble(key, nonce, ad)
}

/** A third party's cipher behind our interface: it knows neither our engines nor our errors. */
const foreign: Aead<'foreign'> = {
  name: 'foreign',
  keyBytes: 32,
  nonceBytes: 12,
  tagBytes: 16,
  seal: (key, nonce, plaintext, ad) => cipherOf(key, nonce, ad).encrypt(plaintext),
  open: (key, nonce, sealed, ad) => {
    const cipher = cipherOf(key, nonce, ad)
    try {
      return cipher.decrypt(sealed)
    } catch {
      return undefined
    }
  },
  sealInto: (key, nonce, plaintext, ad, target, offset) => {
    const sealed = cipherOf(key, nonce, ad).encrypt(plaintext)
    target.set(sealed, offset)
    return sealed.length
  },
}

aeadCompliance(foreign, { test, name: 'an Aead of others' })
