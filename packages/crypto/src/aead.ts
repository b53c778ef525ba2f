// Authenticated encryption over node:crypto: one table of algorithms, one shape for all.
// ChaCha20-Poly1305 (RFC 8439), AES-256-GCM (NIST SP 800-38D, 96-bit nonces only), AES-256-GCM-SIV
// (RFC 8452) and XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 §2.3: HChaCha20 makes a subkey, RFC
// 8439 does the rest).
//
// Sealed bytes are ciphertext ‖ tag (16 bytes). `open` answers a forgery with undefined; wrong key
// or nonce lengths are the caller's fault and throw. Nonces are the caller's to keep unique per
// key.
//
// The two record ciphers run on the OpenSSL of this Node directly where that can be had
// (openssl-aead.ts), and short messages under ChaCha20-Poly1305 in WebAssembly (chacha-wasm.ts);
// everything else goes through node:crypto. The first use compares each engine with node:crypto,
// and leaves out one that differs.

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { equalBytes, utf8Encode } from '@myelin/base'
import { hchacha } from '@noble/ciphers/chacha.js'
import { type ChaChaWasm, chachaWasmEngine } from './chacha-wasm.ts'
import { requireLength } from './errors.ts'
import { aeadTagBytes } from './limits.ts'
import {
  type AeadEngine,
  engineAdBytesMax,
  engineBytesMax,
  opensslEngines,
} from './openssl-aead.ts'

export type AeadName = 'chacha20-poly1305' | 'aes-256-gcm' | 'xchacha20-poly1305'

export interface Aead<Name extends string = AeadName> {
  readonly name: Name
  readonly keyBytes: 32
  readonly nonceBytes: number
  readonly tagBytes: 16
  /** Ciphertext ‖ tag, in new memory. */
  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, ad: Uint8Array): Uint8Array
  /** The plaintext in new memory, or undefined when the input is not what was sealed. */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
    ad: Uint8Array,
  ): Uint8Array | undefined
  /**
   * Writes ciphertext ‖ tag to `target` at `offset` and returns their length. `plaintext` may lie
   * in `target`, overlapping or not.
   */
  sealInto(
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    ad: Uint8Array,
    target: Uint8Array,
    offset: number,
  ): number
}

const tagOptions = { authTagLength: aeadTagBytes } as const

export const chacha20Poly1305: Aead<'chacha20-poly1305'> = aeadOf('chacha20-poly1305', 12)
export const aes256Gcm: Aead<'aes-256-gcm'> = aeadOf('aes-256-gcm', 12)
/** Nonce-misuse resistant, for keys whose nonces cannot be counted (wrapping keys at rest). */
export const aes256GcmSiv: Aead<'aes-256-gcm-siv'> = aeadOf('aes-256-gcm-siv', 12)

export const xchacha20Poly1305: Aead<'xchacha20-poly1305'> = {
  name: 'xchacha20-poly1305',
  keyBytes: 32,
  nonceBytes: 24,
  tagBytes: 16,
  seal(key, nonce, plaintext, ad) {
    const sealed = new Uint8Array(plaintext.length + aeadTagBytes)
    this.sealInto(key, nonce, plaintext, ad, sealed, 0)
    return sealed
  },
  open(key, nonce, sealed, ad) {
    deriveXChaChaKey(key, nonce)
    const plaintext = chacha20Poly1305.open(subkey, subnonce, sealed, ad)
    subkeyWords.fill(0)
    return plaintext
  },
  sealInto(key, nonce, plaintext, ad, target, offset) {
    deriveXChaChaKey(key, nonce)
    const length = chacha20Poly1305.sealInto(subkey, subnonce, plaintext, ad, target, offset)
    subkeyWords.fill(0)
    return length
  },
}

const aeads: Readonly<Record<AeadName, Aead>> = {
  'chacha20-poly1305': chacha20Poly1305,
  'aes-256-gcm': aes256Gcm,
  'xchacha20-poly1305': xchacha20Poly1305,
}

export function aead(name: AeadName): Aead {
  return aeads[name]
}

function aeadOf<Name extends string>(name: Name, nonceBytes: number): Aead<Name> {
  const slow = nodeEngine(name)
  return {
    name,
    keyBytes: 32,
    nonceBytes,
    tagBytes: 16,
    seal(key, nonce, plaintext, ad) {
      const sealed = new Uint8Array(plaintext.length + aeadTagBytes)
      this.sealInto(key, nonce, plaintext, ad, sealed, 0)
      return sealed
    },
    open(key, nonce, sealed, ad) {
      checkLengths(name, nonceBytes, key, nonce)
      if (sealed.length < aeadTagBytes) return undefined
      return (engineFor(name, sealed, ad) ?? slow).open(key, nonce, sealed, ad)
    },
    sealInto(key, nonce, plaintext, ad, target, offset) {
      checkLengths(name, nonceBytes, key, nonce)
      const engine = engineFor(name, plaintext, ad) ?? slow
      const source = overlapsAside(plaintext, target, offset) ? plaintext.slice() : plaintext
      engine.sealInto(key, nonce, source, ad, target, offset)
      return plaintext.length + aeadTagBytes
    },
  }
}

