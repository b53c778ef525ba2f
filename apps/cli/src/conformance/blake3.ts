// The official BLAKE3 vectors: hash, keyed hash and key derivation, each at 32 and at 131 bytes.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { utf8Encode } from '@myelin/base'
import * as product from '@myelin/crypto'
import { all, expectBytes, hex, judge, readJson } from './crypto-vectors.ts'
import type { Suite } from './suite.ts'

interface Blake3Vectors {
  readonly key: string
  readonly context_string: string
  readonly cases: readonly {
    readonly input_len: number
    readonly hash: string
    readonly keyed_hash: string
    readonly derive_key: string
  }[]
}

const file = 'test_vectors.json'

export const blake3: Suite = {
  name: 'blake3',
  describes: 'BLAKE3 hash, keyed hash and key derivation',
  *run(directory) {
    const path = join(directory, file)
    if (!existsSync(path)) return
    const { key, context_string: context, cases } = readJson<Blake3Vectors>(path)
    const modes = {
      hash: (input: Uint8Array, length?: number) => product.blake3(input, length),
      keyed_hash: (input: Uint8Array, length?: number) =>
        product.blake3Keyed(utf8Encode(key), input, length),
      derive_key: (input: Uint8Array, length?: number) =>
        product.blake3DeriveKey(context, input, length),
    }
    for (const vector of cases) {
      // The bytes 0, 1, …, 250, over and over.
      const input = Uint8Array.from({ length: vector.input_len }, (_, i) => i % 251)
      yield judge(file, `input_len ${vector.input_len}`, () =>
        all(
          ...Object.entries(modes).flatMap(([mode, run]) => {
            const expected = hex(vector[mode as keyof typeof modes])
            return [
              expectBytes(`${mode}, 32 bytes`, run(input), expected.subarray(0, 32)),
              expectBytes(`${mode}, extended`, run(input, expected.length), expected),
            ]
          }),
        ),
      )
    }
  },
}
