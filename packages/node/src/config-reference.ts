// The settings as text for people: the reference table and the lines of `--help`. Made from the declaration,
// so it cannot lag behind.

import { environmentName } from './config.ts'
import { leavesOf, type Setting } from './config-schema.ts'
import { settings } from './config-settings.ts'
import { expectation } from './config-values.ts'

export interface SettingRow {
  readonly path: string
  readonly environment: string
  readonly default: string
  readonly allowed: string
  readonly describes: string
}

/** One row per setting, in the order of the declaration. */
export function settingRows(): SettingRow[] {
  return leavesOf(settings).map(({ path, setting }) => ({
    path,
    environment: environmentName(path),
    default: formatSettingValue(setting.default),
    allowed: expectation(setting),
    describes: describe(setting),
  }))
}

/** The reference as a Markdown table. */
export function settingsTable(): string {
  const head = '| setting | variable | default | allowed | meaning |\n|---|---|---|---|---|'
  const rows = settingRows().map(
    (row) =>
      `| \`${row.path}\` | \`${row.environment}\` | ${row.default} | ${row.allowed} | ${row.describes} |`,
  )
  return `${[head, ...rows].join('\n')}\n`
}

/** A value as the reference and `config show` print it. */
export function formatSettingValue(value: unknown): string {
  if (value === undefined) return 'not set'
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value)
}

function describe(setting: Setting): string {
  return setting.kind === 'integer' ? `${setting.describes} In ${setting.unit}.` : setting.describes
}
