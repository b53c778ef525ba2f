// The errors of transport, and how those of the operating system map to them.
// All codes with their mends: docs/reference/errors.md.

import { type ErrorDetails, type ErrorKind, MyelinError } from '@myelin/base'

export type TransportErrorCode =
  | 'TRANSPORT_ABORTED'
  | 'TRANSPORT_ADDRESS'
  | 'TRANSPORT_ATTACHED'
  | 'TRANSPORT_CLOSED'
  | 'TRANSPORT_DENIED'
  | 'TRANSPORT_EXHAUSTED'
  | 'TRANSPORT_FAILED'
  | 'TRANSPORT_HANDSHAKE'
  | 'TRANSPORT_IN_USE'
  | 'TRANSPORT_OPTION'
  | 'TRANSPORT_PROTOCOL'
  | 'TRANSPORT_REFUSED'
  | 'TRANSPORT_RESET'
  | 'TRANSPORT_TIMEOUT'
  | 'TRANSPORT_UNAVAILABLE'
  | 'TRANSPORT_UNREACHABLE'
  | 'TRANSPORT_UNTRUSTED'

export class TransportError extends MyelinError<TransportErrorCode> {}

interface SystemFault {
  readonly code: TransportErrorCode
  readonly kind: ErrorKind
  /** The fault and the mend, to follow `cannot dial …: `. */
  readonly reason: string
}

const refused: SystemFault = {
  code: 'TRANSPORT_REFUSED',
  kind: 'recoverable',
  reason: 'nobody listens there; start the peer or check its address',
}
const unreachable: SystemFault = {
  code: 'TRANSPORT_UNREACHABLE',
  kind: 'recoverable',
  reason: 'no route leads there; check the address and the network',
}
const unresolved: SystemFault = {
  code: 'TRANSPORT_UNREACHABLE',
  kind: 'recoverable',
  reason: 'the name does not resolve; check its spelling and the DNS',
}
const timeout: SystemFault = {
  code: 'TRANSPORT_TIMEOUT',
  kind: 'recoverable',
  reason: 'the peer did not answer in time; check that it runs and no firewall drops packets',
}
const reset: SystemFault = {
  code: 'TRANSPORT_RESET',
  kind: 'recoverable',
  reason: 'the peer broke the stream off; dial again',
}
const denied: SystemFault = {
  code: 'TRANSPORT_DENIED',
  kind: 'usage',
  reason: 'the system forbids it; check file permissions, or use a port above 1023',
}
const exhausted: SystemFault = {
  code: 'TRANSPORT_EXHAUSTED',
  kind: 'recoverable',
  reason: 'the system is out of descriptors or memory; close streams or raise the limit',
}
const closed: SystemFault = {
  code: 'TRANSPORT_CLOSED',
  kind: 'recoverable',
  reason: 'the socket was closed first; dial again',
}
const failed: SystemFault = {
  code: 'TRANSPORT_FAILED',
  kind: 'recoverable',
  reason: 'the system reported an error; its cause has the details',
}

const tlsFailed: SystemFault = {
  code: 'TRANSPORT_HANDSHAKE',
  kind: 'protocol',
  reason:
    'TLS came to no agreement; check that the peer speaks TLS, its version, suites and groups',
}
const certificateAsked: SystemFault = {
  code: 'TRANSPORT_UNTRUSTED',
  kind: 'usage',
  reason: 'the peer does not accept our certificate; give one that its authority has signed',
}
const untrusted: SystemFault = {
  code: 'TRANSPORT_UNTRUSTED',
  kind: 'usage',
  reason: "the peer's certificate is not to be trusted; give its authority in ca, or correct it",
}
const namesAnotherHost =
  "the peer's certificate is for another name; dial that name, or add it as /tls/sni/<name>"
const broken: SystemFault = {
  code: 'TRANSPORT_PROTOCOL',
  kind: 'protocol',
  reason: 'the peer broke the WebSocket protocol; check what speaks there',
}

