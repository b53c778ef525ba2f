// HMAC by OpenSSL directly says what node:crypto says, for every length and cut, and where it cannot be had, or says
// something else, node:crypto does the work.

import assert from 'node:assert/strict'
import { createHmac, hkdfSync } from 'node:crypto'
import { test } from 'node:test'
import { loadNodeFfi, type NodeFfi } from '@myelin/base/system'
import { hkdf, hmac } from '@myelin/crypto'
import { verifies } from '@myelin/testkit'
import fc from 'fast-check'
import { hmacThatAgrees } from '../src/kdf.ts'
import { hmacOver, opensslHmac } from '../src/openssl-hmac.ts'

const ffi = loadNodeFfi()
const expected = (key: Uint8Array, data: Uint8Array) =>
  new Uint8Array(createHmac('sha256', key).update(data).digest())

test('any key over any parts gives the MAC of node:crypto, whichever engine makes it', () => {
  verifies('R026')
  const engine = opensslHmac()
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 140 }),
      fc.array(fc.uint8Array({ maxLength: 500 }), { maxLength: 4 }),
      (key, parts) => {
        const data = Buffer.concat(parts)
        assert.deepEqual(hmac('sha256', key, ...parts), expected(key, data))
        const mac = engine?.(key, parts)
        if (key.length > 64 || data.length > 960) assert.equal(mac, undefined)
        else if (engine !== undefined) assert.deepEqual(mac, expected(key, data))
      },
    ),
  )
})

test('HKDF over it is that of node:crypto', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      fc.uint8Array({ maxLength: 80 }),
      fc.uint8Array({ maxLength: 1024 }),
      fc.integer({ min: 1, max: 300 }),
      (ikm, salt, info, length) => {
        const reference = new Uint8Array(hkdfSync('sha256', ikm, salt, info, length))
        assert.deepEqual(hkdf('sha256', ikm, salt, info, length), reference)
      },
    ),
  )
})

test('an engine that says something else is not used', () => {
  const right = opensslHmac()
  if (right !== undefined) assert.equal(hmacThatAgrees(right), right)
  assert.equal(hmacThatAgrees(undefined), undefined)
  assert.equal(
    hmacThatAgrees(() => undefined),
    undefined,
  )
  const wrong = (key: Uint8Array, parts: readonly Uint8Array[]) => {
    const mac = expected(key, Buffer.concat(parts))
    mac[31] = (mac[31] as number) ^ (parts[1]?.length === 199 ? 1 : 0)
    return mac
  }
  assert.equal(hmacThatAgrees(wrong), undefined)
})

test('a Node whose OpenSSL is not to be reached has no engine', () => {
  const without = {
    dlopen: () => {
      throw new Error('dlsym failed: undefined symbol')
    },
  } as unknown as NodeFfi
  assert.equal(hmacOver(without), undefined)
  assert.equal(ffi === undefined, opensslHmac() === undefined)
})

test('nothing of a key or its data stays in the scratch memory', () => {
  if (ffi === undefined) return
  const seen: Uint8Array[] = []
  const watched = Object.assign(Object.create(ffi) as NodeFfi, {
    getRawPointer: (memory: Uint8Array) => {
      seen.push(memory)
      return ffi.getRawPointer(memory)
    },
  })
  const engine = hmacOver(watched)
  const mac = engine?.(new Uint8Array(64).fill(1), [new Uint8Array(960).fill(2)])
  assert.ok(mac?.some((byte) => byte !== 0))
  assert.equal(seen.length, 1)
  assert.ok(seen[0]?.every((byte) => byte === 0))
})
