// Secrets for other protocols, from a session's handshake (docs/protocol.md §4; after RFC 5705 and RFC 8446 §7.5):
//
//   exporter        = HKDF-Expand(initiator's split key, "myelin exporter", 32)
//                     xor HKDF-Expand(responder's split key, "myelin exporter", 32)
//   secret(l, c, n) = HKDF-Expand(exporter, "myelin export" ‖ n(u16) ‖ len(l)(u8) ‖ l ‖ SHA-256(c), n)
//
// The exporter and the traffic secrets are siblings: neither leads to the other. It depends on both split keys, which
// the whole handshake made, so two sessions never share one. It lives as long as its session.

import { ByteWriter, utf8Encode } from '@myelin/base'
import { hkdfExpand, sha256, wipe } from '@myelin/crypto'
import { SessionError } from './errors.ts'
import { exportedBytesMax, exportLabelBytesMax } from './limits.ts'

const exporterLabel = utf8Encode('myelin exporter')
const exportLabel = utf8Encode('myelin export')
const secretBytesDefault = 32

/** Mixes the part of one direction in; the order of the two does not matter. */
export function mixExporter(exporter: Uint8Array, splitKey: Uint8Array): void {
  const part = hkdfExpand('sha256', splitKey, exporterLabel, exporter.length)
  for (let i = 0; i < part.length; i += 1)
    exporter[i] = (exporter[i] as number) ^ (part[i] as number)
  wipe(part)
}

/** The caller wipes what it gets. Throws `SESSION_OPTION`. */
export function exportFrom(
  exporter: Uint8Array,
  label: string,
  context: Uint8Array,
  bytes = secretBytesDefault,
): Uint8Array {
  const name = utf8Encode(label)
  if (name.length === 0 || name.length > exportLabelBytesMax) {
    const message = `a label has 1 to ${exportLabelBytesMax} bytes; name the protocol that the secret is for`
    throw new SessionError('SESSION_OPTION', message, { kind: 'usage' })
  }
  if (!Number.isSafeInteger(bytes) || bytes < 1 || bytes > exportedBytesMax) {
    const message = `${bytes} bytes cannot be exported; ask for 1 to ${exportedBytesMax}`
    throw new SessionError('SESSION_OPTION', message, { kind: 'usage' })
  }
  const info = new ByteWriter().put(exportLabel).u16(bytes).u8(name.length).put(name)
  return hkdfExpand('sha256', exporter, info.put(sha256(context)).finish(), bytes)
}
