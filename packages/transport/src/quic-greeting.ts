// The first bytes of a QUIC connection, on its main stream: `1 · length(4|16) · IP address · port(u16)`, the address
// under which the sender sees the other side. The dialler's comes first; that of the listener says that it takes the
// connection, and tells the dialler an address of its own that the package does not.

import { createHash } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { err, ok, type Result, utf8Encode } from '@myelin/base'
import { udpAddress } from './address.ts'
import { streamKinds } from './quic-connection.ts'
import type { NativeStream } from './quic-native.ts'

type GreetingFault = 'greeting_malformed' | 'greeting_truncated'

const bindingLabel = utf8Encode('myelin quic channel binding')
const portBytes = 2

/** The multiaddr of a UDP socket that speaks QUIC. */
export function quicAddress(host: string, port: number): string {
  return `${udpAddress(host, port)}/quic-v1`
}

export function encodeGreeting(host: string, port: number): Uint8Array {
  const address = isIPv6(host) ? ipv6Bytes(host) : Buffer.from(host.split('.').map(Number))
  return Buffer.concat([
    Buffer.of(streamKinds.main, address.length),
    address,
    Buffer.of(port >>> 8, port & 0xff),
  ])
}

/** Reads a greeting and not a byte more; the address in it, as a multiaddr. */
export async function readGreeting(stream: NativeStream): Promise<Result<string, GreetingFault>> {
  const head = await readExactly(stream, 2)
  if (head === undefined) return err('greeting_truncated')
  const [kind, length = 0] = head
  if (kind !== streamKinds.main || (length !== 4 && length !== 16)) return err('greeting_malformed')
  const body = await readExactly(stream, length + portBytes)
  if (body === undefined) return err('greeting_truncated')
  const port = body.readUInt16BE(length)
  return ok(quicAddress(hostOf(body.subarray(0, length)), port))
}

/**
 * What binds a session to this connection: the keys that both certificates prove. Whoever stands between has to show
 * keys of its own, on both sides. The keys are fresh ones of each transport, so it tells nothing about the agents.
 */
export function bindingOf(dialler: Uint8Array, listener: Uint8Array): Uint8Array {
  const hash = createHash('sha256').update(bindingLabel).update(dialler).update(listener)
  return new Uint8Array(hash.digest())
}

async function readExactly(stream: NativeStream, bytes: number): Promise<Buffer | undefined> {
  const parts: Uint8Array[] = []
  for (let left = bytes; left > 0; ) {
    const part = await stream.read(left)
    if (part === null) return undefined
    parts.push(part)
    left -= part.length
  }
  return Buffer.concat(parts)
}

function hostOf(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, i) =>
    Buffer.from(bytes)
      .readUInt16BE(2 * i)
      .toString(16),
  )
  // The URL parser writes it in its canonical form (RFC 5952).
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}

/** The URL parser has checked and spelt it, with at most one `::` and no dots. */
function ipv6Bytes(host: string): Buffer {
  const text = new URL(`http://[${host}]/`).hostname.slice(1, -1)
  const [left = '', right] = text.split('::')
  const words = (part: string) =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16))
  const head = words(left)
  const tail = right === undefined ? [] : words(right)
  const gap = new Array<number>(8 - head.length - tail.length).fill(0)
  const bytes = Buffer.alloc(16)
  for (const [index, word] of [...head, ...gap, ...tail].entries())
    bytes.writeUInt16BE(word, 2 * index)
  return bytes
}
