// Noise protocol names (rev 34 §8) and the algorithms behind their parts (§12).
// `Noise_XKhfs_25519+MLKEM768_ChaChaPoly_SHA256`: pattern with modifiers, DH (and KEM), cipher,
// hash.

import type { Random } from '@myelin/base'
import { type Aead, aes256Gcm, chacha20Poly1305, xchacha20Poly1305 } from '../aead.ts'
import { CryptoError } from '../errors.ts'
import type { HashName } from '../kdf.ts'
import {
  mlKem768CiphertextBytes,
  mlKem768PublicBytes,
  noiseProtocolNameBytesMax,
  noiseProtocolsKeptMax,
  p256PublicBytes,
  x25519Bytes,
} from '../limits.ts'
import { type Encapsulation, MlKem768KeyPair, MlKem768PublicKey } from '../mlkem.ts'
import { isAcceptableP256, P256KeyPair } from '../p256.ts'
import { isAcceptableX25519, X25519KeyPair } from '../x25519.ts'
import { type HandshakePattern, parsePattern } from './patterns.ts'

/** A DH key pair; X25519KeyPair and P256KeyPair are such. */
export interface NoiseKeyPair extends Disposable {
  readonly publicKey: Uint8Array
  agree(peerPublic: Uint8Array): Uint8Array | undefined
}

/** The DH functions of §4.1. A public key that `accepts` lets pass never makes `agree` fail. */
export interface NoiseDh {
  readonly publicBytes: number
  generate(random: Random): NoiseKeyPair
  accepts(publicKey: Uint8Array): boolean
}

/** The KEM functions of noise_hfs §3. */
export interface NoiseKem {
  readonly publicBytes: number
  readonly ciphertextBytes: number
  generate(random: Random): NoiseKemKeyPair
  /** Undefined for a key that the KEM refuses. */
  importPublic(publicKey: Uint8Array): { encapsulate(): Encapsulation } | undefined
}

export interface NoiseKemKeyPair extends Disposable {
  readonly publicKey: Uint8Array
  decapsulate(ciphertext: Uint8Array): Uint8Array | undefined
}

/** The cipher functions of §4.2: an AEAD and where its nonce holds the counter, in which order. */
export interface NoiseCipher {
  readonly aead: Aead
  readonly counterOffset: number
  readonly isLittleEndian: boolean
}

export interface NoiseProtocol {
  readonly name: string
  readonly pattern: HandshakePattern
  readonly dh: NoiseDh
  readonly kem: NoiseKem | undefined
  readonly cipher: NoiseCipher
  readonly hash: HashName
}

const dhs: Readonly<Record<string, NoiseDh>> = {
  '25519': {
    publicBytes: x25519Bytes,
    generate: (random) => X25519KeyPair.generate(random),
    accepts: isAcceptableX25519,
  },
  P256: {
    publicBytes: p256PublicBytes,
    generate: (random) => P256KeyPair.generate(random),
    accepts: isAcceptableP256,
  },
}

const kems: Readonly<Record<string, NoiseKem>> = {
  MLKEM768: {
    publicBytes: mlKem768PublicBytes,
    ciphertextBytes: mlKem768CiphertextBytes,
    generate: (random) => MlKem768KeyPair.generate(random),
    importPublic: (publicKey) => MlKem768PublicKey.fromBytes(publicKey),
  },
}

const ciphers: Readonly<Record<string, NoiseCipher>> = {
  // §12.3: 32 zero bits and the counter in little-endian.
  ChaChaPoly: { aead: chacha20Poly1305, counterOffset: 4, isLittleEndian: true },
  // §12.4: 32 zero bits and the counter in big-endian.
  AESGCM: { aead: aes256Gcm, counterOffset: 4, isLittleEndian: false },
  // Not in rev 34; as others have it: 128 zero bits and the counter in little-endian.
  XChaChaPoly: { aead: xchacha20Poly1305, counterOffset: 16, isLittleEndian: true },
}

const hashNames: Readonly<Record<string, HashName>> = {
  SHA256: 'sha256',
  SHA512: 'sha512',
  BLAKE2s: 'blake2s',
  BLAKE2b: 'blake2b',
}

/** Those that were asked for, by name; a program speaks a handful. */
const parsed = new Map<string, NoiseProtocol>()

/** The parts behind a name; throws `CRYPTO_NOISE_NAME` for one that does not parse. */
export function parseProtocolName(name: string): NoiseProtocol {
  let protocol = parsed.get(name)
  if (protocol === undefined) {
    protocol = parseAnew(name)
    if (parsed.size < noiseProtocolsKeptMax) parsed.set(name, protocol)
  }
  return protocol
}

function parseAnew(name: string): NoiseProtocol {
  const parts = name.split('_')
  const [noise, patternName = '', dhName = '', cipherName = '', hashName = ''] = parts
  if (noise !== 'Noise' || parts.length !== 5 || name.length > noiseProtocolNameBytesMax) {
    throw nameError(name, 'write Noise_<pattern>_<DH>_<cipher>_<hash>')
  }
  const pattern = parsePattern(patternName)
  if (!pattern.ok) throw nameError(name, `the pattern "${patternName}" is not in revision 34`)
  const [dhPart = '', kemPart, ...more] = dhName.split('+')
  const isHybrid = pattern.value.messages.some((message) => message.includes('e1'))
  if (isHybrid !== (kemPart !== undefined) || more.length > 0) {
    throw nameError(name, 'a KEM follows the DH with "+" exactly when the pattern has hfs')
  }
  return {
    name,
    pattern: pattern.value,
    dh: lookup(dhs, dhPart, name),
    kem: kemPart === undefined ? undefined : lookup(kems, kemPart, name),
    cipher: lookup(ciphers, cipherName, name),
    hash: lookup(hashNames, hashName, name),
  }
}

function lookup<Part>(table: Readonly<Record<string, Part>>, part: string, name: string): Part {
  const found = Object.hasOwn(table, part) ? table[part] : undefined
  if (found === undefined) {
    throw nameError(name, `"${part}" is not one of ${Object.keys(table).join(', ')}`)
  }
  return found
}

function nameError(name: string, mend: string): CryptoError {
  const shown = name.length > 80 ? `${name.slice(0, 80)}…` : name
  const message = `"${shown}" is not a Noise protocol name: ${mend}`
  return new CryptoError('CRYPTO_NOISE_NAME', message, { kind: 'usage' })
}
