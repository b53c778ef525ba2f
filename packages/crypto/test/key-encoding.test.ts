import assert from 'node:assert/strict'
import { createECDH, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { concatBytes } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import {
  decodeJwk,
  decodePem,
  decodePkcs8,
  decodeSpki,
  encodePkcs8,
  encodeSpki,
  isAcceptableP256,
  P256KeyPair,
  verifyEcdsaP256,
} from '@myelin/crypto'

for (const kind of ['x25519', 'ed25519'] as const) {
  test(`${kind}: the encodings are those of OpenSSL, and come back`, () => {
    const { publicKey, privateKey } =
      kind === 'x25519' ? generateKeyPairSync('x25519') : generateKeyPairSync('ed25519')
    const spki = publicKey.export({ format: 'der', type: 'spki' })
    const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' })
    const raw = decodeSpki(kind, spki)
    const secret = decodePkcs8(kind, pkcs8)
    assert.ok(raw && secret)
    assert.deepEqual(raw, new Uint8Array(publicKey.export({ format: 'raw-public' })))
    assert.deepEqual(Buffer.from(encodeSpki(kind, raw)), spki)
    assert.deepEqual(Buffer.from(encodePkcs8(kind, secret)), pkcs8)
    const jwk = privateKey.export({ format: 'jwk' }) as Record<string, unknown>
    assert.deepEqual(decodeJwk(kind, jwk, 'x'), raw)
    assert.deepEqual(decodeJwk(kind, jwk, 'd'), secret)
    const publicPem = publicKey.export({ format: 'pem', type: 'spki' }) as string
    const privatePem = privateKey.export({ format: 'pem', type: 'pkcs8' }) as string
    assert.deepEqual(decodePem('PUBLIC KEY', publicPem), new Uint8Array(spki))
    assert.deepEqual(decodePem('PRIVATE KEY', privatePem), new Uint8Array(pkcs8))
  })
}

test('another kind, a missing or a trailing byte is no key', () => {
  const spki = encodeSpki('ed25519', new Uint8Array(32).fill(9))
  assert.equal(decodeSpki('x25519', spki), undefined)
  assert.equal(decodeSpki('ed25519', spki.subarray(0, -1)), undefined)
  assert.equal(decodeSpki('ed25519', concatBytes(spki, Uint8Array.of(0))), undefined)
  // OpenSSL takes the trailing byte, which is why the lengths are checked here.
  const trailing = Buffer.concat([spki, Buffer.of(0)])
  assert.ok(createPublicKey({ key: trailing, format: 'der', type: 'spki' }))
  assert.throws(() => encodeSpki('ed25519', new Uint8Array(31)), { code: 'CRYPTO_LENGTH' })
})

test('a JWK of another type, curve or length is no key', () => {
  const jwk = { kty: 'OKP', crv: 'X25519', x: Buffer.alloc(32, 3).toString('base64url') }
  assert.ok(decodeJwk('x25519', jwk, 'x'))
  assert.equal(decodeJwk('x25519', jwk, 'd'), undefined)
  assert.equal(decodeJwk('ed25519', jwk, 'x'), undefined)
  assert.equal(decodeJwk('x25519', { ...jwk, kty: 'EC' }, 'x'), undefined)
  assert.equal(decodeJwk('x25519', { ...jwk, x: `${jwk.x}AA` }, 'x'), undefined)
  assert.equal(decodeJwk('x25519', { ...jwk, x: 5 }, 'x'), undefined)
})

test('PEM with another label, broken lines or foreign characters is refused', () => {
  const good = '-----BEGIN PUBLIC KEY-----\nAQID\n-----END PUBLIC KEY-----\n'
  assert.deepEqual(decodePem('PUBLIC KEY', good), Uint8Array.of(1, 2, 3))
  assert.deepEqual(decodePem('PUBLIC KEY', good.replaceAll('\n', '\r\n')), Uint8Array.of(1, 2, 3))
  for (const bad of [
    '',
    good.replace('PUBLIC', 'PRIVATE'),
    good.replace('AQID', 'AQ\nID'),
    good.replace('AQID', 'AQI'),
    good.replace('AQID', 'AQI!'),
    good.replace('AQID', 'AR=='),
    good.replace('AQID\n', ''),
    `x${good}`,
    `${good}x`,
  ]) {
    assert.equal(decodePem('PUBLIC KEY', bad), undefined, JSON.stringify(bad))
  }
})

test('P-256 agrees with OpenSSL and refuses what is no point', () => {
  const pair = P256KeyPair.generate(systemRandom)
  const peer = createECDH('prime256v1')
  const peerPublic = new Uint8Array(peer.generateKeys())
  assert.deepEqual(pair.agree(peerPublic), new Uint8Array(peer.computeSecret(pair.publicKey)))
  const offCurve = peerPublic.with(64, (peerPublic[64] ?? 0) ^ 1)
  const compressed = new Uint8Array(peer.getPublicKey(undefined, 'compressed'))
  for (const bad of [offCurve, compressed, peerPublic.subarray(1), new Uint8Array(65)]) {
    assert.equal(pair.agree(bad), undefined)
    assert.equal(isAcceptableP256(bad), false)
  }
  assert.equal(isAcceptableP256(peerPublic), true)
})

test('a P-256 secret of zero, or of the order, is refused', () => {
  const order = Buffer.from(
    'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
    'hex',
  )
  for (const bad of [new Uint8Array(32), new Uint8Array(order), new Uint8Array(32).fill(255)]) {
    assert.throws(() => P256KeyPair.fromSecret(bad), { code: 'CRYPTO_KEY_INVALID' })
  }
  assert.ok(P256KeyPair.fromSecret(new Uint8Array(order).with(31, 0x50)))
})

test('an ECDSA signature made by OpenSSL verifies, and no other', async () => {
  const { sign } = await import('node:crypto')
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const message = Buffer.from('certificate body')
  const signature = sign('sha256', message, privateKey)
  const raw = decodeSpki('p256', publicKey.export({ format: 'der', type: 'spki' }))
  assert.ok(raw)
  assert.equal(verifyEcdsaP256(raw, message, signature), true)
  assert.equal(verifyEcdsaP256(raw, Buffer.from('certificate bodz'), signature), false)
  assert.equal(verifyEcdsaP256(raw, message, signature.subarray(1)), false)
  assert.equal(verifyEcdsaP256(raw.subarray(1), message, signature), false)
  assert.equal(verifyEcdsaP256(raw.with(64, (raw[64] ?? 0) ^ 1), message, signature), false)
  assert.ok(createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' })))
})