/** Any cipher of node:crypto, by its name there. */
export function nodeEngine(name: string): AeadEngine {
  // All names go one way through Node; its types know this shape for GCM.
  const cipherName = name as 'aes-256-gcm'
  return {
    sealInto(key, nonce, plaintext, ad, target, offset) {
      const cipher = createCipheriv(cipherName, key, nonce, tagOptions)
      if (ad.length > 0) cipher.setAAD(ad)
      target.set(cipher.update(plaintext), offset)
      cipher.final()
      target.set(cipher.getAuthTag(), offset + plaintext.length)
    },
    open(key, nonce, sealed, ad) {
      const length = sealed.length - aeadTagBytes
      const decipher = createDecipheriv(cipherName, key, nonce, tagOptions)
      if (ad.length > 0) decipher.setAAD(ad)
      decipher.setAuthTag(sealed.subarray(length))
      try {
        const plaintext = decipher.update(sealed.subarray(0, length))
        decipher.final()
        // A plain view: a Buffer's `slice` would share memory where a Uint8Array's copies.
        return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.length)
      } catch {
        return undefined
      }
    },
    // OpenSSL cleanses a context as it frees it.
    forget() {},
  }
}

type Engines = Readonly<Record<string, AeadEngine>>

let engines: Engines | undefined

/** Which engine seals and opens records in this process. */
export function aeadEngine(): 'openssl' | 'node:crypto' {
  return Object.hasOwn(allEngines(), 'aes-256-gcm') ? 'openssl' : 'node:crypto'
}

/** Whether short messages under ChaCha20-Poly1305 are sealed and opened in WebAssembly. */
export function hasWasmAead(): boolean {
  return chachaWasm() !== undefined
}

/** Overwrites what the engines still hold of the last keys they were given. */
export function forgetAeadKeys(): void {
  for (const engine of Object.values(engines ?? {})) engine.forget()
  wasm?.forget()
}

function engineFor(name: string, bytes: Uint8Array, ad: Uint8Array): AeadEngine | undefined {
  if (name === wasmName && chachaWasm()?.takes(bytes.length, ad.length)) return wasm
  if (bytes.length > engineBytesMax || ad.length > engineAdBytesMax) return undefined
  return allEngines()[name]
}

const wasmName = 'chacha20-poly1305'
let wasm: ChaChaWasm | undefined
let isWasmSought = false

function chachaWasm(): ChaChaWasm | undefined {
  if (isWasmSought) return wasm
  isWasmSought = true
  const found = chachaWasmEngine()
  if (found !== undefined && agrees(found, nodeEngine(wasmName))) wasm = found
  return wasm
}

function allEngines(): Engines {
  engines ??= enginesThatAgree(opensslEngines() ?? {})
  return engines
}

/** Those that do what node:crypto does. */
export function enginesThatAgree(found: Engines): Engines {
  const all = Object.entries(found)
  return Object.fromEntries(all.filter(([name, engine]) => agrees(engine, nodeEngine(name))))
}

/** Seals to the same bytes, opens them, and refuses a changed bit, at lengths around the blocks. */
function agrees(engine: AeadEngine, reference: AeadEngine): boolean {
  const key = Uint8Array.from({ length: 32 }, (_, i) => 7 * i)
  const nonce = Uint8Array.from({ length: 12 }, (_, i) => 5 * i)
  const ad = Uint8Array.from({ length: 10 }, (_, i) => 3 * i)
  return [0, 1, 16, 63, 1000].every((length) => {
    const plaintext = Uint8Array.from({ length }, (_, i) => 11 * i)
    const sealed = new Uint8Array(length + aeadTagBytes)
    const expected = new Uint8Array(length + aeadTagBytes)
    try {
      engine.sealInto(key, nonce, plaintext, ad, sealed, 0)
      reference.sealInto(key, nonce, plaintext, ad, expected, 0)
      const isSame = equalBytes(sealed, expected)
      const opened = engine.open(key, nonce, expected, ad)
      const isOpened = opened !== undefined && equalBytes(opened, plaintext)
      expected[length] = (expected[length] ?? 0) ^ 1
      return isSame && isOpened && engine.open(key, nonce, expected, ad) === undefined
    } catch {
      return false
    }
  })
}

/** OpenSSL writes in place or elsewhere, but not over what it has still to read. */
function overlapsAside(plaintext: Uint8Array, target: Uint8Array, offset: number): boolean {
  if (plaintext.buffer !== target.buffer) return false
  const apart = plaintext.byteOffset - target.byteOffset - offset
  return apart !== 0 && Math.abs(apart) < plaintext.length
}

function checkLengths(name: string, nonceBytes: number, key: Uint8Array, nonce: Uint8Array): void {
  if (key.length !== 32) requireLength(key, 32, `the key of ${name}`)
  if (nonce.length !== nonceBytes) requireLength(nonce, nonceBytes, `the nonce of ${name}`)
}

// Scratch of deriveXChaChaKey, reused: each use fills it, calls OpenSSL and wipes it without giving
// way.
const subkeyWords = new Uint32Array(8)
const subkey = new Uint8Array(subkeyWords.buffer)
const subnonce = new Uint8Array(12)
const keyWords = new Uint32Array(8)
const nonceWords = new Uint32Array(4)
/** The constant of RFC 8439 §2.3, as words in the order of the host like the others. */
const sigma = new Uint32Array(utf8Encode('expand 32-byte k').slice().buffer)
const keyBytesView = new Uint8Array(keyWords.buffer)
const nonceBytesView = new Uint8Array(nonceWords.buffer)

/**
 * draft-irtf-cfrg-xchacha-03 §2.3: the subkey from the first 16 bytes, a nonce of 0^4 ‖ the last 8.
 */
function deriveXChaChaKey(key: Uint8Array, nonce: Uint8Array): void {
  checkLengths('xchacha20-poly1305', 24, key, nonce)
  keyBytesView.set(key)
  nonceBytesView.set(nonce.subarray(0, 16))
  hchacha(sigma, keyWords, nonceWords, subkeyWords)
  keyWords.fill(0)
  subnonce.set(nonce.subarray(16), 4)
}
