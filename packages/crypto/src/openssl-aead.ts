// The AEADs of the OpenSSL that Node carries, called directly (EVP_EncryptInit(3)). node:crypto runs the same code,
// but makes an object for each call and new memory for what it writes: at 1 KiB that takes longer than the
// cipher. Here one context for each cipher is set up anew with key and nonce by each call, and the output goes
// where it is wanted. Where this process has no node:ffi, or its OpenSSL is not to be reached, there is no such
// engine and node:crypto does the work.
//
// Native code checks no bounds. Every length is therefore checked here, on the very views that are passed, and
// only fixed memory of ours and those views are ever pointed at. The scratch memory holds a key only during a call; a
// context keeps what it made of its last key until the next call, or until `forget`.

import { loadNodeFfi, type NodeFfi } from '@myelin/base/system'
import { CryptoError } from './errors.ts'
import { aeadTagBytes } from './limits.ts'
import { Slab } from './slab.ts'

/** What an engine does for one cipher. Lengths of key and nonce are the caller's to check. */
export interface AeadEngine {
  /** Writes ciphertext ‖ tag to `target` at `offset`. */
  sealInto(
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    ad: Uint8Array,
    target: Uint8Array,
    offset: number,
  ): void
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
    ad: Uint8Array,
  ): Uint8Array | undefined
  /** Overwrites what is still held of the last key. */
  forget(): void
}

/** Longer associated data and messages go another way: a header is short, and lengths are C ints. */
export const engineAdBytesMax = 512
export const engineBytesMax = 2 ** 30

const getTag = 0x10
const setTag = 0x11

const int = 'int32'
const address = 'pointer'
const definitions = {
  EVP_aes_256_gcm: { arguments: [], return: address },
  EVP_chacha20_poly1305: { arguments: [], return: address },
  EVP_CIPHER_CTX_new: { arguments: [], return: address },
  EVP_CIPHER_CTX_ctrl: { arguments: [address, int, int, address], return: int },
  EVP_CipherInit_ex: {
    arguments: [address, address, address, address, address, int],
    return: int,
  },
  EVP_CipherFinal_ex: { arguments: [address, address, address], return: int },
} as const
/** The one function that sees memory of others, in two shapes: by address for ours, by view for theirs. */
const updateOwn = {
  EVP_CipherUpdate: { arguments: [address, address, address, address, int], return: int },
} as const
const updateViews = {
  EVP_CipherUpdate: { arguments: [address, 'buffer', address, 'buffer', int], return: int },
} as const

type OpensslEngines = Readonly<Record<'aes-256-gcm' | 'chacha20-poly1305', AeadEngine>>

/** Engines of OpenSSL, or undefined where they cannot be had. */
export function opensslEngines(): OpensslEngines | undefined {
  const ffi = loadNodeFfi()
  return ffi === undefined ? undefined : enginesOver(ffi)
}

/** Undefined where symbols are missing: a Node that links another library, or hides its own. */
export function enginesOver(ffi: NodeFfi): OpensslEngines | undefined {
  try {
    const evp = bind(ffi)
    return {
      'aes-256-gcm': new OpensslAead(evp, evp.EVP_aes_256_gcm()),
      'chacha20-poly1305': new OpensslAead(evp, evp.EVP_chacha20_poly1305()),
    }
  } catch {
    return undefined
  }
}

type Evp = ReturnType<typeof bind>

function bind(ffi: NodeFfi) {
  const calls = ffi.dlopen(null, definitions)
  const own = ffi.dlopen(null, updateOwn)
  const views = ffi.dlopen(null, updateViews)
  return {
    ...calls.functions,
    update: own.functions.EVP_CipherUpdate,
    updateView: views.functions.EVP_CipherUpdate,
    addressOf: ffi.getRawPointer,
    // Functions live as long as what they came from is held.
    libraries: [calls, own, views],
  }
}

const none = 0n
/** A longer plaintext has memory of its own. */
const sharedBytesMax = 4096
/** Where things lie in the scratch memory. */
const [keyAt, nonceAt, tagAt, lengthAt, restAt, adAt] = [0, 32, 48, 64, 72, 128] as const

