// What two peers agree on before they talk (R012, R034–R036): version, cipher suite, compression. The
// initiator offers in its order of preference, the responder chooses, and the transcript binds both, so that
// whoever removes an offer on the way breaks the handshake.

import type { AeadName } from '@myelin/crypto'
import type { CompressionName } from '@myelin/wire'

/** What each protocol version can do. A new version is a new line; the highest common one is spoken. */
export const protocolVersions: Readonly<Record<number, { readonly features: readonly string[] }>> =
  {
    1: { features: ['messages', 'streams', 'rekey', 'compression'] },
  }

export const versionMin = 1
export const versionMax = 1

/** One cipher for all. */
export type PlainSuite = Extract<AeadName, 'chacha20-poly1305' | 'aes-256-gcm'>
/** Or each record by the one that is faster for its length: ChaCha20-Poly1305 for short ones, AES for long ones. */
export type SuiteName = PlainSuite | 'chacha20-poly1305+aes-256-gcm'

export const suiteNumbers: Readonly<Record<SuiteName, number>> = {
  'chacha20-poly1305': 1,
  'aes-256-gcm': 2,
  'chacha20-poly1305+aes-256-gcm': 3,
}

/** The ciphers of a suite, for short records and for long ones. */
export const suiteCiphers: Readonly<Record<SuiteName, readonly [PlainSuite, PlainSuite]>> = {
  'chacha20-poly1305': ['chacha20-poly1305', 'chacha20-poly1305'],
  'aes-256-gcm': ['aes-256-gcm', 'aes-256-gcm'],
  'chacha20-poly1305+aes-256-gcm': ['chacha20-poly1305', 'aes-256-gcm'],
}

export const compressionNumbers: Readonly<Record<CompressionName, number>> = {
  none: 0,
  lz4: 1,
  zstd: 2,
}

/** Noise patterns a session may run, by the number that opens the first packet. */
export const handshakePatterns = {
  XKhfs: { number: 1, protocol: 'Noise_XKhfs_25519+MLKEM768_ChaChaPoly_SHA256', isHybrid: true },
  XXhfs: { number: 2, protocol: 'Noise_XXhfs_25519+MLKEM768_ChaChaPoly_SHA256', isHybrid: true },
  XK: { number: 3, protocol: 'Noise_XK_25519_ChaChaPoly_SHA256', isHybrid: false },
  XX: { number: 4, protocol: 'Noise_XX_25519_ChaChaPoly_SHA256', isHybrid: false },
  /** A resumed session: as post-quantum as the handshake that its ticket stems from. */
  NNpsk0: { number: 5, protocol: 'Noise_NNpsk0_25519_ChaChaPoly_SHA256', isHybrid: false },
} as const

export type HandshakePattern = keyof typeof handshakePatterns

export function patternOfNumber(number: number): HandshakePattern | undefined {
  return (Object.keys(handshakePatterns) as HandshakePattern[]).find(
    (name) => handshakePatterns[name].number === number,
  )
}

export interface Offer {
  readonly versionMin: number
  readonly versionMax: number
  /** In order of preference. */
  readonly suites: readonly number[]
  readonly compressions: readonly number[]
}

export interface Agreement {
  readonly version: number
  readonly suite: SuiteName
  readonly compression: CompressionName
}

/** What one side supports, in order of preference. */
export interface Abilities {
  readonly versionMin: number
  readonly versionMax: number
  readonly suites: readonly SuiteName[]
  readonly compressions: readonly CompressionName[]
}

export const defaultAbilities: Abilities = {
  versionMin,
  versionMax,
  suites: ['chacha20-poly1305+aes-256-gcm', 'aes-256-gcm', 'chacha20-poly1305'],
  compressions: ['zstd', 'lz4', 'none'],
}

export function offerOf(abilities: Abilities): Offer {
  return {
    versionMin: abilities.versionMin,
    versionMax: abilities.versionMax,
    suites: abilities.suites.map((name) => suiteNumbers[name]),
    compressions: abilities.compressions.map((name) => compressionNumbers[name]),
  }
}

/** The responder's choice: the highest common version, then the initiator's first suite that we have. */
export function chooseFrom(
  offer: Offer,
  ours: Abilities,
): Agreement | 'SESSION_VERSION' | 'SESSION_SUITE' {
  const version = Math.min(offer.versionMax, ours.versionMax)
  if (version < Math.max(offer.versionMin, ours.versionMin)) return 'SESSION_VERSION'
  const suite = firstCommon(offer.suites, ours.suites, suiteNumbers)
  if (suite === undefined) return 'SESSION_SUITE'
  const compression =
    firstCommon(offer.compressions, ours.compressions, compressionNumbers) ?? 'none'
  return { version, suite, compression }
}

/** Whether an answer is one that we offered. */
export function isOffered(agreement: Agreement, ours: Abilities): boolean {
  return (
    agreement.version >= ours.versionMin &&
    agreement.version <= ours.versionMax &&
    ours.suites.includes(agreement.suite) &&
    (agreement.compression === 'none' || ours.compressions.includes(agreement.compression))
  )
}

export function suiteOfNumber(number: number): SuiteName | undefined {
  return nameOf(number, suiteNumbers)
}

export function compressionOfNumber(number: number): CompressionName | undefined {
  return nameOf(number, compressionNumbers)
}

function nameOf<Name extends string>(
  number: number,
  numbers: Readonly<Record<Name, number>>,
): Name | undefined {
  return (Object.keys(numbers) as Name[]).find((name) => numbers[name] === number)
}

function firstCommon<Name extends string>(
  offered: readonly number[],
  ours: readonly Name[],
  numbers: Readonly<Record<Name, number>>,
): Name | undefined {
  for (const number of offered) {
    const name = ours.find((candidate) => numbers[candidate] === number)
    if (name !== undefined) return name
  }
  return undefined
}
