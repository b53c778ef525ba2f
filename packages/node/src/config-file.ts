// Reads one configuration file from disk. The end of the name says the format: .toml, .yaml, .yml or .json.

import { open } from 'node:fs/promises'
import { extname } from 'node:path'
import type { ConfigurationFile } from './config.ts'
import type { ConfigurationFault } from './config-faults.ts'
import { parseJson } from './config-json.ts'
import { configurationFileBytesMax } from './config-limits.ts'
import { type ConfigurationText, oneLine, type SyntaxResult } from './config-syntax.ts'
import { parseToml } from './config-toml.ts'
import { parseYaml } from './config-yaml.ts'

interface Format {
  readonly parse: (source: ConfigurationText) => SyntaxResult
  /** What a fault asks for. */
  readonly says: string
}

const toml: Format = { parse: parseToml, says: 'TOML 1.0' }
const yaml: Format = { parse: parseYaml, says: 'YAML 1.2 without tags, directives, repeated keys' }
const json: Format = { parse: parseJson, says: 'JSON without repeated keys' }
const formats: ReadonlyMap<string, Format> = new Map([
  ['.toml', toml],
  ['.yaml', yaml],
  ['.yml', yaml],
  ['.json', json],
])

export type ReadConfigurationFile =
  | { readonly ok: true; readonly value: ConfigurationFile }
  | { readonly ok: false; readonly faults: readonly ConfigurationFault[] }

/** The parsed content of a file, or one fault that says why it cannot be read. Never rejects. */
export async function readConfigurationFile(path: string): Promise<ReadConfigurationFile> {
  const format = formats.get(extname(path).toLowerCase())
  if (format === undefined) {
    return refuse(path, 'the name does not say the format', 'a file .toml, .yaml, .yml or .json')
  }
  let bytes: Uint8Array
  try {
    bytes = await readBounded(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const problem = code === 'ENOENT' ? 'there is no such file' : `it cannot be read: ${code}`
    return refuse(path, problem, 'a file that this user may read')
  }
  const result = format.parse(bytes)
  if (result.ok) return { ok: true, value: { name: path, content: result.value } }
  const place = result.line === undefined ? path : `${path}:${result.line}:${result.column}`
  return refuse(place, result.detail, format.says)
}

function refuse(name: string, problem: string, expected: string): ReadConfigurationFile {
  return {
    ok: false,
    faults: [{ path: '', problem: oneLine(problem), expected, origin: { kind: 'file', name } }],
  }
}

/** At most one byte more than allowed: enough for the reader to see that the file is too large. */
async function readBounded(path: string): Promise<Uint8Array> {
  await using file = await open(path, 'r')
  const bytes = new Uint8Array(configurationFileBytesMax + 1)
  let length = 0
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return bytes.subarray(0, length)
}
