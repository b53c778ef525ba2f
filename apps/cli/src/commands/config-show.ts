// myelin config show: the effective configuration and where each value came from.

import { defineCommand } from '../command.ts'
import { configurationOptions, loadEffectiveConfiguration } from '../configuration.ts'
import { alignColumns } from '../output.ts'

export const configShow = defineCommand({
  name: 'config show',
  summary: 'Show the effective configuration and where each value came from.',
  details: [
    'Later sources win: defaults, files, environment (MYELIN_LOG__LEVEL sets log.level), --set.',
  ],
  options: {
    ...configurationOptions,
    reference: { kind: 'flag', describes: 'Show what each setting means and allows instead.' },
  },
  examples: ['myelin config show', 'myelin config show --config agent.yaml --set log.level=debug'],
  run: async ({ options, environment, output }) => {
    const { describeOrigin, formatSettingValue, settingRows } = await import('@myelin/node')
    if (options.reference) {
      output.result(settingRows(), () =>
        settingRows().flatMap((row) => [
          `${row.path} (${row.environment})`,
          `  ${row.describes}`,
          `  ${row.allowed}; default: ${row.default}`,
        ]),
      )
      return 0
    }
    const { value, origins } = await loadEffectiveConfiguration({ options, environment })
    const rows = [...origins].map(([path, origin]) => ({
      path,
      value: valueAt(value, path),
      origin: describeOrigin(origin),
    }))
    output.result({ configuration: value, origins: Object.fromEntries(origins) }, () =>
      alignColumns(rows.map((row) => [row.path, formatSettingValue(row.value), row.origin])),
    )
    return 0
  },
})

function valueAt(configuration: object, path: string): unknown {
  let node: unknown = configuration
  for (const name of path.split('.')) node = (node as Readonly<Record<string, unknown>>)[name]
  return node
}
