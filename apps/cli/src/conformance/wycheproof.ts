// Project Wycheproof: edge cases and known attacks on every primitive that the product has. The
// families of algorithms are in wycheproof-aead.ts, -curve.ts, -hash.ts and -lattice.ts.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Suite } from './suite.ts'
import { aeadFiles } from './wycheproof-aead.ts'
import { curveFiles } from './wycheproof-curve.ts'
import type { FileRunner } from './wycheproof-file.ts'
import { hashFiles } from './wycheproof-hash.ts'
import { latticeFiles } from './wycheproof-lattice.ts'

const runners: Readonly<Record<string, FileRunner>> = {
  ...aeadFiles,
  ...curveFiles,
  ...hashFiles,
  ...latticeFiles,
}

export const wycheproof: Suite = {
  name: 'wycheproof',
  describes:
    'edge cases and known attacks: AEAD, X25519, Ed25519, P-256, HMAC, HKDF, ML-KEM, ML-DSA',
  *run(directory) {
    for (const [file, run] of Object.entries(runners)) {
      const path = join(directory, file)
      if (existsSync(path)) yield* run(path, file)
    }
  },
}
