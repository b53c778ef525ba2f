// What is said on a control socket: one JSON document per line, {id, method, params} one way and
// {id, result} or {id, error} back, in any order. Strict: an unknown method, an unknown or missing parameter
// or a value out of bounds is a fault, and nothing has happened then. Payloads travel as their type encodes
// them, in base64url. Pure.

import { err, ok, type Result, utf8Decode } from '@myelin/base'
import type { PoolStats, SendOptions, Traffic } from '@myelin/fabric'
import type { AgentId, TrustEntry } from '@myelin/identity'
import { type Check, checks, type Schema } from '@myelin/wire'
import {
  controlTextBytesMax,
  controlTimeoutMsMax,
  controlTokenBytesMax,
  invitationLifetimeMsMax,
} from './control-limits.ts'

export interface ControlStatus {
  readonly agent: AgentId
  readonly name: string
  readonly pid: number
  readonly addresses: readonly string[]
  readonly peers: number
  readonly traffic: Traffic
  /** Security events by kind since the start. */
  readonly security: Readonly<Record<string, number>>
}

export interface ControlPeer {
  readonly agent: AgentId
  readonly name: string
  readonly roles: readonly string[]
  readonly direction: 'out' | 'in'
  readonly transport: string
  readonly remoteAddress: string
  readonly security: string
  readonly messagesSent: number
  readonly messagesReceived: number
  readonly bytesSent: number
  readonly bytesReceived: number
}

/** A trusted agent, with what it calls itself where that is known. */
export interface ControlTrust extends TrustEntry {
  readonly ownName?: string
}

export interface ControlInvitation {
  readonly token: string
  readonly roles: readonly string[]
  readonly addresses: readonly string[]
  readonly expiresMs: number
}

export interface ControlMessage {
  /** An agent id, a name, or a multiaddr that ends in /p2p/. */
  readonly to: string
  readonly type: string
  /** Encoded as the type demands, in base64url. */
  readonly payload: string
  /** Bytes of a type that is not registered, instead of a fault. */
  readonly isCustom?: boolean
  readonly timeoutMs?: number
}

/** Params and result of each method. */
export interface ControlMethods {
  status: { params: Record<never, never>; result: ControlStatus }
  peers: {
    params: Record<never, never>
    result: { readonly peers: readonly ControlPeer[]; readonly pool: PoolStats }
  }
  invite: {
    params: {
      readonly roles?: string[]
      readonly lifetimeMs?: number
      readonly addresses?: string[]
    }
    result: ControlInvitation
  }
  join: {
    params: { readonly token: string; readonly roles?: string[]; readonly timeoutMs?: number }
    result: ControlPeer
  }
  'trust-list': {
    params: Record<never, never>
    result: { readonly entries: readonly ControlTrust[] }
  }
  'trust-add': {
    /** `agent`: an agent id, or a multiaddr that ends in one. */
    params: { readonly agent: string; readonly name?: string; readonly roles?: string[] }
    result: TrustEntry
  }
  'trust-remove': {
    /** `agent`: an agent id, or the name that the trust store has for it. */
    params: { readonly agent: string }
    result: { readonly entry: TrustEntry; readonly isConfigured: boolean }
  }
  send: {
    /** `at-least-once`: answered when the peer has handled it. */
    params: ControlMessage & { readonly delivery?: SendOptions['delivery'] }
    result: { readonly agent: AgentId; readonly name: string; readonly bytes: number }
  }
  request: {
    params: ControlMessage
    result: { readonly from: AgentId; readonly type: string; readonly payload: string }
  }
  ping: {
    params: { readonly to: string; readonly timeoutMs?: number }
    result: { readonly agent: AgentId; readonly roundTripMs: number }
  }
}

export type ControlMethod = keyof ControlMethods

export interface ControlRequest<Method extends ControlMethod = ControlMethod> {
  readonly id: number
  readonly method: Method
  readonly params: ControlMethods[Method]['params']
}

export interface ControlFault {
  readonly code: string
  readonly message: string
  readonly kind: 'recoverable' | 'protocol' | 'usage' | 'fatal'
}

export type ControlResponse =
  | { readonly id: number | null; readonly result: unknown }
  | { readonly id: number | null; readonly error: ControlFault }

