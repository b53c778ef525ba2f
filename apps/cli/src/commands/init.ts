// myelin init: a new agent, its keys in a home and its configuration in this folder.

import { existsSync } from 'node:fs'
import { chmod, mkdir, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { agentConfigurationText } from '../agent-configuration.ts'
import { homeByDefault, passphraseOf } from '../agent-home.ts'
import { defineCommand } from '../command.ts'
import { configurationError, readFiles } from '../configuration.ts'
import { CliError, usageError } from '../errors.ts'
import { alignColumns } from '../output.ts'

const fileByDefault = 'myelin.toml'

export const init = defineCommand({
  name: 'init',
  summary: 'Make a new agent: its keys, and a configuration in this folder.',
  details: [
    'Nothing is overwritten. MYELIN_PASSPHRASE seals the keys; every later command needs it then.',
  ],
  options: {
    name: { kind: 'text', value: 'NAME', describes: 'What people call the agent.' },
    listen: {
      kind: 'text',
      value: 'ADDR',
      repeats: true,
      describes: 'Address on which others reach it: /ip4/0.0.0.0/tcp/4001.',
    },
    peer: {
      kind: 'text',
      value: 'ADDR',
      repeats: true,
      describes: 'Peer to connect to; ends in /p2p/<agent id>. It is trusted as a member.',
    },
    home: {
      kind: 'text',
      value: 'DIR',
      describes: `Folder for the keys and state (default ${homeByDefault}).`,
    },
    config: {
      kind: 'text',
      short: 'c',
      value: 'FILE',
      describes: `Configuration to write (default ${fileByDefault}).`,
    },
  },
  examples: [
    'myelin init',
    'myelin init --name alice --listen /ip4/127.0.0.1/tcp/4001',
    'myelin init --home ~/.myelin --config agent.toml',
  ],
  run: async ({ options, output, environment }) => {
    const { home = homeByDefault, config = fileByDefault } = options
    if (!config.endsWith('.toml')) throw usageError(`--config ${config} does not end in .toml`)
    const settings = { name: options.name, home, listen: options.listen, peers: options.peer }
    await checkSettings(settings)
    await requireNew(home, config)
    const { openHome } = await import('@myelin/node')
    const { systemRandom } = await import('@myelin/base/system')
    const passphrase = passphraseOf(environment)
    await writeNew(config, await agentConfigurationText(settings))
    const opened = await makeHome()
    const document = {
      agent: opened.keys.agent,
      name: options.name ?? 'agent',
      home,
      configuration: config,
      isSealed: passphrase !== undefined,
    }
    output.result(document, () => [
      ...alignColumns([
        ['agent', document.agent],
        ['name', document.name],
        ['keys', `${home} (${sealing[passphrase === undefined ? 'open' : 'sealed']})`],
        ['settings', config],
      ]),
      '',
      ...(options.listen.length > 0
        ? []
        : [`It listens nowhere: set listen in ${config} if others are to call it.`]),
      `Start it with: myelin up${config === fileByDefault ? '' : ` --config ${config}`}`,
    ])
    return 0

    async function makeHome() {
      try {
        const made = await openHome({ path: home, passphrase, random: systemRandom })
        await keepOutOfGit(home)
        return made
      } catch (error) {
        await unlink(config).catch(() => {})
        throw error
      }
    }
  },
})

const sealing = {
  open: 'for this user alone; MYELIN_PASSPHRASE would seal them',
  sealed: 'sealed by MYELIN_PASSPHRASE, which every command needs',
} as const

interface InitSettings {
  readonly name: string | undefined
  readonly home: string
  readonly listen: readonly string[]
  readonly peers: readonly string[]
}

/** As the loader of every later command will judge them, and the addresses as the transports will. */
async function checkSettings({ name, home, listen, peers }: InitSettings): Promise<void> {
  const { loadConfiguration } = await import('@myelin/node')
  const { addressFaults, parseAddress } = await import('@myelin/transport')
  for (const address of [...listen, ...peers]) {
    const parsed = parseAddress(address)
    if (!parsed.ok)
      throw usageError(`${JSON.stringify(address.slice(0, 80))} ${addressFaults[parsed.fault]}`)
  }
  const loaded = loadConfiguration({ flags: { name, home, listen, peers } })
  if (loaded.ok) return
  const [fault] = loaded.faults
  throw usageError(`${fault?.path}: ${fault?.problem}; expected ${fault?.expected}`)
}

async function requireNew(home: string, config: string): Promise<void> {
  const { keyFileName } = await import('@myelin/node')
  if (existsSync(join(home, keyFileName))) {
    const mend = 'use it with "myelin up", or name another folder with --home'
    throw new CliError('CLI_HOME', `an agent lives in ${home} already; ${mend}`)
  }
  if (!existsSync(config)) return
  const { faults } = await readFiles([config])
  if (faults.length > 0) throw await configurationError(faults)
  const mend = 'move it away, or name another one with --config'
  throw new CliError('CLI_INPUT', `${config} is there already and is not overwritten; ${mend}`)
}

async function writeNew(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx' })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CliError('CLI_INPUT', `cannot write ${path} (${reason}); check the folder`, { cause })
  }
}

/** Keys must not end up in a repository because its folder was the nearest one. */
async function keepOutOfGit(home: string): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 })
  await chmod(home, 0o700)
  await writeFile(join(home, '.gitignore'), '*\n', { flag: 'wx' }).catch(() => {})
}
