// HMAC-SHA-256 of the OpenSSL that Node carries, called directly, as the record ciphers are (openssl-aead.ts). A
// handshake takes three dozen of them, each over a few hundred bytes, and the object that node:crypto makes for
// one costs more than the hash. Where OpenSSL is not to be reached, node:crypto does the work.
//
// Native code checks no bounds. Keys and data are copied into one scratch buffer that lives as long as the engine,
// after their lengths were checked, and it is wiped before the call returns.

import { loadNodeFfi, type NodeFfi } from '@myelin/base/system'

/** The MAC of the concatenation of `parts`, or undefined for what is too long. */
export type HmacEngine = (
  key: Uint8Array,
  parts: readonly Uint8Array[],
) => Uint8Array<ArrayBuffer> | undefined

const keyBytesMax = 64
const dataBytesMax = 960
const macBytes = 32
/** Where things lie in the scratch memory. */
const [keyAt, macAt, dataAt] = [0, keyBytesMax, keyBytesMax + macBytes] as const

const address = 'pointer'
const definitions = {
  EVP_sha256: { arguments: [], return: address },
  HMAC: {
    arguments: [address, address, 'int32', address, 'uint64', address, address],
    return: address,
  },
} as const

/** Undefined where it cannot be had. */
export function opensslHmac(): HmacEngine | undefined {
  const ffi = loadNodeFfi()
  return ffi === undefined ? undefined : hmacOver(ffi)
}

export function hmacOver(ffi: NodeFfi): HmacEngine | undefined {
  try {
    // Functions live as long as the library is held; the engine's closure holds it.
    const library = ffi.dlopen(null, definitions)
    const hash = library.functions.EVP_sha256()
    const scratch = new Uint8Array(dataAt + dataBytesMax)
    const base = ffi.getRawPointer(scratch)
    const at = { key: base, mac: base + BigInt(macAt), data: base + BigInt(dataAt) }
    return (key, parts) => {
      let end: number = dataAt
      for (const part of parts) end += part.length
      if (key.length > keyBytesMax || end > scratch.length) return undefined
      scratch.set(key, keyAt)
      end = dataAt
      for (const part of parts) {
        scratch.set(part, end)
        end += part.length
      }
      const { HMAC } = library.functions
      const length = BigInt(end - dataAt)
      const done = HMAC(hash, at.key, key.length, at.data, length, at.mac, none)
      const mac = scratch.slice(macAt, macAt + macBytes)
      scratch.fill(0, 0, end)
      return done === none ? undefined : mac
    }
  } catch {
    return undefined
  }
}

const none = 0n
