import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePattern, parseProtocolName, patternNames } from '@myelin/crypto'

function messagesOf(name: string): string {
  const parsed = parsePattern(name)
  assert.ok(parsed.ok, name)
  return parsed.value.messages.map((tokens) => tokens.join(' ')).join(' / ')
}

test('revision 34 has 3 one-way, 12 interactive and 23 deferred patterns', () => {
  const count = (shape: RegExp) => patternNames.filter((name) => shape.test(name)).length
  assert.equal(count(/^[NKX]$/), 3)
  assert.equal(count(/^[NKXI][NKX]$/), 12)
  assert.equal(count(/1/), 23)
  assert.equal(patternNames.length, 38)
})

test('hfs puts e1 and ekem1 where the specification of the modifier has them', () => {
  // noise_hfs §5. Its table has two slips against its own text, which holds: KK's e1 stands after
  // the DH that follows e, as in XK, NK and IK; IN's second message keeps its ee.
  const table = {
    NNhfs: 'e e1 / e ee ekem1',
    NKhfs: 'e es e1 / e ee ekem1',
    NXhfs: 'e e1 / e ee ekem1 s es',
    XNhfs: 'e e1 / e ee ekem1 / s se',
    XKhfs: 'e es e1 / e ee ekem1 / s se',
    XXhfs: 'e e1 / e ee ekem1 s es / s se',
    KNhfs: 'e e1 / e ee ekem1 se',
    KKhfs: 'e es e1 ss / e ee ekem1 se',
    KXhfs: 'e e1 / e ee ekem1 se s es',
    INhfs: 'e e1 s / e ee ekem1 se',
    IKhfs: 'e es e1 s ss / e ee ekem1 se',
    IXhfs: 'e e1 s / e ee ekem1 se s es',
  }
  for (const [name, messages] of Object.entries(table))
    assert.equal(messagesOf(name), messages, name)
})

test('psk modifiers go to the ends that §9.4 names, together and with hfs', () => {
  assert.equal(messagesOf('NNpsk0'), 'psk e / e ee')
  assert.equal(messagesOf('Xpsk1'), 'e es s ss psk')
  assert.equal(messagesOf('XXpsk0+psk3'), 'psk e / e ee s es / s se psk')
  assert.equal(messagesOf('XXhfs+psk2'), 'e e1 / e ee ekem1 s es psk / s se')
  assert.equal(messagesOf('XXpsk0+hfs'), 'psk e e1 / e ee ekem1 s es / s se')
})

test('what is known beforehand is told apart from what is sent', () => {
  const known = (name: string) => {
    const parsed = parsePattern(name)
    assert.ok(parsed.ok)
    return [parsed.value.knowsInitiator, parsed.value.knowsResponder, parsed.value.isOneWay]
  }
  assert.deepEqual(known('XX'), [false, false, false])
  assert.deepEqual(known('XK'), [false, true, false])
  assert.deepEqual(known('KN'), [true, false, false])
  assert.deepEqual(known('KK1'), [true, true, false])
  assert.deepEqual(known('K'), [true, true, true])
  assert.deepEqual(known('N'), [false, true, true])
})

test('unknown patterns and modifiers are a fault', () => {
  for (const bad of [
    '',
    'YY',
    'xx',
    'XXpsk4',
    'XXpsk',
    'XXpsk01',
    'XXpsk2+psk2',
    'XX+psk2',
    'XXpsk2+',
    'XXfallback',
    'XXhfs+hfs',
    'Nhfs',
    'Npsk2',
    'constructor',
    'CONSTRUCTOR',
  ]) {
    assert.deepEqual(parsePattern(bad), { ok: false, fault: 'noise_pattern_unknown' }, bad)
  }
})

test('a protocol name is its five parts, and a KEM stands there exactly with hfs', () => {
  const parsed = parseProtocolName('Noise_XKhfs_25519+MLKEM768_AESGCM_BLAKE2b')
  assert.equal(parsed.dh.publicBytes, 32)
  assert.equal(parsed.kem?.ciphertextBytes, 1088)
  assert.equal(parsed.cipher.aead.name, 'aes-256-gcm')
  assert.equal(parsed.hash, 'blake2b')
  for (const bad of [
    'Noise_XX_25519_ChaChaPoly',
    'Noise_XX_25519_ChaChaPoly_SHA256_more',
    'noise_XX_25519_ChaChaPoly_SHA256',
    'Noise_YY_25519_ChaChaPoly_SHA256',
    'Noise_XX_448_ChaChaPoly_SHA256',
    'Noise_XX_toString_ChaChaPoly_SHA256',
    'Noise_XX_25519_AES_SHA256',
    'Noise_XX_25519_ChaChaPoly_MD5',
    'Noise_XX_25519+MLKEM768_ChaChaPoly_SHA256',
    'Noise_XXhfs_25519_ChaChaPoly_SHA256',
    'Noise_XXhfs_25519+ML-KEM-768_ChaChaPoly_SHA256',
    'Noise_XXhfs_25519+MLKEM768+MLKEM768_ChaChaPoly_SHA256',
    `Noise_XX_25519_ChaChaPoly_SHA256${'x'.repeat(300)}`,
  ]) {
    assert.throws(() => parseProtocolName(bad), { code: 'CRYPTO_NOISE_NAME' }, bad)
  }
})
