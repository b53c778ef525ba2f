// What a session leaves to the next one of the same two agents (docs/protocol.md §3.5). Both sides derive it, so
// nothing of it travels:
//
//   secret(32) ‖ id(16) = HKDF-Expand(exporter, "myelin resumption" ‖ transcript, 48)
//   confirmation(32)    = HKDF-Expand(exporter, "myelin confirm" ‖ transcript ‖ challenge, 32)

import { concatBytes, utf8Encode } from '@myelin/base'
import { hkdfExpand, noisePskBytes, wipe } from '@myelin/crypto'

export interface Resumption {
  /** Names the secret on the wire. */
  readonly id: Uint8Array
  readonly secret: Uint8Array
  /** Whether the post-quantum part went into it. */
  readonly isHybrid: boolean
  /** Our own peer record as the peer knows it. */
  readonly ownRecord: Uint8Array
  /** Monotonic; that of the full handshake at the beginning. Undefined for such a handshake itself. */
  readonly expiresMs: number | undefined
}

export const ticketIdBytes = 16
export const confirmationBytes = 32

const resumptionLabel = utf8Encode('myelin resumption')
const confirmLabel = utf8Encode('myelin confirm')

export function resumptionOf(
  exporter: Uint8Array,
  transcript: Uint8Array,
  rest: Omit<Resumption, 'id' | 'secret'>,
): Resumption {
  const info = concatBytes(resumptionLabel, transcript)
  const bytes = hkdfExpand('sha256', exporter, info, noisePskBytes + ticketIdBytes)
  const secret = bytes.slice(0, noisePskBytes)
  const id = bytes.slice(noisePskBytes)
  wipe(bytes)
  return { ...rest, id, secret }
}

/** What only the two ends of this handshake can say, and the initiator says first. */
export function confirmationOf(
  exporter: Uint8Array,
  transcript: Uint8Array,
  challenge: Uint8Array,
): Uint8Array {
  const info = concatBytes(confirmLabel, transcript, challenge)
  return hkdfExpand('sha256', exporter, info, confirmationBytes)
}
