// Wycheproof: the AEADs. The product has 256-bit keys and one nonce length per algorithm.

import { concatBytes } from '@myelin/base'
import {
  type Aead,
  aes256Gcm,
  aes256GcmSiv,
  chacha20Poly1305,
  xchacha20Poly1305,
} from '@myelin/crypto'
import { all, expectBytes, expectRefusal, hex, skipped, type Verdict } from './crypto-vectors.ts'
import { cases, type FileRunner, type WycheproofCase } from './wycheproof-file.ts'

interface AeadGroup {
  readonly keySize: number
  readonly ivSize: number
}

interface AeadCase extends WycheproofCase {
  readonly key: string
  readonly iv: string
  readonly aad: string
  readonly msg: string
  readonly ct: string
  readonly tag: string
}

export const aeadFiles: Readonly<Record<string, FileRunner>> = {
  'aes_gcm_test.json': aeadCases(aes256Gcm),
  'aes_gcm_siv_test.json': aeadCases(aes256GcmSiv),
  'chacha20_poly1305_test.json': aeadCases(chacha20Poly1305),
  'xchacha20_poly1305_test.json': aeadCases(xchacha20Poly1305),
}

function aeadCases(aead: Aead<string>): FileRunner {
  return cases<AeadGroup, AeadCase>((test, group) => checkAead(aead, test, group))
}

function checkAead(aead: Aead<string>, test: AeadCase, group: AeadGroup): Verdict {
  const isNonceSizeInvalid = test.flags?.some((flag) => /InvalidNonceSize|ZeroLengthIv/.test(flag))
  if (group.keySize !== 256) return skipped('the product has 256-bit AES keys alone')
  if (group.ivSize !== aead.nonceBytes * 8 && isNonceSizeInvalid !== true) {
    return skipped(`the product has ${aead.nonceBytes * 8}-bit nonces alone`)
  }
  const [key, nonce, ad, message] = [hex(test.key), hex(test.iv), hex(test.aad), hex(test.msg)]
  const sealed = concatBytes(hex(test.ct), hex(test.tag))
  if (test.result === 'invalid') {
    const opened = expectRefusal('open', () => aead.open(key, nonce, sealed, ad))
    if (isNonceSizeInvalid !== true) return opened
    return all(
      opened,
      expectRefusal('seal', () => aead.seal(key, nonce, message, ad)),
    )
  }
  return all(
    expectBytes('seal', aead.seal(key, nonce, message, ad), sealed),
    expectBytes('open', aead.open(key, nonce, sealed, ad), message),
  )
}