const systemFaults: ReadonlyMap<string, SystemFault> = new Map([
  ['ECONNREFUSED', refused],
  ['ENOENT', refused],
  ['EAGAIN', { ...refused, reason: 'its backlog is full; try again in a moment' }],
  ['EHOSTUNREACH', unreachable],
  ['ENETUNREACH', unreachable],
  ['EHOSTDOWN', unreachable],
  ['ENETDOWN', unreachable],
  [
    'EADDRNOTAVAIL',
    { ...unreachable, reason: 'this machine has no such address, or no free port left' },
  ],
  [
    'EINVAL',
    { ...unreachable, reason: 'the system takes no such address; a link-local one fails' },
  ],
  [
    'ENODEV',
    { ...unreachable, reason: 'no interface leads to the group; name one in multicast.interface' },
  ],
  ['EAFNOSUPPORT', { ...unreachable, reason: 'this machine has no such address family' }],
  ['ENOTFOUND', unresolved],
  ['EAI_AGAIN', unresolved],
  ['EAI_FAIL', unresolved],
  ['EAI_NODATA', unresolved],
  ['ENODATA', unresolved],
  ['ETIMEDOUT', timeout],
  ['ERR_SOCKET_CONNECTION_TIMEOUT', timeout],
  ['ECONNRESET', reset],
  ['ECONNABORTED', reset],
  ['EPIPE', reset],
  ['EACCES', denied],
  ['EPERM', denied],
  ['EROFS', denied],
  ['EMFILE', exhausted],
  ['ENFILE', exhausted],
  ['ENOBUFS', exhausted],
  ['ENOMEM', exhausted],
  ['ERR_SOCKET_CLOSED', closed],
  ['ERR_SOCKET_CLOSED_BEFORE_CONNECTION', closed],
  [
    'EADDRINUSE',
    {
      code: 'TRANSPORT_IN_USE',
      kind: 'usage',
      reason: 'another listener has the address; choose another or stop that one',
    },
  ],
])

/** Families of codes: the verification of certificates (X509_V_ERR_…), OpenSSL and ws. */
const faultFamilies: readonly (readonly [RegExp, SystemFault])[] = [
  [/^ERR_SSL_.*_ALERT_\w*(?:CERTIFICATE|UNKNOWN_CA)/, certificateAsked],
  [/^ERR_TLS_CERT_ALTNAME_/, { ...untrusted, reason: namesAnotherHost }],
  [/^(?:CERT|CRL)_|^UNABLE_TO_|SELF_SIGNED|^INVALID_(?:CA|PURPOSE)$|^PATH_LENGTH_/, untrusted],
  [/^HOSTNAME_MISMATCH$|^ERROR_IN_CERT_/, untrusted],
  [/^ERR_SSL_|^ERR_TLS_|^EPROTO$/, tlsFailed],
  [/^WS_ERR_/, broken],
]

function faultOf(name: string | undefined): SystemFault {
  if (name === undefined) return failed
  const family = () => faultFamilies.find(([pattern]) => pattern.test(name))?.[1]
  return systemFaults.get(name) ?? family() ?? failed
}

/** The `code` of an error of Node or the system, such as `ECONNREFUSED`. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const code = (error as NodeJS.ErrnoException).code
  return typeof code === 'string' ? code : undefined
}

/** Maps an error of Node or the system; `what` names the attempt: `cannot dial /ip4/…`. */
export function transportErrorOf(cause: unknown, what: string): TransportError {
  if (cause instanceof TransportError) return cause
  const name = systemCode(cause)
  const fault = faultOf(name)
  const suffix = name === undefined ? '' : ` (${name})`
  return transportError(fault.code, `${what}: ${fault.reason}${suffix}`, {
    cause,
    kind: fault.kind,
  })
}

export function abortedError(what: string, reason: unknown): TransportError {
  return transportError('TRANSPORT_ABORTED', `${what}: the caller's signal aborted it`, {
    cause: reason,
    kind: 'recoverable',
  })
}

export function resetError(what: string): TransportError {
  return transportError('TRANSPORT_RESET', `${what}: ${reset.reason}`, { kind: 'recoverable' })
}

/** The peer did what the protocol forbids; `reason` has the fault and the mend. */
export function protocolError(what: string, reason: string): TransportError {
  return transportError('TRANSPORT_PROTOCOL', `${what}: ${reason}`, { kind: 'protocol' })
}

export function handshakeError(what: string, reason: string, cause?: unknown): TransportError {
  const message = `${what}: ${reason}`
  return transportError('TRANSPORT_HANDSHAKE', message, { cause, kind: 'protocol' })
}

export function untrustedError(what: string, reason: string): TransportError {
  return transportError('TRANSPORT_UNTRUSTED', `${what}: ${reason}`, { kind: 'usage' })
}

export function optionError(message: string, cause?: unknown): TransportError {
  return transportError('TRANSPORT_OPTION', message, { cause, kind: 'usage' })
}

export function attachedTwiceError(): TransportError {
  const message = 'the stream has its handlers already; attach once and keep one owner'
  return transportError('TRANSPORT_ATTACHED', message, { kind: 'usage' })
}

/** Checks an option of the caller; returns it, or throws `TRANSPORT_OPTION`. */
export function integerOption(name: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  const message = `${name} is ${value}; give an integer from ${min} to ${max}`
  throw transportError('TRANSPORT_OPTION', message, { kind: 'usage' })
}

function transportError(
  code: TransportErrorCode,
  message: string,
  details: ErrorDetails,
): TransportError {
  return new TransportError(code, message, details)
}
