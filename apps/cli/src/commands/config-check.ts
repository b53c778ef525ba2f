// myelin config check: whether a file is right by itself, all faults at once.

import { defineCommand } from '../command.ts'
import { configurationError, readFiles } from '../configuration.ts'

export const configCheck = defineCommand({
  name: 'config check',
  summary: 'Check configuration files and list all their faults.',
  details: ['Several files are checked together, as they would be loaded: a later one wins.'],
  operands: { file: { describes: 'A .toml, .yaml, .yml or .json file.' }, more: more() },
  examples: ['myelin config check myelin.toml'],
  run: async ({ operands, output }) => {
    const { loadConfiguration } = await import('@myelin/node')
    const paths = [operands.file, ...operands.more]
    const { files, faults } = await readFiles(paths)
    const loaded = loadConfiguration({ files })
    const all = [...faults, ...(loaded.ok ? [] : loaded.faults)]
    if (all.length > 0 && output.isJson) {
      output.result({ files: paths, ok: false, faults: all }, () => [])
      return 1
    }
    if (all.length > 0) throw await configurationError(all)
    output.result({ files: paths, ok: true, faults: [] }, () => paths.map((path) => `${path}: ok`))
    return 0
  },
})

function more() {
  return { describes: 'Further files.', optional: true, repeats: true } as const
}
