// R031: keys come from the random port, which is the operating system's generator, and from nothing
// else.

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { systemRandom } from '@myelin/base/system'
import {
  Ed25519KeyPair,
  MlDsa87KeyPair,
  MlKem768KeyPair,
  P256KeyPair,
  SecretBytes,
  X25519KeyPair,
} from '@myelin/crypto'
import { verifies } from '@myelin/testkit'
import { bytesOf, scriptedRandom } from './scripted-random.ts'

verifies('R031', 'R147')

test('each kind of key is made of exactly the bytes of the random port, and of all of them', () => {
  const generators = {
    32: [X25519KeyPair, Ed25519KeyPair, P256KeyPair, MlDsa87KeyPair],
    64: [MlKem768KeyPair],
  }
  for (const [length, kinds] of Object.entries(generators)) {
    for (const kind of kinds) {
      const script = Uint8Array.from({ length: Number(length) }, (_, i) => i + 1)
      const random = scriptedRandom(script)
      const made = kind.generate(random)
      assert.equal(random.remaining(), 0)
      assert.deepEqual(kind.generate(scriptedRandom(script)).publicKey, made.publicKey)
      const other = script.with(8, 99)
      assert.notDeepEqual(kind.generate(scriptedRandom(other)).publicKey, made.publicKey)
    }
  }
  const secret = SecretBytes.generate(scriptedRandom(bytesOf(7, 5)), 5)
  assert.deepEqual(secret.bytes, bytesOf(7, 5))
})

test('a P-256 key draws again while the bytes are no scalar', () => {
  const random = scriptedRandom(bytesOf(0xff, 32), bytesOf(0, 32), bytesOf(5, 32))
  const pair = P256KeyPair.generate(random)
  assert.deepEqual(pair.publicKey, P256KeyPair.fromSecret(bytesOf(5, 32)).publicKey)
})

test('the system port fills every byte, differently each time', () => {
  const draws = Array.from({ length: 8 }, () => systemRandom.fill(new Uint8Array(64)))
  assert.equal(new Set(draws.map((draw) => draw.join())).size, draws.length)
  const positions = draws[0]?.map((_, i) => new Set(draws.map((draw) => draw[i])).size)
  assert.ok(positions?.every((distinct) => distinct > 1))
})

test('no source of the packages calls Math.random, and crypto asks no generator but the port', () => {
  const root = resolve(import.meta.dirname, '../../..')
  const sources = globSync('packages/*/src/**/*.ts', { cwd: root })
  assert.ok(sources.length > 20)
  const forbidden = /\bMath\s*\.\s*random\b/
  const inCrypto = /\b(?:randomBytes|randomFill(?:Sync)?|randomInt|randomUUID|getRandomValues)\b/
  for (const path of sources) {
    const text = readFileSync(join(root, path), 'utf8')
    assert.doesNotMatch(text, forbidden, path)
    if (path.includes('packages/crypto/')) assert.doesNotMatch(text, inCrypto, path)
  }
  const system = readFileSync(join(root, 'packages/base/src/system.ts'), 'utf8')
  assert.match(system, /randomFillSync\(target\)/)
})