class OpensslAead implements AeadEngine {
  readonly #evp: Evp
  readonly #context: bigint
  /** The context holds the key of nobody. */
  #isClean = false
  readonly #slab = new Slab()
  readonly #scratch = new Uint8Array(adAt + engineAdBytesMax)
  readonly #at: Readonly<Record<'key' | 'nonce' | 'tag' | 'length' | 'rest' | 'ad', bigint>>

  constructor(evp: Evp, cipher: bigint) {
    this.#evp = evp
    this.#context = evp.EVP_CIPHER_CTX_new()
    const base = evp.addressOf(this.#scratch)
    const at = (offset: number) => base + BigInt(offset)
    this.#at = {
      key: at(keyAt),
      nonce: at(nonceAt),
      tag: at(tagAt),
      length: at(lengthAt),
      rest: at(restAt),
      ad: at(adAt),
    }
    const { key, nonce } = this.#at
    if (this.#context === none || cipher === none) throw broken()
    if (evp.EVP_CipherInit_ex(this.#context, cipher, none, key, nonce, 1) !== 1) throw broken()
  }

  sealInto(
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    ad: Uint8Array,
    target: Uint8Array,
    offset: number,
  ): void {
    const { length } = plaintext
    const end = offset + length
    const out = target.subarray(offset, end)
    if (!(offset >= 0 && end + aeadTagBytes <= target.length) || out.length !== length)
      throw new RangeError(
        `${length + aeadTagBytes} bytes do not fit into ${target.length} at ${offset}`,
      )
    const { EVP_CIPHER_CTX_ctrl, EVP_CipherFinal_ex, updateView } = this.#evp
    const context = this.#context
    const at = this.#at
    this.#begin(key, nonce, ad, 1)
    const isDone =
      (length === 0 || updateView(context, out, at.length, plaintext, length) === 1) &&
      EVP_CipherFinal_ex(context, at.rest, at.length) === 1 &&
      EVP_CIPHER_CTX_ctrl(context, getTag, aeadTagBytes, at.tag) === 1
    if (!isDone) throw broken()
    target.set(this.#scratch.subarray(tagAt, tagAt + aeadTagBytes), end)
  }

  open(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
    ad: Uint8Array,
  ): Uint8Array | undefined {
    const length = sealed.length - aeadTagBytes
    const plaintext = this.#room(length)
    const { EVP_CIPHER_CTX_ctrl, EVP_CipherFinal_ex, updateView } = this.#evp
    const context = this.#context
    const at = this.#at
    this.#begin(key, nonce, ad, 0)
    this.#scratch.set(sealed.subarray(length), tagAt)
    const isGenuine =
      (length === 0 || updateView(context, plaintext, at.length, sealed, length) === 1) &&
      EVP_CIPHER_CTX_ctrl(context, setTag, aeadTagBytes, at.tag) === 1 &&
      EVP_CipherFinal_ex(context, at.rest, at.length) === 1
    if (isGenuine) return plaintext
    plaintext.fill(0)
    return undefined
  }

  forget(): void {
    if (this.#isClean) return
    this.#begin(zeros, zeros.subarray(0, 12), zeros.subarray(0, 0), 1)
    this.#isClean = true
  }

  /** Memory that is nobody else's, not zeroed: each byte is written before anybody sees it, or nobody does. */
  #room(length: number): Uint8Array {
    if (length > sharedBytesMax) {
      return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
    }
    return this.#slab.take(length)
  }

  #begin(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, isSealing: 0 | 1): void {
    const { EVP_CipherInit_ex, update } = this.#evp
    const context = this.#context
    const at = this.#at
    const scratch = this.#scratch
    this.#isClean = false
    scratch.set(key, keyAt)
    scratch.set(nonce, nonceAt)
    const hasBegun = EVP_CipherInit_ex(context, none, none, at.key, at.nonce, isSealing) === 1
    scratch.fill(0, keyAt, keyAt + 32)
    if (!hasBegun) throw broken()
    if (ad.length === 0) return
    scratch.set(ad, adAt)
    if (update(context, none, at.length, at.ad, ad.length) !== 1) throw broken()
  }
}

const zeros = new Uint8Array(32)

function broken(): CryptoError {
  const message = 'OpenSSL refused a call that cannot fail; restart with --no-experimental-ffi'
  return new CryptoError('CRYPTO_ENGINE', message, { kind: 'fatal' })
}
