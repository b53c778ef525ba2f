// Payloads on the command line and in its output. Bytes for the types that are bytes, JSON for those with
// fields, whose bytes stand in base64; each is checked by the codec of its type.

import { utf8Decode } from '@myelin/base'
import { type BuiltInName, builtInTypes, type MessageType } from '@myelin/wire'
import { CliError, usageError } from './errors.ts'

interface PayloadForm {
  /** Fields that hold bytes, or lists of bytes; `all` where the payload itself is bytes. */
  readonly bytes: 'all' | readonly string[]
  /** For help and faults. */
  readonly example: string
}

const eightBytes = 'AAECAwQFBgc='

/** Total: a new built-in type does not compile until it is considered. */
const forms: Readonly<Record<BuiltInName, PayloadForm>> = {
  data: { bytes: 'all', example: 'hello' },
  echo: { bytes: 'all', example: 'hello' },
  ping: { bytes: ['nonce'], example: `{"nonce":"${eightBytes}"}` },
  pong: { bytes: ['nonce'], example: `{"nonce":"${eightBytes}"}` },
  heartbeat: { bytes: [], example: '{"sequence":1,"sentMs":1700000000000}' },
  'task-assignment': {
    bytes: ['body'],
    example: '{"taskId":"t1","kind":"train","round":1,"parameters":{},"body":""}',
  },
  'status-update': { bytes: [], example: '{"state":"ready"}' },
  'neural-update': {
    bytes: ['data'],
    example:
      '{"model":"m","round":1,"kind":"delta","examples":10,"shapes":[[1]],"data":"AAAAAA=="}',
  },
  coordination: { bytes: ['body'], example: '{"action":"pause","body":""}' },
  discovery: { bytes: ['records'], example: '{"action":"query","records":[]}' },
}

export const builtInNames = Object.keys(forms) as readonly BuiltInName[]

/** For the details of commands that take a payload. */
export const payloadDetails = [
  `Types: ${builtInNames.join(', ')}.`,
  'The payload of data and echo is the text, or with - the bytes of the standard input. The other types take JSON, with bytes in base64: \'{"state":"ready"}\' for status-update.',
]

/** What a type is called on the wire of nobody but its users: any name, bytes as payload. */
export const customOption = {
  custom: {
    kind: 'flag',
    describes: 'TYPE is a type of your own, whose payload is bytes.',
  },
} as const

/** The encoded payload. Throws `CLI_USAGE` with an example of what would be right. */
export function encodePayload(
  type: string,
  written: Uint8Array | undefined,
  { isCustom }: { readonly isCustom: boolean },
): Uint8Array {
  const form = formOf(type)
  if (form === undefined) {
    if (isCustom) return written ?? new Uint8Array(0)
    const message = `unknown message type ${JSON.stringify(type.slice(0, 80))}; use --custom for a type of your own`
    throw usageError(message, { name: type, known: builtInNames })
  }
  if (form.bytes === 'all') return written ?? new Uint8Array(0)
  if (written === undefined && type === 'ping') return pingPayload()
  const example = `such as '${form.example}'`
  if (written === undefined) throw usageError(`PAYLOAD is missing: ${type} takes JSON ${example}`)
  const value = parse(written)
  if (value === undefined)
    throw usageError(`the payload of ${type} is no JSON object; write it ${example}`)
  const codec = builtInTypes[type as BuiltInName] as MessageType
  try {
    return codec.encode(readBytes(value, form.bytes))
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw usageError(`${error.message}; write it ${example}`)
  }
}

export interface ShownPayload {
  readonly payload: unknown
  readonly encoding: 'text' | 'base64' | 'json'
}

/** A payload as it is printed: text where it is that, else base64; JSON for types with fields. */
export function showPayload(type: string, payload: Uint8Array): ShownPayload {
  const form = formOf(type)
  if (form !== undefined && form.bytes !== 'all') {
    const decoded = (builtInTypes[type as BuiltInName] as MessageType).decode(payload)
    if (decoded.ok) return showValue(decoded.value)
  }
  return showValue(payload)
}

/** The same for a payload that its codec has decoded. */
export function showValue(value: unknown): ShownPayload {
  if (!(value instanceof Uint8Array)) return { payload: writeBytes(value), encoding: 'json' }
  const text = utf8Decode(value)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what has these is no text for people.
  if (text !== undefined && !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text))
    return { payload: text, encoding: 'text' }
  return { payload: base64(value), encoding: 'base64' }
}

/** One line for people. */
export function payloadLine({ payload, encoding }: ShownPayload): string {
  if (encoding === 'json') return JSON.stringify(payload)
  return encoding === 'text' ? String(payload) : `base64:${String(payload)}`
}

function formOf(type: string): PayloadForm | undefined {
  return Object.hasOwn(forms, type) ? forms[type as BuiltInName] : undefined
}

/** Any eight bytes: whoever answers returns them. */
function pingPayload(): Uint8Array {
  const nonce = new Uint8Array(8)
  new DataView(nonce.buffer).setFloat64(0, performance.timeOrigin + performance.now())
  return builtInTypes.ping.encode({ nonce })
}

function parse(written: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(utf8Decode(written) ?? '')
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function readBytes(value: Record<string, unknown>, names: readonly string[]): object {
  const out: Record<string, unknown> = { ...value }
  for (const name of names) {
    const written = out[name]
    if (Array.isArray(written)) out[name] = written.map((item) => fromBase64(name, item))
    else if (written !== undefined) out[name] = fromBase64(name, written)
  }
  return out
}

function fromBase64(name: string, written: unknown): Uint8Array {
  const isBase64 = typeof written === 'string' && /^[A-Za-z0-9+/_-]*={0,2}$/.test(written)
  if (!isBase64) throw new CliError('CLI_USAGE', `"${name}" holds bytes: write them in base64`)
  return new Uint8Array(Buffer.from(written, 'base64'))
}

function writeBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return base64(value)
  if (Array.isArray(value)) return value.map(writeBytes)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, writeBytes(item)]))
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
