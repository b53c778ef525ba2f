// Schemas of payloads: a MessagePack map whose fields are all known, present unless optional, and each of its
// kind and within its bound. A fault names the field: `task_id_missing`, `round_invalid`, `unknown_field`.
// On the wire a field is written in snake_case (`deadlineMs` is `deadline_ms`), as in the envelope.

import { err, ok, type Result } from '@myelin/base'
import { WireError } from './errors.ts'
import type { MessageType } from './message-types.ts'
import { decodeMsgpack, encodeMsgpack } from './msgpack.ts'

/** A claim about one value, and what it claims in words for the sender's own error message. */
export interface Check<Value> {
  readonly expects: string
  readonly isOptional: boolean
  accepts(value: unknown): value is Value
}

/** A check for each field of a payload; one that may be absent has an optional check. */
export type Schema<Payload> = {
  readonly [Field in keyof Payload]-?: Check<Exclude<Payload[Field], undefined>>
}

export interface SchemaTypeOptions<Payload> {
  readonly name: string
  readonly id?: number
  readonly schema: Schema<Payload>
  /** Relations between fields: the fault, or undefined when they hold. */
  readonly relate?: (payload: Payload) => string | undefined
}

/** A message type whose payload is a map of the schema's fields. */
export function schemaType<Payload extends object>(
  options: SchemaTypeOptions<Payload>,
): MessageType<Payload> {
  const { name, id, schema, relate } = options
  const fields = Object.entries<Check<unknown>>(schema).map(([field, check]) => {
    return { field, wireName: snakeCase(field), check }
  })
  const known = new Set(fields.map(({ wireName }) => wireName))

  function encode(payload: Payload): Uint8Array {
    const map: Record<string, unknown> = {}
    for (const { field, wireName, check } of fields) {
      const value = (payload as Record<string, unknown>)[field]
      if (value === undefined && check.isOptional) continue
      if (!check.accepts(value)) throw payloadError(name, `${field} must be ${check.expects}`)
      map[wireName] = value
    }
    const fault = relate?.(payload)
    if (fault !== undefined) throw payloadError(name, `the fields disagree: ${fault}`)
    return encodeMsgpack(map)
  }

  function decode(bytes: Uint8Array): Result<Payload, string> {
    const decoded = decodeMsgpack(bytes)
    if (!decoded.ok) return decoded
    if (!isMap(decoded.value)) return err('payload_not_a_map')
    const map = decoded.value
    for (const key of Object.keys(map)) if (!known.has(key)) return err('unknown_field')
    const payload: Record<string, unknown> = {}
    for (const { field, wireName, check } of fields) {
      if (!Object.hasOwn(map, wireName)) {
        if (check.isOptional) continue
        return err(`${wireName}_missing`)
      }
      const value = map[wireName]
      if (!check.accepts(value)) return err(`${wireName}_invalid`)
      payload[field] = value
    }
    const fault = relate?.(payload as Payload)
    return fault === undefined ? ok(payload as Payload) : err(fault)
  }

  return id === undefined ? { name, encode, decode } : { name, id, encode, decode }
}

/** Text of 1 to `bytesMax` bytes in UTF-8. */
export function text(bytesMax: number): Check<string> {
  const accepts = (value: unknown): value is string =>
    typeof value === 'string' &&
    value.length > 0 &&
    value.isWellFormed() &&
    Buffer.byteLength(value) <= bytesMax
  return { expects: `text of 1 to ${bytesMax} bytes`, isOptional: false, accepts }
}

export function oneOf<Word extends string>(...words: readonly Word[]): Check<Word> {
  const accepts = (value: unknown): value is Word => words.includes(value as Word)
  return { expects: `one of ${words.join(', ')}`, isOptional: false, accepts }
}

/** A whole number from 0 to 2^53-1: rounds, counts, milliseconds. */
export const count: Check<number> = {
  expects: 'a whole number from 0 to 2^53-1',
  isOptional: false,
  accepts: (value): value is number => Number.isSafeInteger(value) && (value as number) >= 0,
}

export const finite: Check<number> = {
  expects: 'a finite number',
  isOptional: false,
  accepts: (value): value is number => Number.isFinite(value),
}

/** A number from 0 to 1. */
export const fraction: Check<number> = {
  expects: 'a number from 0 to 1',
  isOptional: false,
  accepts: (value): value is number => typeof value === 'number' && value >= 0 && value <= 1,
}

/** Bytes of any length, or of exactly `length`. */
export function bytes(length?: number): Check<Uint8Array> {
  const accepts = (value: unknown): value is Uint8Array =>
    value instanceof Uint8Array && (length === undefined || value.length === length)
  const expects = length === undefined ? 'a Uint8Array' : `a Uint8Array of ${length} bytes`
  return { expects, isOptional: false, accepts }
}

/** A list of at most `lengthMax` items that all pass. */
export function listOf<Item>(item: Check<Item>, lengthMax: number): Check<Item[]> {
  const accepts = (value: unknown): value is Item[] =>
    Array.isArray(value) && value.length <= lengthMax && value.every(item.accepts)
  return { expects: `a list of at most ${lengthMax}: ${item.expects}`, isOptional: false, accepts }
}

/** A map of at most `lengthMax` entries with bounded names, whose values all pass. */
export function mapOf<Value>(
  value: Check<Value>,
  lengthMax: number,
  nameBytesMax: number,
): Check<Record<string, Value>> {
  const name = text(nameBytesMax)
  const accepts = (map: unknown): map is Record<string, Value> => {
    if (!isMap(map)) return false
    const entries = Object.entries(map)
    return (
      entries.length <= lengthMax &&
      entries.every(([key, item]) => name.accepts(key) && value.accepts(item))
    )
  }
  return { expects: `at most ${lengthMax} entries: ${value.expects}`, isOptional: false, accepts }
}

/** Either of two kinds. */
export function either<A, B>(a: Check<A>, b: Check<B>): Check<A | B> {
  const accepts = (value: unknown): value is A | B => a.accepts(value) || b.accepts(value)
  return { expects: `${a.expects} or ${b.expects}`, isOptional: false, accepts }
}

export const flag: Check<boolean> = {
  expects: 'a boolean',
  isOptional: false,
  accepts: (value): value is boolean => typeof value === 'boolean',
}

/** The field may be absent. */
export function optional<Value>(check: Check<Value>): Check<Value> {
  return { ...check, isOptional: true }
}

function isMap(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function snakeCase(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function payloadError(name: string, message: string): WireError {
  return new WireError('WIRE_PAYLOAD_INVALID', `a payload of ${name}: ${message}`)
}

/** The checks that an application's own schemas are made of. */
export const checks = {
  bytes,
  count,
  either,
  finite,
  flag,
  fraction,
  listOf,
  mapOf,
  oneOf,
  optional,
  text,
} as const
