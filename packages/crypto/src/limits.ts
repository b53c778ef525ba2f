// The sizes of the algorithms and the bounds of this package, with the standard that fixes each.

import { assert, mib } from '@myelin/base'

/** RFC 8439 §2.8, NIST SP 800-38D §5.2.1.2: the only tag length in use. */
export const aeadTagBytes = 16

/** RFC 7748 §5 and RFC 8032 §5.1. */
export const x25519Bytes = 32
export const ed25519PublicBytes = 32
export const ed25519SeedBytes = 32
export const ed25519SignatureBytes = 64

/** SEC 1 §2.3.3, uncompressed: 04 ‖ x ‖ y. */
export const p256PublicBytes = 65
export const p256SecretBytes = 32

/** FIPS 203 §8, ML-KEM-768. The seed is d ‖ z. */
export const mlKem768PublicBytes = 1184
export const mlKem768CiphertextBytes = 1088
export const mlKem768SeedBytes = 64
export const mlKem768DecapsulationKeyBytes = 2400
export const mlKemSharedBytes = 32

/** FIPS 204 §4. */
export const mlDsaSeedBytes = 32
export const mlDsa87PublicBytes = 2592
export const mlDsa87SignatureBytes = 4627
export const mlDsa65PublicBytes = 1952
export const mlDsa65SignatureBytes = 3309
/** FIPS 204 §5.2: the context string's length is one byte. */
export const mlDsaContextBytesMax = 255

/** Imported public keys kept ready for verification, per algorithm. */
export const publicKeyCacheEntriesMax = 1024
export const postQuantumKeyCacheEntriesMax = 128

/** RFC 9106 §3.1, narrowed to what a daemon can afford to be asked for. */
export const argon2MemoryKibMax = 1024 * 1024
export const argon2PassesMax = 64
export const argon2ParallelismMax = 16
export const argon2SaltBytesMin = 8

/** BLAKE3 can give 2^64 bytes; nothing here needs more than this in one call. */
export const blake3OutputBytesMax = mib

/** Noise rev 34 §3. */
export const noiseMessageBytesMax = 65_535
/** Noise rev 34 §8. */
export const noiseProtocolNameBytesMax = 255
/** Parsed protocol names that are kept. */
export const noiseProtocolsKeptMax = 64
export const noisePskBytes = 32
/** Counters beyond this are not exact doubles; the specification's own end is 2^64 - 2. */
export const noiseNonceMax = Number.MAX_SAFE_INTEGER - 1

assert(
  x25519Bytes + mlKem768PublicBytes + 2 * aeadTagBytes < noiseMessageBytesMax,
  'a hybrid handshake message must fit a Noise message',
)
