// Keys in the containers of others: SubjectPublicKeyInfo and PKCS #8 (RFC 8410, RFC 5480), PEM (RFC
// 7468), JWK (RFC 8037). One key has one encoding: the DER forms are a fixed prefix and the raw
// key, so the decoders compare the prefix and the length, and BER, other algorithms, extra
// attributes and trailing bytes all fall out. (OpenSSL by itself accepts trailing bytes.)

import { base64urlDecode, concatBytes, equalBytes, hexDecode } from '@myelin/base'
import { requireLength } from './errors.ts'

export type RawKeyKind = 'x25519' | 'ed25519' | 'p256'

interface Container {
  readonly prefix: Uint8Array
  readonly keyBytes: number
}

const spki: Readonly<Record<RawKeyKind, Container>> = {
  x25519: container('302a300506032b656e032100', 32),
  ed25519: container('302a300506032b6570032100', 32),
  p256: container('3059301306072a8648ce3d020106082a8648ce3d030107034200', 65),
}

/** Version 1, without a public key or attributes. */
const pkcs8: Readonly<Record<'x25519' | 'ed25519', Container>> = {
  x25519: container('302e020100300506032b656e04220420', 32),
  ed25519: container('302e020100300506032b657004220420', 32),
}

const jwkCurves = { x25519: 'X25519', ed25519: 'Ed25519' } as const

export function encodeSpki(kind: RawKeyKind, publicKey: Uint8Array): Uint8Array {
  return encode(spki[kind], publicKey, `a raw ${kind} public key`)
}

/** The raw public key, or undefined for anything but the DER of exactly that kind of key. */
export function decodeSpki(kind: RawKeyKind, der: Uint8Array): Uint8Array | undefined {
  return decode(spki[kind], der)
}

export function encodePkcs8(kind: 'x25519' | 'ed25519', secret: Uint8Array): Uint8Array {
  return encode(pkcs8[kind], secret, `a raw ${kind} secret`)
}

/** The raw secret, or undefined for anything but the DER of exactly that kind of key. */
export function decodePkcs8(kind: 'x25519' | 'ed25519', der: Uint8Array): Uint8Array | undefined {
  return decode(pkcs8[kind], der)
}

/** The raw `x` (public) or `d` (secret) of an OKP key, or undefined; other members are ignored. */
export function decodeJwk(
  kind: 'x25519' | 'ed25519',
  jwk: Readonly<Record<string, unknown>>,
  member: 'x' | 'd',
): Uint8Array | undefined {
  const value = jwk[member]
  if (jwk.kty !== 'OKP' || jwk.crv !== jwkCurves[kind] || typeof value !== 'string')
    return undefined
  const raw = base64urlDecode(value)
  return raw?.length === 32 ? raw : undefined
}

/** RFC 7468 §3 strict form: lines of 64 characters, the last one of 1 to 64, `\n` or `\r\n`. */
export function decodePem(
  label: 'PUBLIC KEY' | 'PRIVATE KEY',
  text: string,
): Uint8Array | undefined {
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/)
  if (lines.shift() !== `-----BEGIN ${label}-----`) return undefined
  if (lines.pop() !== `-----END ${label}-----`) return undefined
  const last = lines.at(-1)?.length ?? 0
  const isWrapped =
    last > 0 && last <= 64 && lines.slice(0, -1).every(({ length }) => length === 64)
  const body = lines.join('')
  if (!isWrapped || body.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(body)) return undefined
  const bytes = Buffer.from(body, 'base64')
  return bytes.toString('base64') === body ? new Uint8Array(bytes) : undefined
}

function container(prefixHex: string, keyBytes: number): Container {
  return { prefix: hexDecode(prefixHex) as Uint8Array, keyBytes }
}

function encode({ prefix, keyBytes }: Container, key: Uint8Array, what: string): Uint8Array {
  requireLength(key, keyBytes, what)
  return concatBytes(prefix, key)
}

function decode({ prefix, keyBytes }: Container, der: Uint8Array): Uint8Array | undefined {
  if (der.length !== prefix.length + keyBytes) return undefined
  if (!equalBytes(der.subarray(0, prefix.length), prefix)) return undefined
  return new Uint8Array(der.subarray(prefix.length))
}
