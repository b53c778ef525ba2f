// Addresses as multiaddrs (github.com/multiformats/multiaddr): what this package dials and listens on.
//
//   /ip4/192.0.2.1/tcp/4001   /ip6/2001:db8::1/tcp/4001   /dns/example.org/tcp/4001, also dns4 and dns6
//   /…/tcp/443/tls            /…/tcp/443/tls/sni/example.org      TLS; sni where the name is not the host's
//   /…/tcp/80/ws              /…/tcp/443/tls/ws, read also from /wss, and with sni: WebSocket
//   /ip4/192.0.2.1/udp/4001   /ip6/2001:db8::1/udp/4001          datagrams; a group to join where multicast
//   /ip4/192.0.2.1/udp/4001/quic-v1, also ip6                   QUIC
//   /unix/%2Frun%2Fagent.sock (one component: slashes are percent-encoded)      /memory/alice
//   /shm/%2Frun%2Fagent.sock  ours, not a registered protocol: shared memory, agreed on over that socket
//
// each with an optional trailing /p2p/<peer id>. Text comes from peers and files, so it is read into a Result;
// `addressFaults` says for each fault how to mend the text. Pure, and free of Node: browsers use it too.

import { type Component, type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { err, ok, type Result } from '@myelin/base'
import { TransportError } from './errors.ts'
import {
  addressCharsMax,
  hostCharsMax,
  hostLabelCharsMax,
  memoryNameCharsMax,
  pipePathCharsMax,
} from './limits.ts'

/** Each fault of an address with its mend, to follow the address: `"…" is …`. */
export const addressFaults = {
  address_empty: 'is empty; write a multiaddr such as /ip4/127.0.0.1/tcp/4001',
  address_host: 'has a bad host name; use letters, digits, "-" and dots, or its punycode form',
  address_long: `is too long; an address has at most ${addressCharsMax} characters`,
  address_malformed: 'is no multiaddr; check each /name/value pair, as in /ip4/127.0.0.1/tcp/4001',
  address_name: `has a bad memory name; use 1 to ${memoryNameCharsMax} of A-Z a-z 0-9 . _ ~ -`,
  address_path:
    'has a bad path; write it absolute and percent-encoded, as in /unix/%2Frun%2Fagent.sock',
  address_peer: 'ends in a bad peer id; write /p2p/ and an id such as 12D3KooW…',
  address_port: 'has a bad port; use 0 to 65535 without leading zeros',
  address_slash: 'does not start with "/"; write a multiaddr such as /dns4/example.org/tcp/4001',
  address_unsupported:
    'is of no supported form; use /ip4|ip6|dns|dns4|dns6/…/tcp/…, the same with /tls, /ws or /tls/ws, /ip4|ip6/…/udp/…, the same with /quic-v1, /unix/…, /shm/… or /memory/…',
} as const

export type AddressFault = keyof typeof addressFaults

export interface TcpEndpoint {
  readonly host: string
  readonly port: number
  /** 4 or 6 where the address fixes the family, 0 where a name may resolve to both. */
  readonly family: 0 | 4 | 6
}

/** Where TLS is spoken, and as whom the peer is addressed. */
export interface TlsEndpoint extends TcpEndpoint {
  /** The name behind /sni/, where it is not the host. */
  readonly serverName?: string
}

export interface WebSocketEndpoint extends TlsEndpoint {
  readonly isTls: boolean
}

/** Where datagrams go. No names: a socket sends without waiting for a resolver. */
export interface UdpEndpoint {
  readonly host: string
  readonly port: number
  readonly family: 4 | 6
}

interface AddressParts {
  /** The address in its canonical spelling, without the peer. */
  readonly address: string
  /** The peer id behind /p2p/. Its form is checked, not whose it is. */
  readonly peer?: string
}

type Place =
  | { readonly kind: 'tcp'; readonly endpoint: TcpEndpoint }
  | { readonly kind: 'tls'; readonly endpoint: TlsEndpoint }
  | { readonly kind: 'websocket'; readonly endpoint: WebSocketEndpoint }
  | { readonly kind: 'udp'; readonly endpoint: UdpEndpoint }
  | { readonly kind: 'quic'; readonly endpoint: UdpEndpoint }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'shm'; readonly path: string }
  | { readonly kind: 'memory'; readonly name: string }

