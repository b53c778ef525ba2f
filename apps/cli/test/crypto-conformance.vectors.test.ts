// The suites of others over the product's cryptography, each case counted: a loop that ran over
// nothing, or a skip that nobody decided on, fails here.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sharedPath, skipWithout, verifies } from '@myelin/testkit'
import { blake3 } from '../src/conformance/blake3.ts'
import { cctv } from '../src/conformance/cctv.ts'
import { noise } from '../src/conformance/noise.ts'
import type { CaseOutcome, Suite } from '../src/conformance/suite.ts'
import { wycheproof } from '../src/conformance/wycheproof.ts'

function run(suite: Suite): readonly CaseOutcome[] {
  const directory = sharedPath(`vectors/${suite.name}`)
  assert.ok(directory)
  return [...suite.run(directory)]
}

function failures(outcomes: readonly CaseOutcome[]): readonly CaseOutcome[] {
  return outcomes.filter(({ outcome }) => outcome === 'failed')
}

function countBy(outcomes: readonly CaseOutcome[], key: (outcome: CaseOutcome) => string) {
  const counts: Record<string, number> = {}
  for (const outcome of outcomes) counts[key(outcome)] = (counts[key(outcome)] ?? 0) + 1
  return counts
}

const skips = (outcomes: readonly CaseOutcome[]) =>
  outcomes.filter(({ outcome }) => outcome === 'skipped')

test('Noise: all 725 vectors pass, P-256 and XChaChaPoly among them', {
  skip: skipWithout('vectors/noise'),
}, () => {
  const outcomes = run(noise)
  assert.deepEqual(failures(outcomes), [])
  assert.deepEqual(skips(outcomes), [])
  assert.deepEqual(
    countBy(outcomes, ({ file }) => file),
    { 'cacophony.json': 315, 'snow.json': 272, 'snow-extended.json': 136, 'bitchat.json': 2 },
  )
})

test('BLAKE3: all 24 vectors pass in three modes', { skip: skipWithout('vectors/blake3') }, () => {
  verifies('R287')
  const outcomes = run(blake3)
  assert.deepEqual(failures(outcomes), [])
  assert.deepEqual(
    countBy(outcomes, ({ outcome }) => outcome),
    { passed: 24 },
  )
})

test('CCTV: the accept set of Ed25519, ML-KEM-768 and ML-DSA-87 hold in all 673 cases', {
  skip: skipWithout('vectors/cctv'),
}, () => {
  verifies('R027', 'R287')
  const outcomes = run(cctv)
  assert.deepEqual(failures(outcomes), [])
  assert.deepEqual(skips(outcomes), [])
  assert.deepEqual(
    countBy(outcomes, ({ file }) => file),
    {
      'ed25519vectors.json': 610,
      'ML-KEM__modulus__ML-KEM-768.txt': 60,
      'ML-KEM__intermediate__ML-KEM-768.txt': 1,
      'ML-KEM__unluckysample__ML-KEM-768.txt': 1,
      'ML-DSA__benchmark__ML-DSA-87.json': 1,
    },
  )
})