const { count, flag, listOf, optional } = checks
const text = checks.text(controlTextBytesMax)
const roles = optional(listOf(checks.text(64), 16))
const timeoutMs = optional(milliseconds(controlTimeoutMsMax))
/** Its length is bounded by that of its line. */
const payload: Check<string> = {
  expects: 'base64url',
  isOptional: false,
  accepts: (value): value is string => typeof value === 'string' && /^[A-Za-z0-9_-]*$/.test(value),
}
const message: Schema<ControlMessage> = {
  to: text,
  type: text,
  payload,
  isCustom: optional(flag),
  timeoutMs,
}

const schemas: { readonly [Method in ControlMethod]: Schema<ControlMethods[Method]['params']> } = {
  status: {},
  peers: {},
  invite: {
    roles,
    lifetimeMs: optional(milliseconds(invitationLifetimeMsMax)),
    addresses: optional(listOf(text, 16)),
  },
  join: { token: checks.text(controlTokenBytesMax), roles, timeoutMs },
  'trust-list': {},
  'trust-add': { agent: text, name: optional(text), roles },
  'trust-remove': { agent: text },
  send: { ...message, delivery: optional(checks.oneOf('at-most-once', 'at-least-once')) },
  request: message,
  ping: { to: text, timeoutMs },
}

export const controlMethods = Object.keys(schemas) as readonly ControlMethod[]

/** What is wrong with a line, for its sender; with the id where there is one. */
export interface ControlRequestFault {
  readonly id: number | null
  readonly problem: string
}

export type ParsedControlRequest =
  | { readonly ok: true; readonly value: ControlRequest }
  | { readonly ok: false; readonly fault: ControlRequestFault }

export function parseControlRequest(line: Uint8Array): ParsedControlRequest {
  const parsed = parseObject(line)
  if (!parsed.ok) return wrong(null, parsed.fault)
  const { id, method, params = {}, ...rest } = parsed.value
  if (!count.accepts(id)) return wrong(null, 'id must be a whole number from 0 to 2^53-1')
  const extra = Object.keys(rest)[0]
  if (extra !== undefined) return wrong(id, `${shown(extra)} is no member of a request`)
  const known = controlMethods.find((name) => name === method)
  if (known === undefined) return wrong(id, `method must be one of ${controlMethods.join(', ')}`)
  if (!isObject(params)) return wrong(id, 'params must be an object')
  const problem = checkParams(known, params)
  if (problem !== undefined) return wrong(id, problem)
  return ok({ id, method: known, params: params as ControlRequest['params'] })
}

/** Undefined: not a response, or to nothing. */
export function parseControlResponse(line: Uint8Array): ControlResponse | undefined {
  const parsed = parseObject(line)
  if (!parsed.ok) return undefined
  const { id, error } = parsed.value
  if (id !== null && !count.accepts(id)) return undefined
  if (error === undefined) return { id, result: parsed.value.result }
  if (!isObject(error)) return undefined
  const { code, message: says, kind } = error
  if (typeof code !== 'string' || typeof says !== 'string') return undefined
  const kinds = ['recoverable', 'protocol', 'usage', 'fatal'] as const
  return { id, error: { code, message: says, kind: kinds.find((k) => k === kind) ?? 'protocol' } }
}

/** The problem, or undefined where the parameters are right. */
export function checkParams(
  method: ControlMethod,
  params: Readonly<Record<string, unknown>>,
): string | undefined {
  const schema: Readonly<Record<string, Check<unknown>>> = schemas[method]
  for (const name of Object.keys(params)) {
    if (!Object.hasOwn(schema, name)) return `${method} takes no parameter ${shown(name)}`
  }
  for (const [name, check] of Object.entries(schema)) {
    const value = params[name]
    if (value === undefined && check.isOptional) continue
    if (!check.accepts(value)) return `${method}: ${name} must be ${check.expects}`
  }
  return undefined
}

function milliseconds(max: number): Check<number> {
  return {
    expects: `a whole number of ms from 1 to ${max}`,
    isOptional: false,
    accepts: (value): value is number =>
      Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= max,
  }
}

function parseObject(line: Uint8Array): Result<Record<string, unknown>, string> {
  const decoded = utf8Decode(line)
  if (decoded === undefined) return err('a line must be UTF-8')
  try {
    const value: unknown = JSON.parse(decoded)
    return isObject(value) ? ok(value) : err('a line must be a JSON object')
  } catch {
    return err('a line must be JSON')
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 40))
}

function wrong(id: number | null, problem: string): ParsedControlRequest {
  return { ok: false, fault: { id, problem } }
}
