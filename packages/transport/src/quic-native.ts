// The package that speaks QUIC, @chainsafe/libp2p-quic, without its libp2p half: its native layer (quinn and rustls) is
// used directly. It is no dependency of ours: it is looked for when the first stream is dialled or listened for.
// Why this one, and what it cannot do: docs/decisions/0010-quic.md.

import { generateKeyPairSync } from 'node:crypto'
import { multiaddr } from '@multiformats/multiaddr'
import { assert } from '@myelin/base'
import { TransportError, type TransportErrorCode, transportErrorOf } from './errors.ts'

export interface NativeStream {
  /** Null at the end. At most `bytesMax`, in memory of its own. */
  read(bytesMax: number): Promise<Uint8Array | null>
  /** Resolves when quinn has all of it, under the window that the peer grants. One at a time. */
  write(bytes: Uint8Array): Promise<void>
  finishWrite(): Promise<void>
  /** This and `stopRead` wait for a write and a read that are under way. */
  resetWrite(): Promise<void>
  stopRead(): Promise<void>
}

export interface NativeConnection {
  inboundStream(): Promise<NativeStream>
  outboundStream(): Promise<NativeStream>
  remoteMultiaddr(): string
  /** Closes at once; what was not yet acknowledged is lost. */
  abort(): void
}

export interface NativeServer {
  port(): number
  /** One handshake, from its first packet to its end. */
  inboundConnection(): Promise<NativeConnection>
  /** Ends all connections and frees the port. */
  abort(): Promise<void>
}

export interface NativeClient {
  outboundConnection(host: string, port: number): Promise<NativeConnection>
  abort(): void
}

/** An identity with its settings. */
export interface NativeConfig {
  readonly isConfig?: never
}

interface NativeSettings {
  readonly privateKeyProto: Uint8Array
  readonly handshakeTimeout: number
  readonly maxIdleTimeout: number
  readonly keepAliveInterval: number
  readonly maxConcurrentStreamLimit: number
  readonly maxStreamData: number
  readonly maxConnectionData: number
  readonly receiveBufferSize: number
  readonly sendBufferSize: number
}

export interface NativeQuic {
  readonly QuinnConfig: new (settings: NativeSettings) => NativeConfig
  readonly Client: new (config: NativeConfig, family: 0 | 1) => NativeClient
  readonly Server: new (config: NativeConfig, host: string, port: number) => NativeServer
}

/** The settings that are ours to choose. */
export type QuicSettings = Omit<NativeSettings, 'privateKeyProto'>

/** Who one transport is on this layer: a key that was made for it and is nowhere else. */
export interface QuicIdentity {
  readonly config: NativeConfig
  readonly publicKey: Uint8Array
}

const packageName = '@chainsafe/libp2p-quic'
const packageVersion = '2.1.1'

/** Loads the package, or throws `TRANSPORT_UNAVAILABLE` with the command that installs it. */
export async function loadQuic(
  resolve: (name: string) => string = (name) => import.meta.resolve(name),
): Promise<NativeQuic> {
  try {
    // Its map of exports has the libp2p half alone; the native one lies beside it.
    const native: NativeQuic = await import(new URL('napi.js', resolve(packageName)).href)
    for (const name of ['QuinnConfig', 'Client', 'Server'] as const)
      assert(typeof native[name] === 'function', `${packageName} has no ${name}`)
    return native
  } catch (cause) {
    const message = `QUIC needs the package ${packageName} ${packageVersion}; run npm install ${packageName}@${packageVersion}, or use another transport`
    throw new TransportError('TRANSPORT_UNAVAILABLE', message, { cause, kind: 'usage' })
  }
}

/** A fresh Ed25519 key, in the protobuf that libp2p has for it (libp2p specs, peer-ids), with the settings. */
export function quicIdentity(native: NativeQuic, settings: QuicSettings): QuicIdentity {
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  const secret = Buffer.from(d, 'base64url')
  const publicKey = Buffer.from(x, 'base64url')
  // Field 1: key type 1, Ed25519. Field 2: 64 bytes, secret and public.
  const privateKeyProto = Buffer.concat([Buffer.of(8, 1, 18, 64), secret, publicKey])
  try {
    return { config: new native.QuinnConfig({ ...settings, privateKeyProto }), publicKey }
  } finally {
    secret.fill(0)
    privateKeyProto.fill(0)
  }
}

/** The address of the peer, and the key that its certificate proves (libp2p specs, tls). */
export function remoteOf(
  connection: NativeConnection,
): { readonly host: string; readonly port: number; readonly publicKey: Uint8Array } | undefined {
  const [, host, port, id] =
    /^\/ip[46]\/([^/]+)\/udp\/(\d+)\/quic-v1\/p2p\/(\w+)$/.exec(connection.remoteMultiaddr()) ?? []
  if (host === undefined || port === undefined || id === undefined) return undefined
  // Ends in the multihash "identity, 36 bytes" of the protobuf of an Ed25519 key.
  const bytes = Buffer.from(multiaddr(`/p2p/${id}`).bytes)
  const head = Buffer.of(0x00, 36, 8, 1, 18, 32)
  const start = bytes.length - 32
  if (bytes.subarray(start - head.length, start).compare(head) !== 0) return undefined
  return { host, port: Number(port), publicKey: new Uint8Array(bytes.subarray(start)) }
}

interface QuicFault {
  readonly pattern: RegExp
  readonly code: TransportErrorCode
  readonly reason: string
}

/** The texts of quinn: the package hands on nothing else. */
const faults: readonly QuicFault[] = [
  {
    pattern: /^timed out/,
    code: 'TRANSPORT_TIMEOUT',
    reason: 'the peer did not answer in time; check that it runs and no firewall drops packets',
  },
  {
    pattern: /Address already in use/,
    code: 'TRANSPORT_IN_USE',
    reason: 'another listener has the address; choose another or stop that one',
  },
  {
    pattern: /Cannot assign requested address|invalid remote address|unreachable/i,
    code: 'TRANSPORT_UNREACHABLE',
    reason: 'this machine has no such address, or no route leads there; check it',
  },
  {
    pattern: /Permission denied/,
    code: 'TRANSPORT_DENIED',
    reason: 'the system forbids it; use a port above 1023',
  },
  {
    pattern: /Too many open files/,
    code: 'TRANSPORT_EXHAUSTED',
    reason: 'the system is out of descriptors; close streams or raise the limit',
  },
  {
    pattern: /closed by peer|reset by peer|stopped by peer|^closed|connection lost|^reset/,
    code: 'TRANSPORT_RESET',
    reason: 'the peer broke the stream off; dial again',
  },
  {
    pattern: /aborted by peer|cryptographic handshake/,
    code: 'TRANSPORT_HANDSHAKE',
    reason: 'no agreement was reached; check that the peer speaks QUIC as Myelin does',
  },
]

const usageCodes: ReadonlySet<string> = new Set(['TRANSPORT_IN_USE', 'TRANSPORT_DENIED'])

/** What an error of the package means; `what` names the attempt: `cannot dial /ip4/…`. */
export function quicError(cause: unknown, what: string): TransportError {
  if (cause instanceof TransportError) return cause
  const text = cause instanceof Error ? cause.message : String(cause)
  const fault = faults.find(({ pattern }) => pattern.test(text))
  if (fault === undefined) return transportErrorOf(cause, `${what} (${text})`)
  const kind = usageCodes.has(fault.code) ? 'usage' : 'recoverable'
  return new TransportError(fault.code, `${what}: ${fault.reason}`, { cause, kind })
}
