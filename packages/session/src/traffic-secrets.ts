// The keys of records. Each direction has a secret that only ever moves forward (as RFC 8446 §7.2 does):
//
//   secret_0   = HKDF-Expand(noise key, "myelin traffic" ‖ version ‖ suite ‖ compression)
//   secret_n+1 = HKDF-Expand(secret_n, "myelin key update")
//   key, iv    = HKDF-Expand(secret_n, "myelin key" / "myelin iv")
//   short key  = HKDF-Expand(secret_n, "myelin short key"), where short records have a cipher of their own
//
// so that a key that leaks opens nothing that was sealed before it, and nothing agreed can be swapped.

import { concatBytes, utf8Encode } from '@myelin/base'
import { type CipherState, hkdfExpand, wipe } from '@myelin/crypto'
import { mixExporter } from './exporter.ts'
import { type Agreement, compressionNumbers, suiteNumbers } from './negotiation.ts'

export interface TrafficSecrets {
  readonly send: Uint8Array
  readonly receive: Uint8Array
  /** For secrets of other protocols (exporter.ts); the same on both sides. */
  readonly exporter: Uint8Array
}

export const secretBytes = 32
export const keyBytes = 32
export const ivBytes = 12

const trafficLabel = utf8Encode('myelin traffic')
const updateLabel = utf8Encode('myelin key update')
const keyLabel = utf8Encode('myelin key')
const shortKeyLabel = utf8Encode('myelin short key')
const ivLabel = utf8Encode('myelin iv')

/** The first secrets of both directions. The split's own keys are wiped. */
export function trafficSecrets(
  split: { readonly send: CipherState; readonly receive: CipherState },
  agreement: Agreement,
): TrafficSecrets {
  const numbers = [
    agreement.version,
    suiteNumbers[agreement.suite],
    compressionNumbers[agreement.compression],
  ]
  const info = concatBytes(trafficLabel, Uint8Array.from(numbers))
  const exporter = new Uint8Array(secretBytes)
  const derive = (cipher: CipherState) => {
    const key = cipher.exportKey()
    const secret = hkdfExpand('sha256', key, info, secretBytes)
    mixExporter(exporter, key)
    wipe(key)
    cipher[Symbol.dispose]()
    return secret
  }
  return { send: derive(split.send), receive: derive(split.receive), exporter }
}

export function nextSecret(secret: Uint8Array): Uint8Array {
  return hkdfExpand('sha256', secret, updateLabel, secretBytes)
}

export function recordKey(secret: Uint8Array): Uint8Array {
  return hkdfExpand('sha256', secret, keyLabel, keyBytes)
}

/** The key of short records, in a suite that has two ciphers. */
export function shortRecordKey(secret: Uint8Array): Uint8Array {
  return hkdfExpand('sha256', secret, shortKeyLabel, keyBytes)
}

export function recordIv(secret: Uint8Array): Uint8Array {
  return hkdfExpand('sha256', secret, ivLabel, ivBytes)
}

/**
 * The nonce of a record or datagram (RFC 8446 §5.3): the IV, which lies in `source` at `offset`, xor the counter as 12
 * bytes, big-endian. A double counts exactly far beyond any rekey.
 */
export function writeNonce(
  nonce: Uint8Array,
  source: Uint8Array,
  offset: number,
  counter: number,
): void {
  for (let i = 0; i < ivBytes; i += 1) nonce[i] = source[offset + i] as number
  let rest = counter
  for (let i = ivBytes - 1; rest > 0; i -= 1) {
    nonce[i] = (nonce[i] as number) ^ (rest % 256)
    rest = Math.floor(rest / 256)
  }
}
