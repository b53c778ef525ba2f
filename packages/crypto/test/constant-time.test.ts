// Comparisons of secrets (R004). Their time is measured by `npm run dudect`; here stands what can be seen without
// a clock: there is one comparison for secrets, it rests on OpenSSL's, and nothing else compares what is secret.

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { equalConstantTime } from '@myelin/crypto'
import { verifies } from '@myelin/testkit'

verifies('R004', 'R100')

const root = resolve(import.meta.dirname, '../../..')
const sources = globSync('packages/*/src/**/*.ts', { cwd: root })
  .filter((path) => !path.startsWith('packages/testkit/'))
  .sort()
const textOf = (path: string) => readFileSync(join(root, path), 'utf8')

/** Lines of code, without comments, that match. */
function linesWith(pattern: RegExp): string[] {
  return sources.flatMap((path) =>
    textOf(path)
      .split('\n')
      .filter((line) => !/^\s*(?:\/\/|\*|\/\*)/.test(line) && pattern.test(line))
      .map((line) => `${path}: ${line.trim()}`),
  )
}

test('every position of a difference, and every number of them, is seen', () => {
  for (const length of [0, 1, 12, 16, 32, 64]) {
    const secret = Uint8Array.from({ length }, (_, i) => i * 37)
    assert.equal(equalConstantTime(secret, secret.slice()), true)
    for (let at = 0; at < length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const guess = secret.slice()
        guess[at] = (guess[at] as number) ^ (1 << bit)
        assert.equal(equalConstantTime(secret, guess), false, `byte ${at}, bit ${bit}`)
      }
    }
  }
})

test('the comparison of secrets is OpenSSL’s, and the only one that calls it', () => {
  assert.deepEqual(linesWith(/timingSafeEqual/), [
    "packages/crypto/src/equal.ts: import { timingSafeEqual } from 'node:crypto'",
    'packages/crypto/src/equal.ts: return a.length === b.length && timingSafeEqual(a, b)',
  ])
})

test('challenges and proven keys are compared in constant time', () => {
  const uses = linesWith(/equalConstantTime\(/).join('\n')
  assert.match(uses, /handshake\.ts: if \(!equalConstantTime\(answer, this\.#progress\.challenge\)/)
  assert.match(uses, /!equalConstantTime\(record\.staticKey, provenStaticKey\)/)
})

/** What is compared byte by byte, and why nobody can learn a secret from its time. */
const publicComparisons: Readonly<Record<string, string>> = {
  'packages/crypto/src/aead.ts': 'the constants with which two engines are compared at the start',
  'packages/crypto/src/kdf.ts': 'MACs under constant keys, when engines are compared',
  'packages/crypto/src/key-encoding.ts': 'the DER prefix of an algorithm',
  'packages/identity/src/agent-id.ts': 'the prefix of an agent id',
  'packages/identity/src/join-token.ts':
    'a checksum against typing errors, which its reader can compute',
  'packages/identity/src/signed-envelope.ts': 'public keys',
  'packages/learning/src/checkpoint.ts': 'the digest of a plan, from the own disk',
  'packages/session/src/resumptions.ts': 'our own peer record, as it was and as it is',
  'packages/transport/src/quic-native.ts': 'the DER head of a public key in a certificate',
  'packages/transport/src/shm-handshake.ts':
    'the mark of a segment, which whoever may open it can read',
  'packages/wire/src/msgpack-scan.ts': 'the name of a map’s key',
}

test('what is compared byte by byte is public', () => {
  const uses = linesWith(/equalBytes\(|Buffer\.compare\(|\.compare\(|\.equals\(/)
  const paths = new Set(uses.map((use) => use.slice(0, use.indexOf(':'))))
  // Where the function itself is.
  paths.delete('packages/base/src/bytes.ts')
  assert.deepEqual([...paths].sort(), Object.keys(publicComparisons))
})

test('tags are checked by the cipher itself, never in JavaScript', () => {
  const tags = linesWith(/getAuthTag|setAuthTag/)
  assert.ok(tags.length > 0)
  for (const line of tags) assert.doesNotMatch(line, /===|!==|equal|compare/i)
})
