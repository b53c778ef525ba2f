import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { hexEncode } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import {
  concealFields,
  Ed25519KeyPair,
  equalConstantTime,
  MlDsa87KeyPair,
  MlKem768KeyPair,
  P256KeyPair,
  SecretBytes,
  wipe,
  X25519KeyPair,
} from '@myelin/crypto'

test('a disposed secret is zeros and says so when asked', () => {
  const bytes = Uint8Array.of(1, 2, 3)
  const secret = new SecretBytes(bytes)
  assert.equal(secret.bytes, bytes)
  {
    using owned = secret
    assert.equal(owned.isDisposed, false)
  }
  assert.deepEqual(bytes, new Uint8Array(3))
  assert.equal(secret.isDisposed, true)
  assert.throws(() => secret.bytes, { code: 'CRYPTO_DISPOSED' })
  secret[Symbol.dispose]()
})

test('a secret put into a text by mistake is not told', () => {
  const secret = new SecretBytes(new Uint8Array(32).fill(0x61))
  assert.equal(`key: ${secret}`, 'key: [redacted]')
})

test('a value whose fields are concealed keeps them for use and shows them nowhere', () => {
  const token: Uint8Array | undefined = Uint8Array.of(0xab, 0xab)
  const value = concealFields({ name: 'alice', token, key: 'abab' }, 'token', 'key')
  assert.equal(value.token, token)
  assert.equal(value.key, 'abab')
  const shown = { name: 'alice', token: '[redacted]', key: '[redacted]' }
  assert.deepEqual(JSON.parse(JSON.stringify({ value })), { value: shown })
  assert.equal(inspect({ value }), inspect({ value: shown }))
  assert.deepEqual({ ...value }, { name: 'alice', token, key: 'abab' })
})

test('a concealed field that holds nothing is not shown as if it held a secret', () => {
  const value = concealFields<{ name: string; token?: string | undefined }>(
    { name: 'alice', token: undefined },
    'token',
  )
  assert.equal(JSON.stringify(value), '{"name":"alice"}')
})

test('wipe leaves zeros', () => {
  const bytes = systemRandom.fill(new Uint8Array(40))
  wipe(bytes)
  assert.deepEqual(bytes, new Uint8Array(40))
})

const seed = new Uint8Array(64).fill(0xab)
const holders = {
  SecretBytes: new SecretBytes(seed.slice()),
  X25519KeyPair: X25519KeyPair.fromSecret(seed.subarray(0, 32)),
  Ed25519KeyPair: Ed25519KeyPair.fromSeed(seed.subarray(0, 32)),
  P256KeyPair: P256KeyPair.fromSecret(seed.subarray(0, 32)),
  MlKem768KeyPair: MlKem768KeyPair.fromSeed(seed),
  MlDsa87KeyPair: MlDsa87KeyPair.fromSeed(seed.subarray(0, 32)),
}

for (const [name, holder] of Object.entries(holders)) {
  test(`${name} prints nothing of its secret`, () => {
    assert.equal(inspect(holder), `${name} [redacted]`)
    assert.equal(JSON.stringify({ holder }), '{"holder":"[redacted]"}')
    assert.doesNotMatch(
      inspect({ deep: { holder } }, { showHidden: true, depth: 9 }),
      /ab, ab|abab/,
    )
  })
}

test('a disposed key pair refuses every use of its secret', () => {
  const nothing = new Uint8Array(0)
  const x = X25519KeyPair.generate(systemRandom)
  const ed = Ed25519KeyPair.generate(systemRandom)
  const p = P256KeyPair.generate(systemRandom)
  const kem = MlKem768KeyPair.generate(systemRandom)
  const dsa = MlDsa87KeyPair.generate(systemRandom)
  for (const pair of [x, ed, p, kem, dsa]) pair[Symbol.dispose]()
  for (const use of [
    () => x.agree(x.publicKey),
    () => x.exportSecret(),
    () => ed.sign(nothing),
    () => ed.exportSeed(),
    () => p.agree(p.publicKey),
    () => kem.decapsulate(nothing),
    () => dsa.sign(nothing),
    () => dsa.exportSeed(),
  ]) {
    assert.throws(use, { code: 'CRYPTO_DISPOSED' })
  }
})

test('constant-time equality is equality', () => {
  const a = Uint8Array.of(1, 2, 3)
  assert.equal(equalConstantTime(a, a.slice()), true)
  assert.equal(equalConstantTime(a, Uint8Array.of(1, 2, 4)), false)
  assert.equal(equalConstantTime(a, Uint8Array.of(1, 2)), false)
  assert.equal(equalConstantTime(new Uint8Array(0), new Uint8Array(0)), true)
})

test('an exported secret is a copy that makes the same key', () => {
  const pair = X25519KeyPair.generate(systemRandom)
  const secret = pair.exportSecret()
  assert.deepEqual(X25519KeyPair.fromSecret(secret).publicKey, pair.publicKey)
  wipe(secret)
  assert.notEqual(hexEncode(pair.exportSecret()), hexEncode(secret))
})
