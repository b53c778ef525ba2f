import assert from 'node:assert/strict'
import { hexDecode } from '@myelin/base'

/** The bytes of hex, in which spaces and line breaks may stand. */
export function hex(text: string): Uint8Array {
  const bytes = hexDecode(text.replace(/\s+/g, ''))
  assert.ok(bytes, 'the test holds malformed hex')
  return bytes
}
