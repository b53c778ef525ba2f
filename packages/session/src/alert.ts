// Alerts: how a handshake that fails says why. In the clear, so that anyone between the peers could have said
// it: a hint for people, never a fact. One packet without flags: ff · code(u16, of closeCodes).

import { encodePacket } from '@myelin/wire'
import { closeCodes, codeOfNumber, type SessionErrorCode } from './errors.ts'

/** No handshake pattern has this number. */
const alertMark = 0xff
const alertBytes = 3

/** The packet, or undefined for a code that is never sent. */
export function encodeAlert(code: SessionErrorCode): Uint8Array | undefined {
  const number = closeCodes[code]
  if (number === 0) return undefined
  return encodePacket(0, Uint8Array.of(alertMark, number >>> 8, number & 0xff))
}

/** The code that an alert names; undefined where the packet is none. */
export function decodeAlert(flags: number, payload: Uint8Array): SessionErrorCode | undefined {
  if (flags !== 0 || payload.length !== alertBytes || payload[0] !== alertMark) return undefined
  return codeOfNumber(((payload[1] as number) << 8) | (payload[2] as number))
}