export type Address = AddressParts & Place

/** Stands for an end that has no name, such as the client of a Unix socket: the empty multiaddr. */
export const unnamedAddress = '/'

const codeP2p = 421
const shmPrefix = '/shm/'
const unixPrefix = '/unix/'
const codeTls = 448
const codeWs = 477

/** Reads one address that this package can dial or listen on. */
export function parseAddress(text: string): Result<Address, AddressFault> {
  if (text === '') return err('address_empty')
  if (text.length > addressCharsMax) return err('address_long')
  if (!text.startsWith('/')) return err('address_slash')
  if (text.startsWith(shmPrefix)) return parseShm(text)
  let components: Component[]
  try {
    components = multiaddr(text).getComponents()
  } catch {
    return err(hasBadPort(text) ? 'address_port' : 'address_malformed')
  }
  const last = components.at(-1)
  const hasPeer = components.length > 1 && last?.code === codeP2p
  const place = spellOut(hasPeer ? components.slice(0, -1) : components)
  // The library checks a value only as it encodes it: each part is encoded here, where it can be named.
  if (hasPeer && !isEncodable([last])) return err('address_peer')
  const kind = parsePlace(place)
  if (!kind.ok) return kind
  const address = canonical(place)
  if (address === undefined) return err('address_malformed')
  // Percent-encoding may lengthen it, and it must be readable again.
  if (address.length > addressCharsMax) return err('address_long')
  const peer = hasPeer ? last.value : undefined
  return ok({ address, ...(peer === undefined ? {} : { peer }), ...kind.value })
}

