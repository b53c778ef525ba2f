// Sealing and opening records, one object per direction. The nonce is the IV xor a counter of records
// (RFC 8446 §5.3), which byte streams need not carry; the packet header is the associated data (B5). Keys
// move forward by `update`. A suite of two ciphers has a key for each and takes the one that is faster for the length
// of the record, which the header tells: short records in WebAssembly, long ones with the processor's AES.
//
// State per direction: secret 32, key 32, short key 32, iv 12, counter 8 bytes; the secret is only needed for
// updates, so what a record needs is at most 84 bytes (R065, B18).

import { createCipheriv } from 'node:crypto'
import { type Aead, aead, forgetAeadKeys, wipe } from '@myelin/crypto'
import { packetFlags, packetHeaderBytes, writePacketHeader } from '@myelin/wire'
import { KeySlots } from './key-slots.ts'
import { recordBytesMax } from './limits.ts'
import { type SuiteName, suiteCiphers } from './negotiation.ts'
import {
  ivBytes,
  keyBytes,
  nextSecret,
  recordIv,
  recordKey,
  secretBytes,
  shortRecordKey,
  writeNonce,
} from './traffic-secrets.ts'

export const tagBytes = 16
/** What a record has on the wire beside its plaintext. */
export const sealedOverheadBytes = packetHeaderBytes + tagBytes
/** A full record on the wire. */
export const sealedRecordBytesMax = recordBytesMax + sealedOverheadBytes

/** The longest plaintext that a suite of two ciphers seals with the one for short records. */
export const shortRecordBytesMax = 2048

/** secret ‖ key ‖ short key ‖ iv. */
const [keyAt, shortKeyAt, ivAt] = [
  secretBytes,
  secretBytes + keyBytes,
  secretBytes + 2 * keyBytes,
] as const
const slots = new KeySlots(ivAt + ivBytes)
/** Of the record that is being sealed or opened, by whichever session: a cipher gives way to nobody. */
const nonce = new Uint8Array(ivBytes)

class DirectionKeys {
  readonly #long: Aead
  readonly #short: Aead
  #slot: Uint8Array
  #key: Uint8Array
  #shortKey: Uint8Array
  #counter = 0
  #isWiped = false

  constructor(suite: SuiteName, secret: Uint8Array) {
    const [short, long] = suiteCiphers[suite]
    this.#long = aead(long)
    this.#short = aead(short)
    this.#slot = slots.take()
    this.#key = this.#slot.subarray(keyAt, shortKeyAt)
    this.#shortKey = short === long ? this.#key : this.#slot.subarray(shortKeyAt, ivAt)
    this.#fill(secret)
  }

  /** By the length of the plaintext. */
  aead(bytes: number): Aead {
    return bytes > shortRecordBytesMax ? this.#long : this.#short
  }

  key(bytes: number): Uint8Array {
    return bytes > shortRecordBytesMax ? this.#key : this.#shortKey
  }

  /** The nonce of the next record, good until anybody asks for another. */
  advance(): Uint8Array {
    writeNonce(nonce, this.#slot, ivAt, this.#counter)
    this.#counter += 1
    return nonce
  }

  update(): void {
    const next = nextSecret(this.#slot.subarray(0, secretBytes))
    forgetAeadKeys()
    this.#slot.fill(0)
    this.#fill(next)
    this.#counter = 0
  }

  wipe(): void {
    if (this.#isWiped) return
    this.#isWiped = true
    forgetAeadKeys()
    wipe(nonce)
    slots.give(this.#slot)
    // The slot will be somebody else's: whoever still asks gets zeros.
    this.#slot = new Uint8Array(ivAt + ivBytes)
    this.#key = this.#slot.subarray(keyAt, shortKeyAt)
    this.#shortKey = this.#key
  }

  /** Wipes `secret`. */
  #fill(secret: Uint8Array): void {
    this.#slot.set(secret)
    this.#put(recordKey(secret), keyAt)
    if (this.#shortKey !== this.#key) this.#put(shortRecordKey(secret), shortKeyAt)
    this.#put(recordIv(secret), ivAt)
    wipe(secret)
  }

  #put(bytes: Uint8Array, at: number): void {
    this.#slot.set(bytes, at)
    wipe(bytes)
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
    const { length } = plaintext
    keys
      .aead(length)
      .sealInto(
        keys.key(length),
        keys.advance(),
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
    const { length } = plaintext
    // Both ciphers go one way through Node; its types know this shape for GCM.
    const name = keys.aead(length).name as 'aes-256-gcm'
    const cipher = createCipheriv(name, keys.key(length), keys.advance(), {
      authTagLength: tagBytes,
    })
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
    const length = sealed.length - tagBytes
    return keys.aead(length).open(keys.key(length), keys.advance(), sealed, header)
  }

  update(): void {
    this.#keys.update()
  }

  [Symbol.dispose](): void {
    this.#keys.wipe()
  }
}
