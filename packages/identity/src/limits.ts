// The bounds of identity.

import { assert } from '@myelin/base'

/** Addresses in one peer record. */
export const recordAddressesMax = 16
/** Bytes of one multiaddr in a record or token. */
export const addressBytesMax = 256
/** Bytes of an agent's own name, UTF-8. */
export const nameBytesMax = 64
/** Post-quantum keys in one peer record. */
export const recordKeysMax = 4
/** Largest post-quantum public key in a record: ML-DSA-87 has 2,592 bytes. */
export const recordKeyBytesMax = 2592
/** Peer records whose signature is remembered as genuine, 32 bytes and their place in a set each. */
export const verifiedRecordsMax = 4096
/** Largest encoded peer record. */
export const recordBytesMax = 20_000
/** How long a peer record is valid when its maker does not say: 30 days in ms. */
export const recordLifetimeMs = 30 * 24 * 3_600_000

/** Join tokens that are open at once. */
export const tokensOpenMax = 1024
/** How long a join token is valid when its maker does not say: one day in ms. */
export const tokenLifetimeMs = 24 * 3_600_000
export const tokenSecretBytes = 32
/** Longest text of a join token that is looked at. */
export const tokenTextMax = 8192

/** Agents in one trust store. */
export const trustedAgentsMax = 100_000
export const rolesPerAgentMax = 16

/** argon2id for key files (RFC 9106 §4, second recommended option): 64 MiB, 3 passes, 4 lanes. */
export const passphraseCost = { memoryKib: 65_536, passes: 3, parallelism: 4 } as const
/** A key file may ask for no more memory than this, in KiB. */
export const passphraseMemoryKibMax = 1_048_576
export const passphrasePassesMax = 64
export const passphraseParallelismMax = 16

assert(
  recordAddressesMax * (addressBytesMax + 2) + recordKeysMax * (recordKeyBytesMax + 3) + 512 <=
    recordBytesMax,
  'a full peer record must fit its bound',
)