/** Splits a trailing /p2p/<peer id> off. Text of any kind passes: what is left is for `parseAddress`. */
export function splitPeer(address: string): { address: string; peer?: string } {
  if (address.length > addressCharsMax) return { address }
  const match = /^(.*)\/(?:p2p|ipfs)\/([^/]+)\/*$/su.exec(address)
  if (match === null) return { address }
  return { address: match[1] ?? '', peer: match[2] ?? '' }
}

/** The host and port of a /…/tcp/… address. */
export function tcpEndpoint(address: string): Result<TcpEndpoint, AddressFault> {
  const parsed = parseAddress(address)
  if (!parsed.ok) return parsed
  return parsed.value.kind === 'tcp' ? ok(parsed.value.endpoint) : err('address_unsupported')
}

/** The host, port and name of a /…/tcp/…/tls address. */
export function tlsEndpoint(address: string): Result<TlsEndpoint, AddressFault> {
  const parsed = parseAddress(address)
  if (!parsed.ok) return parsed
  return parsed.value.kind === 'tls' ? ok(parsed.value.endpoint) : err('address_unsupported')
}

/** The host, port and name of a /…/tcp/…/ws or /…/tcp/…/tls/ws address. */
export function websocketEndpoint(address: string): Result<WebSocketEndpoint, AddressFault> {
  const parsed = parseAddress(address)
  if (!parsed.ok) return parsed
  return parsed.value.kind === 'websocket' ? ok(parsed.value.endpoint) : err('address_unsupported')
}

/** The IP address and port of a /…/udp/… address. */
export function udpEndpoint(address: string): Result<UdpEndpoint, AddressFault> {
  const parsed = parseAddress(address)
  if (!parsed.ok) return parsed
  return parsed.value.kind === 'udp' ? ok(parsed.value.endpoint) : err('address_unsupported')
}

/** The IP address and port of a /…/udp/…/quic-v1 address. */
export function quicEndpoint(address: string): Result<UdpEndpoint, AddressFault> {
  const parsed = parseAddress(address)
  if (!parsed.ok) return parsed
  return parsed.value.kind === 'quic' ? ok(parsed.value.endpoint) : err('address_unsupported')
}

/** The file path of a /unix/… address, as it is written there. */
export function ipcPath(address: string): Result<string, AddressFault> {
  const parsed = parseAddress(address)
  if (!parsed.ok) return parsed
  return parsed.value.kind === 'unix' ? ok(parsed.value.path) : err('address_unsupported')
}

/** The path of the socket of a /shm/… address. */
export function shmPath(address: string): Result<string, AddressFault> {
  const parsed = parseAddress(address)
  if (!parsed.ok) return parsed
  return parsed.value.kind === 'shm' ? ok(parsed.value.path) : err('address_unsupported')
}

/** The name of a /memory/… address. */
export function memoryName(address: string): Result<string, AddressFault> {
  const parsed = parseAddress(address)
  if (!parsed.ok) return parsed
  return parsed.value.kind === 'memory' ? ok(parsed.value.name) : err('address_unsupported')
}

/** The multiaddr of an IP address and port, as a socket reports them. A zone (`%eth0`) is left out. */
export function tcpAddress(host: string, port: number): string {
  return `${ipAddress(host)}/tcp/${port}`
}

/** The same for a socket of datagrams. */
export function udpAddress(host: string, port: number): string {
  return `${ipAddress(host)}/udp/${port}`
}

/** The multiaddr of a socket path. */
export function ipcAddress(path: string): string {
  return `/unix/${encodeURIComponent(path)}`
}

/** The address of shared memory that is agreed on over the socket at `path`. */
export function shmAddress(path: string): string {
  return `${shmPrefix}${encodeURIComponent(path)}`
}

/**
 * What the system calls the socket at `path`: on Windows a named pipe, because Node knows Unix sockets there
 * only as pipes; elsewhere the path itself. Two paths that differ give two pipes (letter case aside).
 */
export function pipePath(path: string, platform: NodeJS.Platform): Result<string, AddressFault> {
  if (platform !== 'win32') return path.startsWith('/') ? ok(path) : err('address_path')
  const isPipe = /^\\\\[.?]\\pipe\\./i.test(path)
  const name = isPipe ? path : `\\\\.\\pipe\\${path.replaceAll('/', '\\').replace(/^\\+/, '')}`
  return name.length <= pipePathCharsMax ? ok(name) : err('address_path')
}

/** The error for an address that the caller gave and nobody can use. */
export function addressError(address: string, fault: AddressFault): TransportError {
  const shown = JSON.stringify(address.length > 80 ? `${address.slice(0, 80)}…` : address)
  const message = `${shown} ${addressFaults[fault]}`
  return new TransportError('TRANSPORT_ADDRESS', message, { kind: 'usage' })
}

/** Reads it as the address of its socket: multiaddr knows no shared memory. */
function parseShm(text: string): Result<Address, AddressFault> {
  const parsed = parseAddress(unixPrefix + text.slice(shmPrefix.length))
  if (!parsed.ok) return parsed
  const { address, peer, ...place } = parsed.value
  if (place.kind !== 'unix') return err('address_unsupported')
  const own = shmPrefix + address.slice(unixPrefix.length)
  return ok({ ...place, kind: 'shm', address: own, ...(peer === undefined ? {} : { peer }) })
}

function ipAddress(host: string): string {
  if (!host.includes(':')) return `/ip4/${host}`
  const zone = host.indexOf('%')
  return `/ip6/${zone < 0 ? host : host.slice(0, zone)}`
}

const families: Readonly<Record<string, 0 | 4 | 6>> = { ip4: 4, ip6: 6, dns: 0, dns4: 4, dns6: 6 }

function parsePlace(components: readonly Component[]): Result<Place, AddressFault> {
  const [first, second] = components
  const value = first?.value ?? ''
  if (components.length === 1 && first?.name === 'unix')
    return isAbsolutePath(value) ? ok({ kind: 'unix', path: value }) : err('address_path')
  if (components.length === 1 && first?.name === 'memory')
    return isMemoryName(value) ? ok({ kind: 'memory', name: value }) : err('address_name')
  const family = Object.hasOwn(families, first?.name ?? '')
    ? families[first?.name ?? '']
    : undefined
  if (second?.name === 'udp') return parseUdp(components)
  if (family === undefined || second?.name !== 'tcp') return err('address_unsupported')
  if (first?.name.startsWith('dns') && !isHostName(value)) return err('address_host')
  const endpoint = { host: value, port: Number(second.value), family }
  return parseSuffix(endpoint, components.slice(2))
}

/** Plain datagrams or QUIC, to an IP address: no name stands in its place. */
function parseUdp(components: readonly Component[]): Result<Place, AddressFault> {
  const [first, second, third] = components
  const host = first?.value ?? ''
  const port = Number(second?.value)
  const isQuic = components.length === 3 && third?.name === 'quic-v1'
  if (components.length !== 2 && !isQuic) return err('address_unsupported')
  const kind = isQuic ? 'quic' : 'udp'
  if (first?.name === 'ip4') return ok({ kind, endpoint: { host, port, family: 4 } })
  if (first?.name === 'ip6') return ok({ kind, endpoint: { host, port, family: 6 } })
  return err('address_unsupported')
}

/** What is spoken over TCP: nothing of ours, TLS, WebSocket, or WebSocket over TLS. */
function parseSuffix(
  endpoint: TcpEndpoint,
  suffix: readonly Component[],
): Result<Place, AddressFault> {
  const sni = suffix[0]?.name === 'tls' && suffix[1]?.name === 'sni' ? suffix[1] : undefined
  const serverName = sni?.value
  if (sni !== undefined && !isServerName(serverName ?? '')) return err('address_host')
  const named = { ...endpoint, ...(serverName === undefined ? {} : { serverName }) }
  const protocols = suffix.filter((component) => component !== sni)
  switch (protocols.map(({ name }) => name).join('/')) {
    case '':
      return ok({ kind: 'tcp', endpoint })
    case 'tls':
      return ok({ kind: 'tls', endpoint: named })
    case 'ws':
      return ok({ kind: 'websocket', endpoint: { ...endpoint, isTls: false } })
    case 'tls/ws':
      return ok({ kind: 'websocket', endpoint: { ...named, isTls: true } })
    default:
      return err('address_unsupported')
  }
}

/** /wss is the older spelling of /tls/ws. */
function spellOut(components: readonly Component[]): readonly Component[] {
  if (components.at(-1)?.name !== 'wss') return components
  return [...components.slice(0, -1), { code: codeTls, name: 'tls' }, { code: codeWs, name: 'ws' }]
}

/** A name that SNI can carry: no address (RFC 6066 §3), no dot at its end. */
function isServerName(name: string): boolean {
  return isHostName(name) && !name.endsWith('.') && !/^[\d.]+$/.test(name)
}

/** Absolute on Unix or on Windows, no NUL (the system would cut there), and not a folder. */
function isAbsolutePath(path: string): boolean {
  if (path.includes('\0') || /[/\\]$/.test(path)) return false
  return /^(?:\/|\\\\|[A-Za-z]:[/\\])/.test(path)
}

function isMemoryName(name: string): boolean {
  return name.length <= memoryNameCharsMax && /^[A-Za-z0-9._~-]+$/.test(name)
}

/** Letters, digits and hyphens (RFC 952, RFC 1123 §2.1), and the underscore that container names use. */
function isHostName(host: string): boolean {
  const bare = host.endsWith('.') ? host.slice(0, -1) : host
  if (bare.length === 0 || bare.length > hostCharsMax) return false
  return bare
    .split('.')
    .every(
      (label) =>
        label.length <= hostLabelCharsMax &&
        /^[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?$/.test(label),
    )
}

function hasBadPort(text: string): boolean {
  const port = /\/(?:tcp|udp)\/([^/]*)/.exec(text)?.[1]
  return port !== undefined && !(/^(?:0|[1-9]\d{0,4})$/.test(port) && Number(port) <= 65_535)
}

function isEncodable(components: readonly Component[]): boolean {
  return canonical(components) !== undefined
}

function canonical(components: readonly Component[]): string | undefined {
  try {
    const built: Multiaddr = multiaddr([...components])
    return built.bytes.length > 0 ? built.toString() : undefined
  } catch {
    return undefined
  }
}
