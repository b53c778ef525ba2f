// The Community Cryptography Test Vectors: Ed25519 edge cases, ML-KEM-768 keys that must be refused
// and rare paths of decapsulation, the messages of the ML-DSA-87 signing benchmark.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { utf8Encode } from '@myelin/base'
import {
  encapsulateMlKem768,
  MlDsa87KeyPair,
  MlKem768KeyPair,
  verifyEd25519,
  verifyMlDsa87,
} from '@myelin/crypto'
import {
  expectBytes,
  expectRefusal,
  failed,
  hex,
  judge,
  readJson,
  type Verdict,
} from './crypto-vectors.ts'
import type { CaseOutcome, Suite } from './suite.ts'

interface Ed25519Vector {
  readonly number: number
  readonly key: string
  readonly sig: string
  readonly msg: string
  readonly flags: readonly string[] | null
}

type FileRunner = (path: string, file: string) => Iterable<CaseOutcome>

const runners: Readonly<Record<string, FileRunner>> = {
  'ed25519vectors.json': runEd25519,
  'ML-KEM__modulus__ML-KEM-768.txt': runModulus,
  'ML-KEM__intermediate__ML-KEM-768.txt': runDecapsulation,
  'ML-KEM__unluckysample__ML-KEM-768.txt': runDecapsulation,
  'ML-DSA__benchmark__ML-DSA-87.json': runSigningBenchmark,
}

/**
 * Myelin verifies strictly: a vector is accepted only if the equation holds without the cofactor
 * and neither point is of low order. A low-order *component* beside the main one is accepted.
 */
const refusedFlags: ReadonlySet<string> = new Set([
  'low_order_A',
  'low_order_R',
  'non_canonical_A',
  'non_canonical_R',
  'low_order_residue',
  'reencoded_k',
])

export const cctv: Suite = {
  name: 'cctv',
  describes: 'Ed25519 accept set, ML-KEM-768 bad keys and rare paths, ML-DSA-87 benchmark messages',
  *run(directory) {
    for (const [file, run] of Object.entries(runners)) {
      const path = join(directory, file)
      if (existsSync(path)) yield* run(path, file)
    }
  },
}

function* runEd25519(path: string, file: string): Generator<CaseOutcome> {
  for (const vector of readJson<readonly Ed25519Vector[]>(path)) {
    yield judge(file, `${vector.number}`, () => {
      const flags = vector.flags ?? []
      const isExpected = !flags.some((flag) => refusedFlags.has(flag))
      const isAccepted = verifyEd25519(hex(vector.key), utf8Encode(vector.msg), hex(vector.sig))
      if (isAccepted === isExpected) return true
      return failed(`${isAccepted ? 'accepted' : 'refused'} with flags ${flags.join(', ')}`)
    })
  }
}

function* runModulus(path: string, file: string): Generator<CaseOutcome> {
  const lines = readFileSync(path, 'utf8').trim().split('\n')
  for (const [index, line] of lines.entries()) {
    yield judge(file, `line ${index + 1}`, () =>
      expectRefusal('a key with a coefficient of q or more', () => encapsulateMlKem768(hex(line))),
    )
  }
}

/**
 * These files follow the draft of FIPS 203 in key generation, so their seeds give other keys today;
 * from the expanded key on draft and standard agree.
 */
function* runDecapsulation(path: string, file: string): Generator<CaseOutcome> {
  const text = readFileSync(path, 'utf8')
  const field = (name: string): Uint8Array => {
    const value = new RegExp(`^${name} = ([0-9a-f]+)$`, 'm').exec(text)?.[1]
    if (value === undefined) throw new TypeError(`${file} has no field ${name}`)
    return hex(value)
  }
  yield judge(file, 'decapsulation', () => {
    const pair = MlKem768KeyPair.fromDecapsulationKey(field('dk'))
    const publicKey = expectBytes('ek', pair?.publicKey, field('ek'))
    if (publicKey !== true) return publicKey
    return expectBytes('K', pair?.decapsulate(field('c')), field('K'))
  })
}

/** The set holds messages without expected signatures: each must be signed and verify. */
function* runSigningBenchmark(path: string, file: string): Generator<CaseOutcome> {
  const messages = readJson<readonly string[]>(path)
  yield judge(file, `${messages.length} messages`, (): Verdict => {
    const pair = MlDsa87KeyPair.fromSeed(new Uint8Array(32))
    const isSigned = (message: Uint8Array) =>
      verifyMlDsa87(pair.publicKey, message, pair.sign(message))
    const missed = messages.filter((message) => !isSigned(utf8Encode(message)))
    return missed.length === 0 && messages.length > 0
      ? true
      : failed(`${missed.length} do not verify`)
  })
}
