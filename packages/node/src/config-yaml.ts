// YAML 1.2, core schema, one document, and nothing that only YAML can do: no tags, no directives, no merge
// keys, keys are texts and stand once, aliases are bounded. So a YAML file means what the same TOML means.

import { type Document, isAlias, isMap, isScalar, parseDocument, visit, type YAMLMap } from 'yaml'
import { nestingDepthMax, yamlAliasesMax } from './config-limits.ts'
import {
  accept,
  type ConfigurationText,
  decodeText,
  faultAt,
  oneLine,
  type SyntaxFault,
  type SyntaxResult,
} from './config-syntax.ts'

/** Reads a YAML document; an empty one is null. Never throws. */
export function parseYaml(source: ConfigurationText): SyntaxResult {
  const decoded = decodeText(source)
  if (!decoded.ok) return decoded
  const text = decoded.value
  try {
    const document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      merge: false,
      resolveKnownTags: false,
      strict: true,
      stringKeys: true,
      // The library compares each key with each other one; findForeignForm does it with a set.
      uniqueKeys: false,
      prettyErrors: false,
      // 'silent' would also silence the error for a second document.
      logLevel: 'error',
    })
    return (
      findError(document, text) ??
      findForeignForm(document, text) ??
      accept(document.toJS({ maxAliasCount: yamlAliasesMax }))
    )
  } catch (error) {
    // The bound on aliases and the depth of the stack are the parser's own throws.
    const detail = oneLine(error instanceof Error ? error.message : String(error))
    return { ok: false, fault: 'config_not_allowed', detail }
  }
}

/** Warnings count: an unresolved tag is one. */
function findError(document: Document, text: string): SyntaxFault | undefined {
  const [error] = [...document.errors, ...document.warnings]
  if (error === undefined) return undefined
  if (error.message.includes('call stack')) {
    return { ok: false, fault: 'config_not_allowed', detail: 'the nesting is too deep' }
  }
  return faultAt('config_syntax', oneLine(error.message), text, error.pos[0])
}

function findForeignForm(document: Document, text: string): SyntaxFault | undefined {
  // `%YAML 1.1` would make `no` a boolean.
  if (document.directives?.yaml.explicit) {
    return faultAt('config_not_allowed', 'directives are not allowed', text, 0)
  }
  let found: SyntaxFault | undefined
  let aliases = 0
  visit(document, {
    Node: (_key, node, path) => {
      const refuse = (detail: string) => {
        found = faultAt('config_not_allowed', detail, text, node.range?.[0] ?? 0)
        return visit.BREAK
      }
      if ('tag' in node && node.tag !== undefined) return refuse('tags are not allowed')
      // A pair stands between each two maps of the path.
      if (path.length > 2 * nestingDepthMax) return refuse('the nesting is too deep')
      if (isAlias(node)) {
        aliases += 1
        if (aliases > yamlAliasesMax) return refuse(`more than ${yamlAliasesMax} aliases`)
      }
      if (isMap(node)) found = findRepeatedKey(node, text)
      return found === undefined ? undefined : visit.BREAK
    },
  })
  return found
}

function findRepeatedKey(map: YAMLMap, text: string): SyntaxFault | undefined {
  const keys = new Set<string>()
  for (const { key } of map.items) {
    if (!isScalar(key)) continue
    const name = String(key.value)
    if (keys.has(name)) {
      const detail = `the key ${oneLine(JSON.stringify(name))} stands twice`
      return faultAt('config_duplicate_key', detail, text, key.range?.[0] ?? 0)
    }
    keys.add(name)
  }
  return undefined
}
