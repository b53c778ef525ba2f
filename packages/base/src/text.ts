// Text forms of bytes: hex, base64url (RFC 4648 §5) and UTF-8. The decoders return undefined for anything
// that is not the exact form, so that two texts never mean the same bytes.

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

export function utf8Encode(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Strict UTF-8: undefined for malformed input. */
export function utf8Decode(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

export function hexEncode(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('hex')
}

export function hexDecode(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined
  return new Uint8Array(Buffer.from(text, 'hex'))
}

/** Unpadded base64url. */
export function base64urlEncode(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64url')
}

export function base64urlDecode(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64url')
  // Round trip: refuses impossible lengths and non-zero spare bits.
  return bytes.toString('base64url') === text ? new Uint8Array(bytes) : undefined
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
