// The configuration as commands load it: files, environment and `--set`, the same way everywhere.

import { existsSync } from 'node:fs'
import type {
  Configuration,
  ConfigurationFault,
  ConfigurationFile,
  LoadedConfiguration,
  Origin,
} from '@myelin/node'
import type { OptionSpecs } from './command.ts'
import { CliError, usageError } from './errors.ts'

/** For the `options` of every command that needs a configuration. */
export const configurationOptions = {
  config: {
    kind: 'text',
    short: 'c',
    value: 'FILE',
    repeats: true,
    describes: 'Configuration file (TOML, YAML, JSON); a later one wins. See MYELIN_CONFIG.',
  },
  set: {
    kind: 'text',
    short: 's',
    value: 'NAME=VALUE',
    repeats: true,
    describes: 'One setting, such as log.level=debug. Wins over files and environment.',
  },
} as const satisfies OptionSpecs

/** The file that is read when no other is named and it is there. */
const fileByDefault = 'myelin.toml'

export interface ConfigurationRequest {
  readonly options: { readonly config: readonly string[]; readonly set: readonly string[] }
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Settings that the command's own options stand for, by path. */
  readonly flags?: Readonly<Record<string, string | readonly string[] | undefined>>
}

export interface EffectiveConfiguration {
  readonly value: Configuration
  readonly origins: ReadonlyMap<string, Origin>
}

/** The effective configuration, or `CLI_CONFIGURATION` with one line per fault. */
export async function loadEffectiveConfiguration(
  request: ConfigurationRequest,
): Promise<EffectiveConfiguration> {
  const { loadConfiguration } = await import('@myelin/node')
  const { options, environment } = request
  const { files, faults } = await readFiles(filesToRead(options.config, environment))
  const flags = { ...request.flags, ...parseSettings(options.set) }
  const loaded: LoadedConfiguration = loadConfiguration({ files, environment, flags })
  if (!loaded.ok) throw await configurationError([...faults, ...loaded.faults])
  if (faults.length > 0) throw await configurationError(faults)
  return loaded
}

/** Reads all files, and collects the faults of those that cannot be read. */
export async function readFiles(paths: readonly string[]): Promise<{
  readonly files: readonly ConfigurationFile[]
  readonly faults: readonly ConfigurationFault[]
}> {
  const { readConfigurationFile } = await import('@myelin/node')
  const results = await Promise.all(paths.map((path) => readConfigurationFile(path)))
  return {
    files: results.flatMap((result) => (result.ok ? [result.value] : [])),
    faults: results.flatMap((result) => (result.ok ? [] : result.faults)),
  }
}

/** One error for all faults: a count, then a line each. */
export async function configurationError(faults: readonly ConfigurationFault[]): Promise<CliError> {
  const { describeFault } = await import('@myelin/node')
  const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`
  const lines = faults.map((fault) => `  ${describeFault(fault)}`)
  return new CliError('CLI_CONFIGURATION', [`the configuration has ${count}`, ...lines].join('\n'))
}

/** `--config`, else MYELIN_CONFIG, else `myelin.toml` where there is one. */
function filesToRead(
  named: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  if (named.length > 0) return named
  const variable = environment.MYELIN_CONFIG ?? ''
  if (variable !== '') return [variable]
  return existsSync(fileByDefault) ? [fileByDefault] : []
}

function parseSettings(written: readonly string[]): Record<string, string> {
  const settings: Record<string, string> = Object.create(null)
  for (const setting of written) {
    const at = setting.indexOf('=')
    if (at <= 0) {
      throw usageError(`--set ${JSON.stringify(setting)} has no value; write --set log.level=debug`)
    }
    settings[setting.slice(0, at)] = setting.slice(at + 1)
  }
  return settings
}
