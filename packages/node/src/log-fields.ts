// Makes any value safe to write down: no secrets, bounded, plain JSON, and never a throw. Secrets are known by
// the name of their field, by PEM armour and, for bytes, by length: what is longer than an id is not shown.

import { hexEncode } from '@myelin/base'
import {
  logBytesShownMax,
  logCausesMax,
  logDepthMax,
  logEntriesMax,
  logTextLengthMax,
  logValuesMax,
} from './log-limits.ts'

/** What stands in place of a secret. */
export const redacted = '[redacted]'

const secretWords: ReadonlySet<string> = new Set([
  'accesskey',
  'apikey',
  'auth',
  'authorization',
  'bearer',
  'cookie',
  'credential',
  'ikm',
  'key',
  'mnemonic',
  'okm',
  'passphrase',
  'passwd',
  'password',
  'pin',
  'private',
  'privatekey',
  'psk',
  'pwd',
  'secret',
  'secretkey',
  'seed',
  'token',
])

/** A last word that makes a name speak about a secret instead of holding it: `keyId`, `tokenCount`. */
const aboutWords: ReadonlySet<string> = new Set([
  'algorithm',
  'count',
  'epoch',
  'id',
  'index',
  'kind',
  'length',
  'type',
])

/** Whether a field of this name is redacted. `more` holds further words, in lower case. */
export function isSecretName(name: string, more: ReadonlySet<string> = new Set()): boolean {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== '')
  if (words.includes('public') || aboutWords.has(words.at(-1) ?? '')) return false
  return words.some((word) => {
    const singular = word.replace(/s$/, '')
    return [word, singular].some((form) => secretWords.has(form) || more.has(form))
  })
}

export type PlainValue =
  | string
  | number
  | boolean
  | null
  | readonly PlainValue[]
  | { readonly [name: string]: PlainValue }

export interface PlainOptions {
  /** Further words that make a field a secret, in lower case. */
  readonly redact: ReadonlySet<string>
}

/** The fields of one event as plain JSON values; undefined fields are left out. */
export function plainFields(
  fields: Readonly<Record<string, unknown>>,
  options: PlainOptions,
): Record<string, PlainValue> {
  return new Plainer(options.redact).fields(fields)
}

/** One walk over one event: it carries the budget and the objects on the way down. */
class Plainer {
  readonly #redact: ReadonlySet<string>
  readonly #open = new Set<object>()
  #budget = logValuesMax

  constructor(redact: ReadonlySet<string>) {
    this.#redact = redact
  }

  fields(source: object): Record<string, PlainValue> {
    // No prototype: a field `__proto__` is a field like any other.
    const out: Record<string, PlainValue> = Object.create(null)
    const names = Object.keys(source)
    for (const name of names.slice(0, logEntriesMax)) {
      const shown = this.#field(name, () => (source as Record<string, unknown>)[name])
      if (shown !== undefined) out[cut(name)] = shown
    }
    if (names.length > logEntriesMax) out['…'] = `${names.length - logEntriesMax} more`
    return out
  }

  #field(name: string, read: () => unknown): PlainValue | undefined {
    if (isSecretName(name, this.#redact)) return redacted
    try {
      const value = read()
      return value === undefined ? undefined : this.value(value)
    } catch {
      return '[unreadable]'
    }
  }

  value(value: unknown): PlainValue {
    this.#budget -= 1
    if (this.#budget < 0) return '[more]'
    switch (typeof value) {
      case 'string':
        return plainText(value)
      case 'number':
        // JSON has no NaN and no infinities, and null would hide which it was.
        return Number.isFinite(value) ? value : String(value)
      case 'boolean':
        return value
      case 'object':
        return value === null ? null : this.#object(value)
      case 'function':
        return '[function]'
      default:
        // bigint, symbol, undefined
        return cut(String(value))
    }
  }

  #object(value: object): PlainValue {
    if (this.#open.has(value)) return '[circular]'
    if (this.#open.size >= logDepthMax) return Array.isArray(value) ? '[list]' : '[object]'
    this.#open.add(value)
    try {
      return this.#content(value)
    } catch {
      return '[unreadable]'
    } finally {
      this.#open.delete(value)
    }
  }

  #content(value: object): PlainValue {
    if (ArrayBuffer.isView(value)) {
      return plainBytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
    }
    if (value instanceof ArrayBuffer) return plainBytes(new Uint8Array(value))
    if (value instanceof Error) return this.#error(value)
    if (value instanceof Date) {
      return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString()
    }
    if (value instanceof URL) return plainUrl(value)
    if (Array.isArray(value)) return this.#list(value, value.length)
    if (value instanceof Set) return this.#list(value, value.size)
    if (value instanceof Map) return this.#map(value)
    return this.fields(value)
  }

  #list(items: Iterable<unknown>, length: number): PlainValue {
    const out: PlainValue[] = []
    for (const item of items) {
      if (out.length === logEntriesMax) {
        out.push(`… ${length - logEntriesMax} more`)
        break
      }
      out.push(this.value(item))
    }
    return out
  }

  #map(map: ReadonlyMap<unknown, unknown>): PlainValue {
    const out: Record<string, PlainValue> = Object.create(null)
    let shown = 0
    for (const [key, item] of map) {
      if (shown === logEntriesMax) {
        out['…'] = `${map.size - logEntriesMax} more`
        break
      }
      shown += 1
      const name = typeof key === 'string' ? key : JSON.stringify(this.value(key))
      const plain = this.#field(name, () => item)
      if (plain !== undefined) out[cut(name)] = plain
    }
    return out
  }

  /** Code, message and the codes of the causes. No stack: it names files of this machine. */
  #error(error: Error): PlainValue {
    const causes: string[] = []
    let cause = error.cause
    while (cause !== undefined && causes.length < logCausesMax) {
      causes.push(codeOf(cause))
      cause = cause instanceof Error ? cause.cause : undefined
    }
    const plain = { code: codeOf(error), message: plainText(error.message) }
    return causes.length === 0 ? plain : { ...plain, causes }
  }
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const code = (error as { readonly code?: unknown }).code
  return cut(typeof code === 'string' ? code : error.name)
}

function plainText(text: string): string {
  return text.includes('PRIVATE KEY-----') ? redacted : cut(text)
}

function plainBytes(bytes: Uint8Array): string {
  return bytes.length > logBytesShownMax ? `[${bytes.length} bytes]` : hexEncode(bytes)
}

/** Without user, password and query, which is where URLs carry secrets. */
function plainUrl(url: URL): string {
  return cut(`${url.protocol}//${url.host}${url.pathname}`)
}

function cut(text: string): string {
  if (text.length <= logTextLengthMax) return text
  return `${text.slice(0, logTextLengthMax)}… ${text.length - logTextLengthMax} more characters`
}
