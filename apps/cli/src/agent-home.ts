// Which agent a command is about: its configuration, the folder of its keys, its passphrase. The same for all.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Configuration } from '@myelin/node'
import type { OptionSpecs } from './command.ts'
import {
  type ConfigurationRequest,
  configurationOptions,
  loadEffectiveConfiguration,
} from './configuration.ts'
import { CliError } from './errors.ts'

/** The home of `init`, and of the other commands where it is there. */
export const homeByDefault = '.myelin'

/** For the `options` of every command that is about one agent. */
export const agentOptions = {
  home: {
    kind: 'text',
    value: 'DIR',
    describes: `Folder of the agent's keys and state; else the setting home, else ${homeByDefault}.`,
  },
  ...configurationOptions,
} as const satisfies OptionSpecs

export interface AgentRequest extends ConfigurationRequest {
  readonly options: ConfigurationRequest['options'] & { readonly home: string | undefined }
}

export interface AgentSettings {
  readonly configuration: Configuration
  readonly home: string
  readonly passphrase: string | undefined
}

/** Throws `CLI_HOME` where no agent lives there, `CLI_CONFIGURATION` for a faulty configuration. */
export async function loadAgentSettings(request: AgentRequest): Promise<AgentSettings> {
  const { options, environment } = request
  const flags = { ...request.flags, ...(options.home !== undefined && { home: options.home }) }
  const { value } = await loadEffectiveConfiguration({ options, environment, flags })
  const home = value.home ?? (existsSync(homeByDefault) ? homeByDefault : undefined)
  if (home === undefined) {
    const mend = 'run "myelin init" in this folder, or name a home with --home'
    throw new CliError('CLI_HOME', `no agent lives here; ${mend}`)
  }
  const { keyFileName } = await import('@myelin/node')
  if (!existsSync(join(home, keyFileName))) {
    const mend = `make one with "myelin init --home ${home}", or name another home with --home`
    throw new CliError('CLI_HOME', `no agent lives in ${home}; ${mend}`)
  }
  return { configuration: value, home, passphrase: passphraseOf(environment) }
}

/** MYELIN_PASSPHRASE; an empty one is none. */
export function passphraseOf(
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const passphrase = environment.MYELIN_PASSPHRASE ?? ''
  return passphrase === '' ? undefined : passphrase
}
