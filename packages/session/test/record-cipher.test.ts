// Records against an independent computation: node:crypto with the nonce of RFC 8446 §5.3 and HKDF-Expand.

import assert from 'node:assert/strict'
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { verifies } from '@myelin/testkit'
import { packetFlags } from '@myelin/wire'
import type { SuiteName } from '../src/negotiation.ts'
import { RecordOpener, RecordSealer } from '../src/record-cipher.ts'
import { flip } from './interceptor.ts'

const suites: readonly SuiteName[] = [
  'aes-256-gcm',
  'chacha20-poly1305',
  'chacha20-poly1305+aes-256-gcm',
]

/** Cipher and label of its key. */
function cipherOf(suite: SuiteName, bytes: number): readonly [string, string] {
  if (suite !== 'chacha20-poly1305+aes-256-gcm') return [suite, 'myelin key']
  return bytes <= 2048 ? ['chacha20-poly1305', 'myelin short key'] : ['aes-256-gcm', 'myelin key']
}

/** RFC 5869 §2.3, one block. */
function expand(secret: Uint8Array, label: string, length: number): Buffer {
  return createHmac('sha256', secret)
    .update(label)
    .update(Uint8Array.of(1))
    .digest()
    .subarray(0, length)
}

/** The record with number `counter` as RFC 8446 §5.2 and §5.3 have it, but for the header. */
function expected(
  suite: SuiteName,
  secret: Uint8Array,
  counter: number,
  plaintext: Uint8Array,
  flags: number,
): Buffer {
  const header = Buffer.from([0xde, 0xad, 0xbe, 0xef, 1, flags, 0, 0, 0, 0])
  header.writeUInt32BE(plaintext.length + 16, 6)
  const nonce = expand(secret, 'myelin iv', 12)
  const padded = Buffer.alloc(12)
  padded.writeBigUInt64BE(BigInt(counter), 4)
  for (let i = 0; i < 12; i += 1) nonce[i] = (nonce[i] as number) ^ (padded[i] as number)
  const [name, label] = cipherOf(suite, plaintext.length)
  const cipher = createCipheriv(name as 'aes-256-gcm', expand(secret, label, 32), nonce, {
    authTagLength: 16,
  })
  cipher.setAAD(header)
  return Buffer.concat([header, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

const headerOf = (packet: Uint8Array) => packet.subarray(0, 10)
const bodyOf = (packet: Uint8Array) => packet.subarray(10)

test('a record in parts has the same bytes, and the next one counts on', () => {
  for (const suite of suites) {
    const secret = randomBytes(32)
    using sealer = new RecordSealer(suite, new Uint8Array(secret))
    for (const [counter, length] of [0, 1, 40_000].entries()) {
      const plaintext = randomBytes(length)
      const parts = Buffer.concat(sealer.sealParts(plaintext, false))
      assert.deepEqual(parts, expected(suite, secret, counter, plaintext, packetFlags.encrypted))
    }
  }
})

for (const suite of suites) {
  test(`${suite}: nonces count on across the bytes of the counter`, () => {
    const secret = randomBytes(32)
    const sealer = new RecordSealer(suite, Uint8Array.from(secret))
    const opener = new RecordOpener(suite, Uint8Array.from(secret))
    const compared = new Set([0, 1, 254, 255, 256, 257, 65_534, 65_535, 65_536, 65_537])
    for (let counter = 0; counter <= 65_537; counter += 1) {
      const plaintext = Uint8Array.of(counter & 255, counter >> 8)
      const packet = sealer.seal(plaintext, false)
      const opened = opener.open(headerOf(packet), bodyOf(packet))
      if (!compared.has(counter)) continue
      assert.deepEqual(
        Buffer.from(packet),
        expected(suite, secret, counter, plaintext, 2),
        `record ${counter}`,
      )
      assert.deepEqual(Buffer.from(opened as Uint8Array), Buffer.from(plaintext))
    }
  })

  test(`${suite}: records of all lengths under one counter`, () => {
    const secret = randomBytes(32)
    const sealer = new RecordSealer(suite, Uint8Array.from(secret))
    const opener = new RecordOpener(suite, Uint8Array.from(secret))
    for (const [counter, length] of [2_047, 2_049, 0, 65_536, 2_048, 4_096].entries()) {
      const plaintext = randomBytes(length)
      const packet = sealer.seal(plaintext, false)
      assert.deepEqual(Buffer.from(packet), expected(suite, secret, counter, plaintext, 2))
      const opened = opener.open(headerOf(packet), bodyOf(packet)) as Uint8Array
      assert.deepEqual(Buffer.from(opened), plaintext)
    }
  })

  test(`${suite}: flags and length are sealed with the record`, () => {
    verifies('R151')
    const secret = randomBytes(32)
    for (const isCompressed of [false, true]) {
      for (let at = 0; at < 10; at += 1) {
        const packet = new RecordSealer(suite, Uint8Array.from(secret)).seal(
          new Uint8Array(40),
          isCompressed,
        )
        assert.equal(packet[5], isCompressed ? 3 : packetFlags.encrypted)
        const opener = () => new RecordOpener(suite, Uint8Array.from(secret))
        assert.ok(opener().open(headerOf(packet), bodyOf(packet)) !== undefined)
        assert.equal(
          opener().open(flip(headerOf(packet), at), bodyOf(packet)),
          undefined,
          `header byte ${at}`,
        )
      }
    }
  })

  test(`${suite}: every byte of a record counts`, () => {
    const secret = randomBytes(32)
    const packet = new RecordSealer(suite, Uint8Array.from(secret)).seal(randomBytes(33), false)
    for (let at = 0; at < bodyOf(packet).length; at += 1) {
      const opener = new RecordOpener(suite, Uint8Array.from(secret))
      assert.equal(opener.open(headerOf(packet), flip(bodyOf(packet), at)), undefined)
    }
  })

  test(`${suite}: a key update derives the next key from the last and starts to count anew`, () => {
    verifies('R029')
    const secret = randomBytes(32)
    const sealer = new RecordSealer(suite, Uint8Array.from(secret))
    const opener = new RecordOpener(suite, Uint8Array.from(secret))
    let current: Uint8Array = secret
    for (let generation = 0; generation < 3; generation += 1) {
      for (let counter = 0; counter < 3; counter += 1) {
        const plaintext = Uint8Array.of(generation, counter)
        const packet = sealer.seal(plaintext, false)
        assert.deepEqual(Buffer.from(packet), expected(suite, current, counter, plaintext, 2))
        assert.deepEqual(
          Buffer.from(opener.open(headerOf(packet), bodyOf(packet)) as Uint8Array),
          Buffer.from(plaintext),
        )
      }
      sealer.update()
      opener.update()
      current = expand(current, 'myelin key update', 32)
    }
  })

  test(`${suite}: who updates alone is not understood`, () => {
    const secret = randomBytes(32)
    const sealer = new RecordSealer(suite, Uint8Array.from(secret))
    const opener = new RecordOpener(suite, Uint8Array.from(secret))
    sealer.update()
    const packet = sealer.seal(Uint8Array.of(1), false)
    assert.equal(opener.open(headerOf(packet), bodyOf(packet)), undefined)
  })

  test(`${suite}: an empty record is a tag alone`, () => {
    const secret = randomBytes(32)
    const packet = new RecordSealer(suite, Uint8Array.from(secret)).seal(new Uint8Array(0), false)
    assert.equal(packet.length, 26)
    const [name, label] = cipherOf(suite, 0)
    const decipher = createDecipheriv(
      name as 'aes-256-gcm',
      expand(secret, label, 32),
      expand(secret, 'myelin iv', 12),
      { authTagLength: 16 },
    )
    decipher.setAAD(headerOf(packet))
    decipher.setAuthTag(bodyOf(packet))
    assert.equal(Buffer.concat([decipher.update(new Uint8Array(0)), decipher.final()]).length, 0)
  })
}

test('sessions share memory for their keys and nothing else', () => {
  const secrets = Array.from({ length: 200 }, () => randomBytes(32))
  const pairs = secrets.map((secret) => ({
    sealer: new RecordSealer('chacha20-poly1305+aes-256-gcm', Uint8Array.from(secret)),
    opener: new RecordOpener('chacha20-poly1305+aes-256-gcm', Uint8Array.from(secret)),
  }))
  // Every other one ends, twice, and others take its memory.
  for (const { sealer } of pairs.filter((_, i) => i % 2 === 0)) {
    sealer[Symbol.dispose]()
    sealer[Symbol.dispose]()
  }
  const late = Array.from({ length: 100 }, () => {
    return new RecordSealer('aes-256-gcm', Uint8Array.from(randomBytes(32)))
  })
  for (const sealer of late) sealer.update()
  for (const { sealer, opener } of pairs.filter((_, i) => i % 2 === 1)) {
    const packet = sealer.seal(Uint8Array.of(1, 2, 3), false)
    assert.deepEqual(opener.open(headerOf(packet), bodyOf(packet))?.slice(), Uint8Array.of(1, 2, 3))
  }
})

test('the secret belongs to the sealer: it is wiped with it and with an update', () => {
  for (const end of [
    (sealer: RecordSealer) => sealer.update(),
    (sealer: RecordSealer) => sealer[Symbol.dispose](),
  ]) {
    const secret = Uint8Array.from(randomBytes(32))
    const sealer = new RecordSealer('aes-256-gcm', secret)
    end(sealer)
    assert.deepEqual(secret, new Uint8Array(32))
  }
})
