// Hashes, HMAC (RFC 2104), HKDF (RFC 5869) and passphrase derivation (Argon2id, RFC 9106) over
// node:crypto; HMAC-SHA-256, and HKDF with it, by OpenSSL directly where that can be had (openssl-hmac.ts).

import { argon2Sync, createHmac, hash, hkdfSync } from 'node:crypto'
import { equalBytes } from '@myelin/base'
import { CryptoError } from './errors.ts'
import {
  argon2MemoryKibMax,
  argon2ParallelismMax,
  argon2PassesMax,
  argon2SaltBytesMin,
} from './limits.ts'
import { type HmacEngine, opensslHmac } from './openssl-hmac.ts'
import { wipe } from './secret.ts'

export type HashName = 'sha256' | 'sha512' | 'blake2s' | 'blake2b'

interface HashFunction {
  /** The name in OpenSSL. */
  readonly algorithm: string
  readonly outputBytes: 32 | 64
}

const hashes: Readonly<Record<HashName, HashFunction>> = {
  sha256: { algorithm: 'sha256', outputBytes: 32 },
  sha512: { algorithm: 'sha512', outputBytes: 64 },
  blake2s: { algorithm: 'blake2s256', outputBytes: 32 },
  blake2b: { algorithm: 'blake2b512', outputBytes: 64 },
}

/** OpenSSL's bound on HKDF's info through Node; longer ones take the two steps of RFC 5869 here. */
const hkdfInfoBytesMax = 1024

export function hashBytes(name: HashName): 32 | 64 {
  return hashes[name].outputBytes
}

/** The digest of one byte string. */
export function digest(name: HashName, data: Uint8Array): Uint8Array {
  return plain(hash(hashes[name].algorithm, data, 'buffer'))
}

export function sha256(data: Uint8Array): Uint8Array {
  return digest('sha256', data)
}

export function sha512(data: Uint8Array): Uint8Array {
  return digest('sha512', data)
}

/** Unkeyed BLAKE2s, 32 bytes (RFC 7693). */
export function blake2s(data: Uint8Array): Uint8Array {
  return digest('blake2s', data)
}

/** Unkeyed BLAKE2b, 64 bytes (RFC 7693). */
export function blake2b(data: Uint8Array): Uint8Array {
  return digest('blake2b', data)
}

/** HMAC of the concatenation of `parts`. */
export function hmac(name: HashName, key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const fast = name === 'sha256' ? sha256Engine()?.(key, parts) : undefined
  return fast ?? nodeHmac(name, key, parts)
}

function nodeHmac(name: HashName, key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac(hashes[name].algorithm, key)
  for (const part of parts) mac.update(part)
  return plain(mac.digest())
}

/** Null: looked for and not found. */
let engine: HmacEngine | null | undefined

function sha256Engine(): HmacEngine | null {
  engine ??= hmacThatAgrees(opensslHmac()) ?? null
  return engine
}

/** The engine, where it says what node:crypto says, at lengths around the blocks. */
export function hmacThatAgrees(found: HmacEngine | undefined): HmacEngine | undefined {
  const isSame = [0, 1, 32, 55, 56, 64, 65, 200].every((length) => {
    const key = Uint8Array.from({ length: Math.min(length, 64) }, (_, i) => 7 * i)
    const data = Uint8Array.from({ length }, (_, i) => 11 * i)
    const mac = found?.(key, [data.subarray(0, 1), data.subarray(1)])
    return mac !== undefined && equalBytes(mac, nodeHmac('sha256', key, [data]))
  })
  return isSame ? found : undefined
}

/** RFC 5869 §2.2. An empty salt means a string of zeros. */
export function hkdfExtract(name: HashName, ikm: Uint8Array, salt: Uint8Array): Uint8Array {
  return hmac(name, salt, ikm)
}

/** RFC 5869 §2.3. `length` is at most 255 hash lengths. */
export function hkdfExpand(
  name: HashName,
  prk: Uint8Array,
  info: Uint8Array,
  length: number,
): Uint8Array {
  checkOutputLength(name, length)
  const out = new Uint8Array(length)
  let block: Uint8Array = new Uint8Array(0)
  for (let counter = 1, offset = 0; offset < length; counter += 1) {
    const next = hmac(name, prk, block, info, Uint8Array.of(counter))
    wipe(block)
    block = next
    out.set(block.subarray(0, length - offset), offset)
    offset += block.length
  }
  wipe(block)
  return out
}

/** RFC 5869, extract then expand. */
export function hkdf(
  name: HashName,
  ikm: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Uint8Array {
  checkOutputLength(name, length)
  if (info.length > hkdfInfoBytesMax || (name === 'sha256' && sha256Engine() !== null)) {
    const prk = hkdfExtract(name, ikm, salt)
    const out = hkdfExpand(name, prk, info, length)
    wipe(prk)
    return out
  }
  return new Uint8Array(hkdfSync(hashes[name].algorithm, ikm, salt, info, length))
}

export interface PassphraseOptions {
  /** KiB of memory, e.g. 65,536. */
  readonly memoryKib: number
  readonly passes: number
  readonly parallelism: number
}

/** A 32-byte key from a passphrase by Argon2id; blocks for as long as the options ask. */
export function derivePassphraseKey(
  passphrase: Uint8Array,
  salt: Uint8Array,
  options: PassphraseOptions,
): Uint8Array {
  const { memoryKib, passes, parallelism } = options
  requireRange(memoryKib, 8 * parallelism, argon2MemoryKibMax, 'memoryKib')
  requireRange(passes, 1, argon2PassesMax, 'passes')
  requireRange(parallelism, 1, argon2ParallelismMax, 'parallelism')
  requireRange(salt.length, argon2SaltBytesMin, Number.MAX_SAFE_INTEGER, 'the length of the salt')
  return plain(
    argon2Sync('argon2id', {
      message: passphrase,
      nonce: salt,
      memory: memoryKib,
      passes,
      parallelism,
      tagLength: 32,
    }),
  )
}

function checkOutputLength(name: HashName, length: number): void {
  requireRange(length, 0, 255 * hashes[name].outputBytes, `the output length of HKDF-${name}`)
}

function requireRange(value: number, least: number, most: number, what: string): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return
  const message = `${what} is ${value}; use ${least} to ${most}`
  throw new CryptoError('CRYPTO_LENGTH', message, { kind: 'usage' })
}

function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}