test('Wycheproof: 3,983 cases run, none fails, and every skip has its reason', {
  skip: skipWithout('vectors/wycheproof'),
}, () => {
  verifies('R024', 'R025', 'R026', 'R027', 'R028', 'R146', 'R251', 'R287')
  const outcomes = run(wycheproof)
  assert.deepEqual(failures(outcomes), [])
  assert.deepEqual(
    countBy(outcomes, ({ file }) => file.replace('_test.json', '')),
    {
      aes_gcm: 211,
      aes_gcm_siv: 135,
      chacha20_poly1305: 217,
      ecdh_secp256r1: 408,
      ecdsa_secp256r1_sha256: 323,
      ed25519: 101,
      hkdf_sha256: 58,
      hkdf_sha512: 56,
      hmac_sha256: 116,
      mldsa_65_verify: 140,
      mldsa_87_sign_seed: 64,
      mldsa_87_verify: 161,
      mlkem_768: 129,
      mlkem_768_encaps: 177,
      mlkem_768_keygen_seed: 67,
      mlkem_768_semi_expanded_decaps: 6,
      x25519: 346,
      x25519_asn: 358,
      x25519_jwk: 354,
      x25519_pem: 346,
      xchacha20_poly1305: 210,
    },
  )
  assert.equal(outcomes.length, 3983)
  assert.deepEqual(
    countBy(skips(outcomes), ({ file, reason }) => `${file}: ${reason}`),
    {
      'aes_gcm_test.json: the product has 256-bit AES keys alone': 143,
      'aes_gcm_test.json: the product has 96-bit nonces alone': 23,
      'aes_gcm_siv_test.json: the product has 256-bit AES keys alone': 66,
      'mlkem_768_encaps_test.json: the random message of an encapsulation cannot be prescribed to OpenSSL': 89,
      'mldsa_87_sign_seed_test.json: OpenSSL signs hedged, so the bytes of a signature cannot be prescribed': 49,
      'mldsa_87_sign_seed_test.json: the product does not sign a prepared digest (mu)': 12,
    },
  )
})

/** The outcomes of a suite over a folder that holds one file. */
function runOver(suite: Suite, file: string, content: unknown): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'myelin-conformance-'))
  try {
    writeFileSync(
      join(directory, file),
      typeof content === 'string' ? content : JSON.stringify(content),
    )
    return [...suite.run(directory)].map(
      ({ name, outcome, reason }) => `${name} ${outcome} ${reason}`,
    )
  } finally {
    rmSync(directory, { recursive: true })
  }
}

test('a wrong vector fails, with its reason, in every suite; an empty folder has no cases', () => {
  const zeros = '00'.repeat(32)
  for (const suite of [noise, blake3, cctv, wycheproof]) {
    assert.deepEqual(runOver(suite, 'nothing.txt', ''), [])
  }
  const message = { payload: '', ciphertext: '00' }
  const vector = {
    protocol_name: 'Noise_NN_25519_ChaChaPoly_SHA256',
    init_prologue: '',
    resp_prologue: '',
  }
  assert.deepEqual(
    runOver(noise, 'snow.json', {
      vectors: [{ ...vector, init_ephemeral: zeros, messages: [message] }],
    }),
    [`0 ${vector.protocol_name} failed message 0 differs`],
  )
  const digest = { input_len: 0, hash: zeros, keyed_hash: zeros, derive_key: zeros }
  assert.deepEqual(
    runOver(blake3, 'test_vectors.json', {
      key: 'k'.repeat(32),
      context_string: '',
      cases: [digest],
    }),
    ['input_len 0 failed hash, 32 bytes: differs from the vector'],
  )
  assert.deepEqual(
    runOver(cctv, 'ed25519vectors.json', [
      { number: 7, key: zeros, sig: zeros + zeros, msg: '', flags: null },
    ]),
    ['7 failed refused with flags '],
  )
  const forged = {
    tcId: 1,
    key: zeros,
    iv: '00'.repeat(12),
    aad: '',
    msg: '',
    ct: '',
    tag: '00'.repeat(16),
  }
  const tests = [
    { ...forged, result: 'valid' },
    { ...forged, tcId: 2, result: 'invalid' },
    { ...forged, tcId: 3, tag: '530f8afbc74536b9a963b4f1c4cb738b', result: 'invalid' },
    { ...forged, tcId: 4, tag: 'zz', result: 'invalid' },
  ]
  assert.deepEqual(
    runOver(wycheproof, 'aes_gcm_test.json', { testGroups: [{ keySize: 256, ivSize: 96, tests }] }),
    [
      '1 failed seal: differs from the vector',
      '2 passed undefined',
      '3 failed open: accepted, though invalid',
      '4 failed threw a vector holds "zz", which is not hex',
    ],
  )
})
