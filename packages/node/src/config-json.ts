// JSON (RFC 8259). Stricter than JSON.parse in one point: a key that stands twice is a fault, because
// readers differ in which of the two they take (RFC 8259 §4).

import {
  accept,
  type ConfigurationText,
  decodeText,
  faultAt,
  oneLine,
  type SyntaxFault,
  type SyntaxResult,
} from './config-syntax.ts'

/** Reads a JSON document. A byte order mark is skipped. Never throws. */
export function parseJson(source: ConfigurationText): SyntaxResult {
  const decoded = decodeText(source)
  if (!decoded.ok) return decoded
  const text = decoded.value.replace(/^\ufeff/, '')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const position = / at position (\d+)/.exec(message)
    const detail = oneLine(message.replace(/ (?:in JSON )?at position .*/s, ''))
    return faultAt('config_syntax', detail, text, position ? Number(position[1]) : text.length)
  }
  return findDuplicateKey(text) ?? accept(value)
}

/** The tokens that matter, in a document that is known to be well formed. */
const tokens = /"(?:\\.|[^"\\])*"|[{}[\]:]/g

function findDuplicateKey(text: string): SyntaxFault | undefined {
  // One entry per open bracket: the keys of an object, or undefined for an array.
  const open: (Set<unknown> | undefined)[] = []
  let last: RegExpExecArray | undefined
  for (const match of text.matchAll(tokens)) {
    const [token] = match
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':' && last !== undefined) {
      const keys = open.at(-1)
      // Parsed, because "a" and "\u0061" are the same key.
      const key: unknown = JSON.parse(last[0])
      if (keys?.has(key)) {
        const detail = `the key ${oneLine(last[0])} stands twice`
        return faultAt('config_duplicate_key', detail, text, last.index)
      }
      keys?.add(key)
    }
    last = match
  }
  return undefined
}
