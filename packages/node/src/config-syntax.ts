// What the three readers of configuration text share: bytes in, a plain value or a fault with its place out.

import { type Ok, ok, utf8Decode } from '@myelin/base'
import { configurationFileBytesMax, nestingDepthMax } from './config-limits.ts'

export type SyntaxFaultCode =
  | 'config_too_large'
  | 'config_not_utf8'
  | 'config_syntax'
  | 'config_duplicate_key'
  | 'config_not_allowed'

export interface SyntaxFault {
  readonly ok: false
  readonly fault: SyntaxFaultCode
  /** From 1; absent where the fault has no place. */
  readonly line?: number
  readonly column?: number
  /** What is wrong, in words, on one line. */
  readonly detail: string
}

export type SyntaxResult<Value = unknown> = Ok<Value> | SyntaxFault

/** Text as it stands in memory, or the bytes of a file. */
export type ConfigurationText = string | Uint8Array

/** Strict UTF-8 within the size bound. */
export function decodeText(source: ConfigurationText): SyntaxResult<string> {
  // A string has at most as many UTF-16 units as bytes, so the cheap comparison is on the safe side.
  if (source.length > configurationFileBytesMax) {
    const detail = `the file is larger than ${configurationFileBytesMax} bytes`
    return { ok: false, fault: 'config_too_large', detail }
  }
  if (typeof source === 'string') return ok(source)
  const text = utf8Decode(source)
  return text === undefined
    ? { ok: false, fault: 'config_not_utf8', detail: 'the file is not UTF-8' }
    : ok(text)
}

/** The value of a document, unless it nests so deep that a recursive reader of it could fail. */
export function accept<Value>(value: Value): SyntaxResult<Value> {
  const pending: { readonly node: unknown; readonly depth: number }[] = [{ node: value, depth: 0 }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, depth } = next
    if (typeof node !== 'object' || node === null) continue
    if (depth >= nestingDepthMax) {
      const detail = `the nesting is deeper than ${nestingDepthMax}`
      return { ok: false, fault: 'config_not_allowed', detail }
    }
    for (const inner of Object.values(node)) pending.push({ node: inner, depth: depth + 1 })
  }
  return ok(value)
}

/** A fault at an offset of the text. */
export function faultAt(
  fault: SyntaxFaultCode,
  detail: string,
  text: string,
  offset: number,
): SyntaxFault {
  const before = text.slice(0, offset).split('\n')
  return { ok: false, fault, detail, line: before.length, column: (before.at(-1) ?? '').length + 1 }
}

/** The message of a foreign parser, on one line and short. */
export function oneLine(message: string): string {
  const [first = ''] = message.split('\n\n')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point.
  return first.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').slice(0, 200)
}
