/**
 * The cryptography of Myelin: AEAD, key agreement, signatures, KEM, hashes, secret memory, and the
 * Noise framework with hybrid forward secrecy.
 *
 * ```ts
 * import { systemRandom } from '@myelin/base/system'
 * import { HandshakeState, X25519KeyPair } from '@myelin/crypto'
 *
 * const protocolName = 'Noise_XKhfs_25519+MLKEM768_ChaChaPoly_SHA256'
 * const prologue = new TextEncoder().encode('example')
 * const bobStatic = X25519KeyPair.generate(systemRandom)
 * const common = { protocolName, prologue, random: systemRandom }
 * const alice = new HandshakeState({
 *   ...common,
 *   initiator: true,
 *   s: X25519KeyPair.generate(systemRandom),
 *   rs: bobStatic.publicKey,
 * })
 * const bob = new HandshakeState({ ...common, initiator: false, s: bobStatic })
 *
 * const none = new Uint8Array(0)
 * bob.readMessage(alice.writeMessage(none))
 * alice.readMessage(bob.writeMessage(none))
 * bob.readMessage(alice.writeMessage(none))
 * using send = alice.split().send
 * using receive = bob.split().receive
 * console.log(receive.decryptWithAd(none, send.encryptWithAd(none, new Uint8Array([1, 2, 3]))))
 * ```
 */
export {
  type Aead,
  type AeadName,
  aead,
  aeadEngine,
  aes256Gcm,
  aes256GcmSiv,
  chacha20Poly1305,
  forgetAeadKeys,
  hasWasmAead,
  xchacha20Poly1305,
} from './aead.ts'
export { type AeadRaceOptions, fasterAead } from './aead-choice.ts'
export { blake3, blake3DeriveKey, blake3Keyed } from './blake3.ts'
export { Ed25519KeyPair, isAcceptableEd25519, verifyEd25519 } from './ed25519.ts'
export { equalConstantTime } from './equal.ts'
export { CryptoError, type CryptoErrorCode } from './errors.ts'
export {
  blake2b,
  blake2s,
  derivePassphraseKey,
  type HashName,
  hkdf,
  hkdfExpand,
  hkdfExtract,
  hmac,
  type PassphraseOptions,
  sha256,
  sha512,
} from './kdf.ts'
export {
  decodeJwk,
  decodePem,
  decodePkcs8,
  decodeSpki,
  encodePkcs8,
  encodeSpki,
  type RawKeyKind,
} from './key-encoding.ts'
export {
  aeadTagBytes,
  ed25519PublicBytes,
  ed25519SeedBytes,
  ed25519SignatureBytes,
  mlDsa87PublicBytes,
  mlDsa87SignatureBytes,
  mlDsaContextBytesMax,
  mlDsaSeedBytes,
  mlKem768CiphertextBytes,
  mlKem768PublicBytes,
  mlKem768SeedBytes,
  noiseMessageBytesMax,
  noiseNonceMax,
  noisePskBytes,
  x25519Bytes,
} from './limits.ts'
export { MlDsa87KeyPair, verifyMlDsa65, verifyMlDsa87 } from './mldsa.ts'
export {
  type Encapsulation,
  encapsulateMlKem768,
  MlKem768KeyPair,
  MlKem768PublicKey,
} from './mlkem.ts'
export { CipherState } from './noise/cipher-state.ts'
export type { HandshakeOptions } from './noise/handshake-options.ts'
export {
  HandshakeState,
  type NoiseFault,
  type TransportCiphers,
} from './noise/handshake-state.ts'
export { type HandshakePattern, parsePattern, patternNames, type Token } from './noise/patterns.ts'
export {
  type NoiseCipher,
  type NoiseDh,
  type NoiseKem,
  type NoiseKemKeyPair,
  type NoiseKeyPair,
  type NoiseProtocol,
  parseProtocolName,
} from './noise/protocol-name.ts'
export { isAcceptableP256, P256KeyPair, verifyEcdsaP256 } from './p256.ts'
export { concealFields, redacted, SecretBytes, wipe } from './secret.ts'
export { isAcceptableX25519, X25519KeyPair } from './x25519.ts'
