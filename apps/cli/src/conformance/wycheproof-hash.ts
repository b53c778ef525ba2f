// Wycheproof: HMAC with full and truncated tags, HKDF.

import { equalConstantTime, type HashName, hkdf, hmac } from '@myelin/crypto'
import { expectBytes, expectRefusal, failed, hex } from './crypto-vectors.ts'
import { cases, type FileRunner, type WycheproofCase } from './wycheproof-file.ts'

interface MacCase extends WycheproofCase {
  readonly key: string
  readonly msg: string
  readonly tag: string
}

interface HkdfCase extends WycheproofCase {
  readonly ikm: string
  readonly salt: string
  readonly info: string
  readonly size: number
  readonly okm: string
}

export const hashFiles: Readonly<Record<string, FileRunner>> = {
  'hmac_sha256_test.json': cases<{ readonly tagSize: number }, MacCase>((test, { tagSize }) => {
    const tag = hmac('sha256', hex(test.key), hex(test.msg)).subarray(0, tagSize / 8)
    const isAccepted = equalConstantTime(tag, hex(test.tag))
    if (isAccepted === (test.result === 'valid')) return true
    return failed(isAccepted ? 'accepted, though invalid' : 'refused, though valid')
  }),
  'hkdf_sha256_test.json': hkdfCases('sha256'),
  'hkdf_sha512_test.json': hkdfCases('sha512'),
}

function hkdfCases(hash: HashName): FileRunner {
  return cases<unknown, HkdfCase>((test) => {
    const derive = () => hkdf(hash, hex(test.ikm), hex(test.salt), hex(test.info), test.size)
    if (test.result === 'invalid') return expectRefusal('hkdf', derive)
    return expectBytes('hkdf', derive(), hex(test.okm))
  })
}
