// The daemon as `up` and `listen` run it: from its log and its first line to its end in order.

import type { LogStream, NodeAgent } from '@myelin/node'
import type { AgentSettings } from './agent-home.ts'
import type { OptionSpecs } from './command.ts'
import { alignColumns, type Output, printable } from './output.ts'

/** Settings that are worth an option of their own. */
export const daemonOptions = {
  name: { kind: 'text', value: 'NAME', describes: 'The setting name.' },
  listen: {
    kind: 'text',
    value: 'ADDR',
    repeats: true,
    describes: 'The setting listen: /ip4/0.0.0.0/tcp/4001; port 0 takes any free one.',
  },
  peer: {
    kind: 'text',
    value: 'ADDR',
    repeats: true,
    describes: 'The setting peers: an address that ends in /p2p/<agent id>.',
  },
} as const satisfies OptionSpecs

interface DaemonOptionValues {
  readonly name: string | undefined
  readonly listen: readonly string[]
  readonly peer: readonly string[]
}

/** What the options set. Under `--json` a log on the standard output is JSON too. */
export function settingFlags(
  { name, listen, peer }: DaemonOptionValues,
  isJson: boolean,
): Record<string, string | readonly string[] | undefined> {
  return {
    name,
    listen: listen.length > 0 ? listen : undefined,
    peers: peer.length > 0 ? peer : undefined,
    'log.format': isJson ? 'json' : undefined,
  }
}

export interface DaemonRun {
  readonly output: Output
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The end is wished. */
  readonly signal: AbortSignal
  /** Where the log goes unless log.file names a file. */
  readonly logs: LogStream
  readonly prepare?: (agent: NodeAgent) => void
}

/** Resolves when the daemon has ended. */
export async function runDaemon(settings: AgentSettings, run: DaemonRun): Promise<void> {
  const { configureLogger, startDaemon } = await import('@myelin/node')
  const { output, environment, signal, logs: stdout, prepare } = run
  const { configuration } = settings
  using log = configureLogger(configuration, { stdout, stderr: process.stderr, environment })
  const { logger } = log
  const daemon = await startDaemon({ ...settings, logger, ...(prepare && { prepare }) })
  showStart(output, daemon.agent, settings.home)
  await aborted(signal)
  if (!output.isJson) output.note('finishing what has begun; a second signal ends at once')
  await daemon.close()
}

function showStart(output: Output, agent: NodeAgent, home: string): void {
  const { id, name, addresses } = agent
  if (output.isJson) {
    output.record({ event: 'ready', agent: id, name, home, addresses }, () => '')
    return
  }
  const lines = alignColumns([
    ['agent', id],
    ['name', printable(name)],
    ['home', printable(home)],
    ...addresses.map((address) => ['address', address]),
  ])
  for (const line of lines) output.note(line)
  if (addresses.length === 0) output.note('It listens nowhere: others cannot call it (see listen).')
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
