// Pins: which public keys a peer may have, as base64 SHA-256 hashes of the SubjectPublicKeyInfo (RFC 7469 §2.4).
// A key that cannot be seen is a key that is not pinned.

import { createHash, type X509Certificate } from 'node:crypto'
import { optionError } from './errors.ts'
import { pinsMax } from './limits.ts'

/** The pin of a certificate's key. */
export function pinOf(certificate: X509Certificate): string {
  const info = certificate.publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(info).digest('base64')
}

export function readPins(pins: readonly string[] | undefined): ReadonlySet<string> | undefined {
  if (pins === undefined) return undefined
  // An empty list would refuse everybody; whoever means that need not dial.
  if (pins.length === 0 || pins.length > pinsMax)
    throw optionError(`pins has ${pins.length} items; give 1 to ${pinsMax}, or leave it out`)
  for (const pin of pins) {
    if (!/^[A-Za-z0-9+/]{43}=$/.test(pin))
      throw optionError('a pin is no base64 SHA-256; make it with openssl as the README shows')
  }
  return new Set(pins)
}

/** Why a peer is refused, or undefined where its key is pinned or nothing is. */
export function pinFault(
  pins: ReadonlySet<string> | undefined,
  pin: string | undefined,
): string | undefined {
  if (pins === undefined) return undefined
  if (pin === undefined)
    return 'its key cannot be checked against the pins; have it show a certificate'
  if (pins.has(pin)) return undefined
  return `its key has the pin ${pin}, which is not among the pins; add it if it is the right one`
}
