// Wycheproof: ML-KEM-768 and ML-DSA. Two things that the files prescribe are random in OpenSSL and
// cannot be injected through Node: the message of an encapsulation and the randomizer of a
// signature. Those cases are skipped after everything else about them has been checked.

import {
  encapsulateMlKem768,
  equalConstantTime,
  MlDsa87KeyPair,
  MlKem768KeyPair,
  MlKem768PublicKey,
  verifyMlDsa65,
  verifyMlDsa87,
} from '@myelin/crypto'
import {
  all,
  expectBytes,
  expectRefusal,
  failed,
  hex,
  skipped,
  type Verdict,
} from './crypto-vectors.ts'
import { cases, type FileRunner, type WycheproofCase } from './wycheproof-file.ts'

interface KemCase extends WycheproofCase {
  readonly seed: string
  readonly dk: string
  readonly ek: string
  readonly c: string
  readonly K: string
}

interface DsaGroup {
  readonly publicKey: string
  readonly privateSeed: string
}

interface DsaCase extends WycheproofCase {
  readonly msg?: string
  readonly ctx?: string
  readonly sig: string
}

type Verify = typeof verifyMlDsa87

export const latticeFiles: Readonly<Record<string, FileRunner>> = {
  'mlkem_768_test.json': cases<unknown, KemCase>(checkDecapsulation),
  'mlkem_768_keygen_seed_test.json': cases<unknown, KemCase>(checkKeyGeneration),
  'mlkem_768_semi_expanded_decaps_test.json': cases<unknown, KemCase>(checkExpanded),
  'mlkem_768_encaps_test.json': cases<unknown, KemCase>(checkEncapsulation),
  'mldsa_65_verify_test.json': cases<DsaGroup, DsaCase>(checkVerification(verifyMlDsa65)),
  'mldsa_87_verify_test.json': cases<DsaGroup, DsaCase>(checkVerification(verifyMlDsa87)),
  'mldsa_87_sign_seed_test.json': cases<DsaGroup, DsaCase>(checkSigning),
}

function checkDecapsulation(test: KemCase): Verdict {
  const decapsulate = () => MlKem768KeyPair.fromSeed(hex(test.seed)).decapsulate(hex(test.c))
  if (test.result === 'invalid') return expectRefusal('decapsulate', decapsulate)
  return all(
    expectBytes('ek', MlKem768KeyPair.fromSeed(hex(test.seed)).publicKey, hex(test.ek)),
    expectBytes('K', decapsulate(), hex(test.K)),
  )
}

/**
 * The expanded key is compared by use: it must carry the same public key and open the seed's mail.
 */
function checkKeyGeneration(test: KemCase): Verdict {
  const pair = MlKem768KeyPair.fromSeed(hex(test.seed))
  const expanded = MlKem768KeyPair.fromDecapsulationKey(hex(test.dk))
  const sent = encapsulateMlKem768(pair.publicKey)
  if (sent === undefined) return failed('the generated key is refused')
  return all(
    expectBytes('ek', pair.publicKey, hex(test.ek)),
    expectBytes('ek in dk', expanded?.publicKey, hex(test.ek)),
    expectBytes('K by seed', pair.decapsulate(sent.ciphertext), sent.sharedSecret),
    expectBytes('K by dk', expanded?.decapsulate(sent.ciphertext), sent.sharedSecret),
  )
}

function checkExpanded(test: KemCase): Verdict {
  const shared = MlKem768KeyPair.fromDecapsulationKey(hex(test.dk))?.decapsulate(hex(test.c))
  if (test.result === 'valid') return expectBytes('K', shared, hex(test.K))
  return shared === undefined ? true : failed('accepted, though invalid')
}

function checkEncapsulation(test: KemCase): Verdict {
  const publicKey = MlKem768PublicKey.fromBytes(hex(test.ek))
  if (test.result === 'invalid') {
    return publicKey === undefined ? true : failed('the key is accepted, though invalid')
  }
  if (publicKey?.encapsulate().ciphertext.length !== hex(test.c).length) {
    return failed('the key is refused, though valid')
  }
  return skipped('the random message of an encapsulation cannot be prescribed to OpenSSL')
}

function checkVerification(verify: Verify): (test: DsaCase, group: DsaGroup) => Verdict {
  return (test, group) => {
    const isAccepted = verify(
      hex(group.publicKey),
      hex(test.msg ?? ''),
      hex(test.sig),
      hex(test.ctx ?? ''),
    )
    if (isAccepted === (test.result === 'valid')) return true
    return failed(isAccepted ? 'accepted, though invalid' : 'refused, though valid')
  }
}

function checkSigning(test: DsaCase, group: DsaGroup): Verdict {
  const context = hex(test.ctx ?? '')
  if (test.result === 'invalid') {
    return expectRefusal('sign', () =>
      MlDsa87KeyPair.fromSeed(hex(group.privateSeed)).sign(hex(test.msg ?? ''), context),
    )
  }
  if (test.msg === undefined) return skipped('the product does not sign a prepared digest (mu)')
  const message = hex(test.msg)
  const pair = MlDsa87KeyPair.fromSeed(hex(group.privateSeed))
  if (!equalConstantTime(pair.publicKey, hex(group.publicKey)))
    return failed('the public key differs')
  if (!verifyMlDsa87(pair.publicKey, message, hex(test.sig), context)) {
    return failed("the vector's signature does not verify")
  }
  if (!verifyMlDsa87(pair.publicKey, message, pair.sign(message, context), context)) {
    return failed("the product's signature does not verify")
  }
  return skipped('OpenSSL signs hedged, so the bytes of a signature cannot be prescribed')
}
