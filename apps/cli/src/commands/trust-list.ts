// myelin trust list: who may have a session with this agent.

import { openAgentControl } from '../agent-control.ts'
import { agentOptions, loadAgentSettings } from '../agent-home.ts'
import { defineCommand } from '../command.ts'
import { alignColumns, printable } from '../output.ts'

export const trustList = defineCommand({
  name: 'trust list',
  summary: 'List the agents that are trusted; all others are refused.',
  options: agentOptions,
  examples: ['myelin trust list'],
  run: async ({ options, environment, output, signal }) => {
    const settings = await loadAgentSettings({ options, environment })
    await using control = await openAgentControl(settings)
    const { entries } = await control.call('trust-list', {}, signal)
    const trusted = entries.map(({ addedMs, ...entry }) => ({
      ...entry,
      added: new Date(addedMs).toISOString(),
    }))
    output.result({ trusted }, function* () {
      if (trusted.length === 0) {
        yield 'nobody is trusted; add an agent with "myelin trust add", or let one in with "myelin invite"'
        return
      }
      const rows = trusted.map(({ agent, name, ownName, roles, source, added }) => [
        agent,
        printable(name ?? ownName ?? '-'),
        roles.join(','),
        source,
        added,
      ])
      yield* alignColumns([['AGENT', 'NAME', 'ROLES', 'BY', 'SINCE'], ...rows])
    })
    return 0
  },
})
