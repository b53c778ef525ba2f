// TOML 1.0.0, strictly. smol-toml does the parsing; it also takes what TOML 1.1 adds, which other readers of
// the same file refuse, so those forms are refused here. Checked against the toml-test list for 1.0.0.

import { parse, TomlError } from 'smol-toml'
import { nestingDepthMax } from './config-limits.ts'
import {
  accept,
  type ConfigurationText,
  decodeText,
  faultAt,
  oneLine,
  type SyntaxFault,
  type SyntaxResult,
} from './config-syntax.ts'

export interface TomlOptions {
  /** All integers as bigint, so that they differ from floats. By default only those beyond 2^53. */
  readonly integersAsBigInt?: boolean
}

/**
 * Reads a TOML 1.0.0 document. Tables have no prototype; dates and times are Temporal objects
 * (`ZonedDateTime`, `PlainDateTime`, `PlainDate`, `PlainTime`). Never throws.
 */
export function parseToml(
  source: ConfigurationText,
  options: TomlOptions = {},
): SyntaxResult<Record<string, unknown>> {
  const decoded = decodeText(source)
  if (!decoded.ok) return decoded
  const text = decoded.value
  try {
    const value = parse(text, {
      integersAsBigInt: options.integersAsBigInt === true ? true : 'asNeeded',
      // Temporal refuses 30 February; the library's own dates let it pass.
      useLegacyDate: false,
      maxDepth: nestingDepthMax,
    })
    return findNewerForm(text) ?? accept(value)
  } catch (error) {
    if (error instanceof TomlError) {
      const { line, column } = error
      const detail = oneLine(error.message).replace('Invalid TOML document: ', '')
      const isDuplicate = detail.includes('redefine')
      return {
        ok: false,
        fault: isDuplicate ? 'config_duplicate_key' : 'config_syntax',
        line,
        column,
        detail,
      }
    }
    return { ok: false, fault: 'config_syntax', detail: oneLine(String(error)) }
  }
}

/** The tokens of a document that is known to be well formed: strings, comments, brackets, the rest. */
const tokens =
  /"""(?:\\[\s\S]|[^\\])*?"{3,5}|'''[\s\S]*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*|[{}[\],\n]|[^"'#{}[\],\n]+/g

/** A time without seconds. Offsets (`+08:00`) and the tail of a longer time look alike and are none. */
const timeWithoutSeconds = /(?<![+\-:\d])\d\d:\d\d(?!:)/

/** Finds what TOML 1.1 added to TOML 1.0 in a document that already parsed. */
function findNewerForm(text: string): SyntaxFault | undefined {
  const brackets: string[] = []
  let isAfterComma = false
  for (const match of text.matchAll(tokens)) {
    const [token] = match
    const refuse = (detail: string) =>
      faultAt('config_syntax', `${detail} (TOML 1.1, this is 1.0)`, text, match.index)
    const isInTable = brackets.at(-1) === '{'
    if (token === '{' || token === '[') brackets.push(token)
    else if (token === '}' || token === ']') {
      if (token === '}' && isAfterComma) return refuse('an inline table ends with a comma')
      brackets.pop()
    } else if (token === '\n' || token.startsWith('#')) {
      // The newline inside a nested array is that array's, and allowed.
      if (isInTable) return refuse('an inline table spans lines')
      continue
    } else if (token.startsWith('"')) {
      if (hasNewerEscape(token)) return refuse('a string has the escape \\x or \\e')
    } else if (!token.startsWith("'") && timeWithoutSeconds.test(token)) {
      return refuse('a time has no seconds')
    }
    if (token.trim() !== '') isAfterComma = token === ','
  }
  return undefined
}

function hasNewerEscape(token: string): boolean {
  for (const [sequence] of token.matchAll(/\\[\s\S]/g)) {
    if (sequence === '\\x' || sequence === '\\e') return true
  }
  return false
}
