// myelin trust remove: refuse an agent from now on.

import { openAgentControl } from '../agent-control.ts'
import { agentOptions, loadAgentSettings } from '../agent-home.ts'
import { defineCommand } from '../command.ts'
import { printable } from '../output.ts'

export const trustRemove = defineCommand({
  name: 'trust remove',
  summary: 'Trust an agent no longer; its session ends.',
  options: agentOptions,
  operands: { agent: { describes: 'Agent id, or its name in "myelin trust list".' } },
  examples: ['myelin trust remove bob'],
  run: async ({ operands, options, environment, output, signal }) => {
    const settings = await loadAgentSettings({ options, environment })
    await using control = await openAgentControl(settings)
    const params = { agent: operands.agent }
    const { entry, isConfigured } = await control.call('trust-remove', params, signal)
    const { agent, name } = entry
    output.result({ agent, name, isConfigured }, () => [
      `${name === undefined ? '' : `${printable(name)} `}${agent} is no longer trusted`,
    ])
    if (isConfigured) {
      const mend = 'take it out of there too, or it is trusted again at the next start'
      output.note(`it stands in the setting peers: ${mend}`)
    }
    return 0
  },
})
