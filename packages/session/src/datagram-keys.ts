// The keys of sealed datagrams (docs/protocol.md §12). One secret serves one direction of a pair or one group, and
// moves forward by the ratchet of records:
//
//   secret_n+1 = HKDF-Expand(secret_n, "myelin key update")
//   base       = HKDF-Expand(secret_n, "myelin datagram" ‖ suite ‖ sender, where the secret is a group's)
//   key, iv    = HKDF-Expand(base, "myelin key" / "myelin iv")
//
// Each sender of a group has a key of its own, so the counters of two of them never meet under one key.

import { concatBytes, utf8Encode } from '@myelin/base'
import { type Aead, aead, forgetAeadKeys, hkdfExpand, wipe } from '@myelin/crypto'
import { SessionError } from './errors.ts'
import { type PlainSuite, suiteNumbers } from './negotiation.ts'
import { ivBytes, nextSecret, recordIv, recordKey, writeNonce } from './traffic-secrets.ts'

export const datagramSecretBytes = 32
const datagramLabel = utf8Encode('myelin datagram')

/** Key and nonces of one sender in one epoch. */
export class DatagramKeys {
  readonly #aead: Aead
  readonly #key: Uint8Array
  readonly #iv: Uint8Array
  readonly #nonce = new Uint8Array(ivBytes)

  /** `sender` is undefined where the secret has one sender only. */
  constructor(suite: PlainSuite, secret: Uint8Array, sender: number | undefined) {
    const from = sender === undefined ? [] : [...u32(sender)]
    const info = concatBytes(datagramLabel, Uint8Array.of(suiteNumbers[suite], ...from))
    const base = hkdfExpand('sha256', secret, info, datagramSecretBytes)
    this.#aead = aead(suite)
    this.#key = recordKey(base)
    this.#iv = recordIv(base)
    wipe(base)
  }

  sealInto(
    counter: number,
    plaintext: Uint8Array,
    header: Uint8Array,
    target: Uint8Array,
    offset: number,
  ): void {
    const nonce = this.#nonceOf(counter)
    this.#aead.sealInto(this.#key, nonce, plaintext, header, target, offset)
  }

  open(counter: number, sealed: Uint8Array, header: Uint8Array): Uint8Array | undefined {
    return this.#aead.open(this.#key, this.#nonceOf(counter), sealed, header)
  }

  wipe(): void {
    forgetAeadKeys()
    wipe(this.#key)
    wipe(this.#iv)
    wipe(this.#nonce)
  }

  #nonceOf(counter: number): Uint8Array {
    const nonce = this.#nonce
    writeNonce(nonce, this.#iv, 0, counter)
    return nonce
  }
}

/** The secret of the next epoch; the caller wipes the old one when nothing needs it any more. */
export function nextDatagramSecret(secret: Uint8Array): Uint8Array {
  return nextSecret(secret)
}

export function checkSecret(secret: Uint8Array): Uint8Array {
  if (secret.length === datagramSecretBytes) return secret
  const message = `the secret has ${secret.length} bytes; give ${datagramSecretBytes} that are random or derived`
  throw new SessionError('SESSION_OPTION', message, { kind: 'usage' })
}

export function checkSender(sender: number): number {
  if (Number.isSafeInteger(sender) && sender >= 0 && sender < 2 ** 32) return sender
  const message = `the sender is ${sender}; give an integer from 0 to 2^32-1, another to each member`
  throw new SessionError('SESSION_OPTION', message, { kind: 'usage' })
}

/** Returns an integer from 1 to `max`, or throws. */
export function checkOption(name: string, value: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value
  const message = `${name} is ${value}; give an integer from 1 to ${max}`
  throw new SessionError('SESSION_OPTION', message, { kind: 'usage' })
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}
