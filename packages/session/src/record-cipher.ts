// Sealing and opening records, one object per direction. The nonce is the IV xor a counter of records
// (RFC 8446 §5.3), which byte streams need not carry; the packet header is the associated data (B5). Keys
// move forward by `update`. State per direction: secret 32, key 32, iv 12, nonce 12, counter 8 bytes; the
// secret is only needed for updates, so what a record needs is 64 bytes (R065, B18).

import { createCipheriv } from 'node:crypto'
import { type Aead, aead, forgetAeadKeys, wipe } from '@myelin/crypto'
import { packetFlags, packetHeaderBytes, writePacketHeader } from '@myelin/wire'
import { recordBytesMax } from './limits.ts'
import type { SuiteName } from './negotiation.ts'
import { ivBytes, nextSecret, recordIv, recordKey } from './traffic-secrets.ts'

export const tagBytes = 16
/** What a record has on the wire beside its plaintext. */
export const sealedOverheadBytes = packetHeaderBytes + tagBytes
/** A full record on the wire. */
export const sealedRecordBytesMax = recordBytesMax + sealedOverheadBytes

class DirectionKeys {
  readonly aead: Aead
  key: Uint8Array
  readonly nonce = new Uint8Array(ivBytes)
  #secret: Uint8Array
  #iv: Uint8Array
  #counter = 0

  constructor(suite: SuiteName, secret: Uint8Array) {
    this.aead = aead(suite)
    this.#secret = secret
    this.key = recordKey(secret)
    this.#iv = recordIv(secret)
  }

  /** Sets `nonce` for the next record. A double counts exactly far beyond any rekey. */
  advance(): void {
    const iv = this.#iv
    const nonce = this.nonce
    nonce.set(iv)
    let rest = this.#counter
    for (let i = ivBytes - 1; rest > 0; i -= 1) {
      nonce[i] = (iv[i] as number) ^ (rest % 256)
      rest = Math.floor(rest / 256)
    }
    this.#counter += 1
  }

  update(): void {
    const next = nextSecret(this.#secret)
    this.wipe()
    this.#secret = next
    this.key = recordKey(next)
    this.#iv = recordIv(next)
    this.#counter = 0
  }

  wipe(): void {
    forgetAeadKeys()
    wipe(this.#secret)
    wipe(this.key)
    wipe(this.#iv)
    wipe(this.nonce)
  }
}

export class RecordSealer implements Disposable {
  readonly #keys: DirectionKeys

  /** Takes ownership of `secret`. */
  constructor(suite: SuiteName, secret: Uint8Array) {
    this.#keys = new DirectionKeys(suite, secret)
  }

  /** One packet: header ‖ ciphertext ‖ tag, in memory of its own. */
  seal(plaintext: Uint8Array, isCompressed: boolean): Uint8Array {
    const sealedBytes = plaintext.length + tagBytes
    const packet = Buffer.allocUnsafe(packetHeaderBytes + sealedBytes)
    writePacketHeader(packet, 0, flagsOf(isCompressed), sealedBytes)
    const keys = this.#keys
    keys.advance()
    keys.aead.sealInto(
      keys.key,
      keys.nonce,
      plaintext,
      packet.subarray(0, packetHeaderBytes),
      packet,
      packetHeaderBytes,
    )
    return packet
  }

  /**
   * The same packet in three pieces, each in memory of its own. For large records: `seal` would allocate and
   * copy as much as the cipher has just written.
   */
  sealParts(plaintext: Uint8Array, isCompressed: boolean): readonly Uint8Array[] {
    const header = new Uint8Array(packetHeaderBytes)
    writePacketHeader(header, 0, flagsOf(isCompressed), plaintext.length + tagBytes)
    const keys = this.#keys
    keys.advance()
    // Both suites go one way through Node; its types know this shape for GCM.
    const name = keys.aead.name as 'aes-256-gcm'
    const cipher = createCipheriv(name, keys.key, keys.nonce, { authTagLength: tagBytes })
    cipher.setAAD(header)
    const ciphertext = cipher.update(plaintext)
    cipher.final()
    return [header, ciphertext, cipher.getAuthTag()]
  }

  /** Moves to the next key; the old one is wiped. */
  update(): void {
    this.#keys.update()
  }

  [Symbol.dispose](): void {
    this.#keys.wipe()
  }
}

function flagsOf(isCompressed: boolean): number {
  return packetFlags.encrypted | (isCompressed ? packetFlags.compressed : 0)
}

export class RecordOpener implements Disposable {
  readonly #keys: DirectionKeys

  /** Takes ownership of `secret`. */
  constructor(suite: SuiteName, secret: Uint8Array) {
    this.#keys = new DirectionKeys(suite, secret)
  }

  /** Undefined: not the next record of this session as it was sealed. Nothing may be opened after that. */
  open(header: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    if (sealed.length < tagBytes) return undefined
    const keys = this.#keys
    keys.advance()
    return keys.aead.open(keys.key, keys.nonce, sealed, header)
  }

  update(): void {
    this.#keys.update()
  }

  [Symbol.dispose](): void {
    this.#keys.wipe()
  }
}
