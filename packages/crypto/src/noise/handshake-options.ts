// What a handshake is set up with, and the check that it is exactly what its pattern takes.

import type { Random } from '@myelin/base'
import { CryptoError, requireLength } from '../errors.ts'
import { noisePskBytes } from '../limits.ts'
import type { NoiseKem, NoiseKeyPair, NoiseProtocol } from './protocol-name.ts'

export interface HandshakeOptions {
  /** `Noise_XKhfs_25519+MLKEM768_ChaChaPoly_SHA256`. */
  readonly protocolName: string
  readonly initiator: boolean
  /** What both sides must agree on beforehand, bound into the transcript. */
  readonly prologue: Uint8Array
  /** This side's static key pair; stays the caller's and is not disposed here. */
  readonly s?: NoiseKeyPair | undefined
  /** The peer's static public key, exactly when the pattern presumes it known. */
  readonly rs?: Uint8Array | undefined
  /**
   * 32 bytes for each psk token, in the order of the pattern; stay the caller's until completion.
   */
  readonly psks?: readonly Uint8Array[] | undefined
  readonly random: Random
  /** A fixed ephemeral, for tests alone. Disposed with the handshake. */
  readonly e?: NoiseKeyPair | undefined
  /** Another KEM of the same sizes, for tests alone. */
  readonly kem?: NoiseKem | undefined
}

/** The keys that the pattern asks of this side are there, and no key that it will read is. */
export function checkKeys(protocol: NoiseProtocol, options: HandshakeOptions): void {
  const { pattern, dh } = protocol
  const sendsOrKnows = (isInitiator: boolean) => ({
    isKnown: isInitiator ? pattern.knowsInitiator : pattern.knowsResponder,
    isSent: pattern.messages.some((m, i) => (i % 2 === 0) === isInitiator && m.includes('s')),
  })
  const mine = sendsOrKnows(options.initiator)
  const theirs = sendsOrKnows(!options.initiator)
  if ((mine.isKnown || mine.isSent) && options.s === undefined) {
    throw stateError('its pattern needs a static key pair `s`')
  }
  if (theirs.isKnown !== (options.rs !== undefined)) {
    const mend = theirs.isKnown ? 'needs' : 'does not presume'
    throw stateError(`its pattern ${mend} the peer's static key \`rs\``)
  }
  if (options.rs !== undefined && !dh.accepts(options.rs)) {
    const message =
      "the peer's static key is malformed or of low order; get its current peer record"
    throw new CryptoError('CRYPTO_KEY_INVALID', message, { kind: 'usage' })
  }
  const wanted = pattern.messages.flat().filter((token) => token === 'psk').length
  const psks = options.psks ?? []
  if (psks.length !== wanted) throw stateError(`its pattern takes ${wanted} psks`)
  for (const psk of psks) requireLength(psk, noisePskBytes, 'a Noise psk')
}

export function stateError(mend: string): CryptoError {
  const message = `the Noise handshake cannot go on: ${mend}`
  return new CryptoError('CRYPTO_NOISE_STATE', message, { kind: 'usage' })
}
