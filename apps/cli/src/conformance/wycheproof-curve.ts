// Wycheproof: X25519 in four encodings, Ed25519, ECDH and ECDSA on P-256.

import { concatBytes } from '@myelin/base'
import {
  decodeJwk,
  decodePem,
  decodePkcs8,
  decodeSpki,
  P256KeyPair,
  verifyEcdsaP256,
  verifyEd25519,
  X25519KeyPair,
} from '@myelin/crypto'
import { expectBytes, failed, hex, type Verdict } from './crypto-vectors.ts'
import { cases, type FileRunner, hasFlag, type WycheproofCase } from './wycheproof-file.ts'

interface AgreementCase<Key> extends WycheproofCase {
  readonly public: Key
  readonly private: Key
  readonly shared: string
}

interface SignatureGroup {
  readonly publicKey: { readonly pk?: string; readonly uncompressed?: string }
}

interface SignatureCase extends WycheproofCase {
  readonly msg: string
  readonly sig: string
}

type Jwk = Readonly<Record<string, unknown>>

export const curveFiles: Readonly<Record<string, FileRunner>> = {
  'x25519_test.json': x25519Cases<string>(hex, hex),
  'x25519_asn_test.json': x25519Cases<string>(
    (key) => decodeSpki('x25519', hex(key)),
    (key) => decodePkcs8('x25519', hex(key)),
  ),
  'x25519_pem_test.json': x25519Cases<string>(
    (key) => fromPem(key, 'PUBLIC KEY', decodeSpki),
    (key) => fromPem(key, 'PRIVATE KEY', decodePkcs8),
  ),
  'x25519_jwk_test.json': x25519Cases<Jwk>(
    (key) => decodeJwk('x25519', key, 'x'),
    (key) => decodeJwk('x25519', key, 'd'),
  ),
  'ed25519_test.json': signatureCases(({ pk = '' }, test) =>
    verifyEd25519(hex(pk), hex(test.msg), hex(test.sig)),
  ),
  'ecdsa_secp256r1_sha256_test.json': signatureCases(({ uncompressed = '' }, test) =>
    verifyEcdsaP256(hex(uncompressed), hex(test.msg), hex(test.sig)),
  ),
  'ecdh_secp256r1_test.json': cases<unknown, AgreementCase<string>>(checkEcdh),
}

function x25519Cases<Key>(
  decodePublic: (key: Key) => Uint8Array | undefined,
  decodeSecret: (key: Key) => Uint8Array | undefined,
): FileRunner {
  return cases<unknown, AgreementCase<Key>>((test) => {
    const secret = decodeSecret(test.private)
    if (secret === undefined) return failed('the private key does not decode')
    const publicKey = decodePublic(test.public)
    const shared = publicKey && X25519KeyPair.fromSecret(secret).agree(publicKey)
    // Low-order keys must be refused (RFC 7748 §6.1); twist points and unreduced values must be
    // accepted (§5).
    if (test.result === 'invalid' || hasFlag(test, 'ZeroSharedSecret')) {
      return shared === undefined ? true : failed('accepted, though it must be refused')
    }
    return expectBytes('agree', shared, hex(test.shared))
  })
}

function fromPem(
  text: string,
  label: 'PUBLIC KEY' | 'PRIVATE KEY',
  decode: (kind: 'x25519', der: Uint8Array) => Uint8Array | undefined,
): Uint8Array | undefined {
  const der = decodePem(label, text)
  return der && decode('x25519', der)
}

function signatureCases(
  verify: (publicKey: SignatureGroup['publicKey'], test: SignatureCase) => boolean,
): FileRunner {
  return cases<SignatureGroup, SignatureCase>((test, group) => {
    const isAccepted = verify(group.publicKey, test)
    if (isAccepted === (test.result === 'valid')) return true
    return failed(isAccepted ? 'accepted, though invalid' : 'refused, though valid')
  })
}

/**
 * Strict: a key in BER, with explicit parameters or a compressed point (all `acceptable`) is
 * refused.
 */
function checkEcdh(test: AgreementCase<string>): Verdict {
  const publicKey = decodeSpki('p256', hex(test.public))
  const shared = publicKey && P256KeyPair.fromSecret(scalar(test.private)).agree(publicKey)
  if (test.result === 'invalid') {
    return shared === undefined ? true : failed('accepted, though invalid')
  }
  if (test.result === 'acceptable' && shared === undefined) return true
  return expectBytes('agree', shared, hex(test.shared))
}

/** A hex integer as 32 bytes: leading zeros come and go in the file. */
function scalar(text: string): Uint8Array {
  const bytes = hex(text.length % 2 === 0 ? text : `0${text}`)
  return concatBytes(new Uint8Array(32), bytes).slice(-32)
}
