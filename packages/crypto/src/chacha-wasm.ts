// ChaCha20-Poly1305 for short messages in WebAssembly (wasm/chacha20-poly1305.ts), assembled at first use. What a call
// into OpenSSL costs before the first byte is longer than the whole of this for a record of 1 KiB; OpenSSL has wider
// vectors and wins for long ones.
//
// Key, nonce and input are copied to the memory of the module and the output from it, so that views of any
// alignment may overlap in any way. The module overwrites what it derived from the key before it returns;
// sealing leaves ciphertext in the memory, and opened plaintext is wiped after it was copied. Like any compiled code,
// it may leave words of them in registers and on the stack.

import { assert } from '@myelin/base'
import { aeadTagBytes } from './limits.ts'
import type { AeadEngine } from './openssl-aead.ts'
import { Slab } from './slab.ts'
import { type ChaChaPolyModule, encodeChaChaPoly } from './wasm/chacha20-poly1305.ts'
import { at, pageBytes } from './wasm/memory-layout.ts'

/** Longer messages are faster in OpenSSL (docs/decisions/0013). */
export const wasmAeadBytesMax = 4096
export const wasmAdBytesMax = 512

const vectorBytes = 16
/** A message has its tag behind it, and room for the padding. */
const memoryEnd = at.message + wasmAeadBytesMax + aeadTagBytes + vectorBytes
assert(
  at.ad + wasmAdBytesMax + vectorBytes <= at.message,
  'associated data must fit below the message, with its padding',
)
assert(memoryEnd <= pageBytes, 'a message and its tag must fit the one page of memory')

/** The part of the WebAssembly interface that is needed: not every host has it. */
export interface WebAssemblyHost {
  validate(bytes: Uint8Array): boolean
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: object }
}

/** The engine, or undefined where there is no WebAssembly, or one without vectors, or none may be compiled. */
export function chachaWasmEngine(
  host: WebAssemblyHost | undefined = Reflect.get(globalThis, 'WebAssembly'),
): ChaChaWasm | undefined {
  if (host === undefined) return undefined
  try {
    const bytes = encodeChaChaPoly()
    if (!host.validate(bytes)) return undefined
    const { exports } = new host.Instance(new host.Module(bytes))
    return new ChaChaWasm(exports as ChaChaPolyModule)
  } catch {
    return undefined
  }
}

/** RFC 8439 §2.3: "expand 32-byte k". */
const constant = new TextEncoder().encode('expand 32-byte k')

export class ChaChaWasm implements AeadEngine {
  readonly #module: ChaChaPolyModule
  readonly #memory: Uint8Array
  readonly #slab = new Slab()

  constructor(module: ChaChaPolyModule) {
    this.#module = module
    this.#memory = new Uint8Array(module.memory.buffer)
    this.#memory.set(constant, at.state)
  }

  /** Whether a message and associated data of these lengths are for this engine. A sealed message counts its tag. */
  takes(bytes: number, adBytes: number): boolean {
    return bytes <= wasmAeadBytesMax && adBytes <= wasmAdBytesMax
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
    const end = offset + length + aeadTagBytes
    if (!(offset >= 0 && end <= target.length)) {
      const size = length + aeadTagBytes
      throw new RangeError(`${size} bytes do not fit into ${target.length} at ${offset}`)
    }
    const memory = this.#memory
    this.#begin(key, nonce, ad, length)
    memory.set(plaintext, at.message)
    this.#module.seal(ad.length, length)
    target.set(memory.subarray(at.message, at.message + length + aeadTagBytes), offset)
  }

  open(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
    ad: Uint8Array,
  ): Uint8Array | undefined {
    const length = sealed.length - aeadTagBytes
    if (length < 0) return undefined
    const memory = this.#memory
    this.#begin(key, nonce, ad, length)
    memory.set(sealed, at.message)
    if (this.#module.open(ad.length, length) !== 1) return undefined
    const end = at.message + length
    const plaintext = this.#slab.take(length)
    plaintext.set(memory.subarray(at.message, end))
    this.#module.wipe(at.message, end)
    return plaintext
  }

  /** Nothing is held between calls; this overwrites all that a call can have written anyway. */
  forget(): void {
    this.#memory.fill(0, at.key, memoryEnd)
  }

  #begin(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, length: number): void {
    if (!this.takes(length, ad.length)) {
      const most = `${wasmAeadBytesMax} and ${wasmAdBytesMax}`
      throw new RangeError(`messages and associated data have at most ${most} bytes here`)
    }
    const memory = this.#memory
    memory.set(key, at.key)
    memory.set(nonce, at.nonce)
    memory.set(ad, at.ad)
  }
}
