// myelin up: the agent as a service in the foreground (R144).

import { daemonOptions, runDaemon, settingFlags } from '../agent-daemon.ts'
import { agentOptions, loadAgentSettings } from '../agent-home.ts'
import { defineCommand } from '../command.ts'

export const up = defineCommand({
  name: 'up',
  summary: 'Run the agent in the foreground until it is told to stop.',
  details: [
    'Connects to its peers and stays connected, answers echo and ping, serves the other commands through a socket in its home. Logs by the settings log.*; with --json the log on the standard output is JSON.',
    'SIGTERM or SIGINT lets it finish within shutdown.drainMs; a second one ends it at once.',
  ],
  options: { ...daemonOptions, ...agentOptions },
  examples: [
    'myelin up',
    'myelin up --home ./alice --listen /ip4/127.0.0.1/tcp/0 --set log.level=debug',
  ],
  run: async (context) => {
    const { options, environment, output, signal } = context
    const flags = settingFlags(options, output.isJson)
    const settings = await loadAgentSettings({ options, environment, flags })
    await runDaemon(settings, { output, environment, signal, logs: process.stdout })
    return 0
  },
})
