// myelin trust add: let an agent in by its id.

import { openAgentControl } from '../agent-control.ts'
import { agentOptions, loadAgentSettings } from '../agent-home.ts'
import { defineCommand } from '../command.ts'
import { printable } from '../output.ts'

export const trustAdd = defineCommand({
  name: 'trust add',
  summary: 'Trust an agent, or change its name or roles.',
  details: [
    'Both agents have to trust each other before they can talk. An address that ends in /p2p/<agent id> is remembered, so that the name or id suffices from then on.',
    'An agent that is trusted already keeps what is not given. New roles end its session; the next one has them.',
  ],
  options: {
    name: { kind: 'text', short: 'n', value: 'NAME', describes: 'What to call it here.' },
    role: {
      kind: 'text',
      short: 'r',
      value: 'ROLE',
      repeats: true,
      describes: 'What it may do: member (default), worker, coordinator or observer.',
    },
    ...agentOptions,
  },
  operands: { agent: { describes: 'Agent id (12D3KooW…), or an address that ends in it.' } },
  examples: [
    'myelin trust add 12D3KooW… --name bob',
    'myelin trust add /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW… --role worker',
  ],
  run: async ({ operands, options, environment, output, signal }) => {
    const settings = await loadAgentSettings({ options, environment })
    await using control = await openAgentControl(settings)
    const params = {
      agent: operands.agent,
      ...(options.name !== undefined && { name: options.name }),
      ...(options.role.length > 0 && { roles: [...options.role] }),
    }
    const { agent, name, roles, source } = await control.call('trust-add', params, signal)
    output.result({ agent, name, roles, source }, () => [
      `${name === undefined ? '' : `${printable(name)} `}${agent} is trusted as ${roles.join(', ')}`,
    ])
    return 0
  },
})
