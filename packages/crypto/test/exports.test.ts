import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as exported from '@myelin/crypto'

test('the package exports these names and no others', () => {
  assert.deepEqual(
    Object.keys(exported).sort(),
    `CipherState CryptoError Ed25519KeyPair HandshakeState MlDsa87KeyPair MlKem768KeyPair
     MlKem768PublicKey P256KeyPair SecretBytes X25519KeyPair aead aeadEngine aeadTagBytes aes256Gcm
     aes256GcmSiv blake2b blake2s blake3 blake3DeriveKey blake3Keyed chacha20Poly1305
     concealFields decodeJwk decodePem decodePkcs8 decodeSpki derivePassphraseKey ed25519PublicBytes ed25519SeedBytes
     ed25519SignatureBytes encapsulateMlKem768 encodePkcs8 encodeSpki equalConstantTime fasterAead
     forgetAeadKeys hasWasmAead
     hkdf hkdfExpand hkdfExtract hmac isAcceptableEd25519 isAcceptableP256 isAcceptableX25519
     mlDsa87PublicBytes mlDsa87SignatureBytes mlDsaContextBytesMax mlDsaSeedBytes
     mlKem768CiphertextBytes mlKem768PublicBytes mlKem768SeedBytes noiseMessageBytesMax
     noiseNonceMax noisePskBytes parsePattern parseProtocolName patternNames redacted sha256 sha512
     verifyEcdsaP256 verifyEd25519 verifyMlDsa65 verifyMlDsa87 wipe x25519Bytes xchacha20Poly1305`
      .split(/\s+/)
      .sort(),
  )
})
