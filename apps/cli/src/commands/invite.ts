// myelin invite: a join token for one new agent.

import { openAgentControl } from '../agent-control.ts'
import { type AgentSettings, agentOptions, loadAgentSettings } from '../agent-home.ts'
import { durationOption } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { CliError } from '../errors.ts'

const lifetimeMsMax = 30 * 86_400_000

export const invite = defineCommand({
  name: 'invite',
  summary: 'Make a join token that lets one new agent in.',
  details: [
    'The token on the standard output is a secret: hand it over by a way that you trust. It is good for one agent, and for a day unless --lifetime says otherwise.',
    'It says where this agent is. Without a running daemon give --address, or configure listen with a fixed address and port.',
  ],
  options: {
    role: {
      kind: 'text',
      short: 'r',
      value: 'ROLE',
      repeats: true,
      describes: 'What the new agent may do (default member).',
    },
    address: {
      kind: 'text',
      short: 'a',
      value: 'ADDR',
      repeats: true,
      describes: 'Where the new agent finds this one (default: where it listens).',
    },
    lifetime: { kind: 'text', value: 'TIME', describes: 'How long it is good: 30m, 12h, 7d.' },
    ...agentOptions,
  },
  examples: [
    'myelin invite',
    'myelin invite --role worker --address /dns/example.org/tcp/4001 --lifetime 1h',
  ],
  run: async ({ options, environment, output, signal }) => {
    const lifetimeMs = durationOption('lifetime', options.lifetime, lifetimeMsMax)
    const settings = await loadAgentSettings({ options, environment })
    await using control = await openAgentControl(settings)
    const given = options.address.length > 0 ? [...options.address] : undefined
    const addresses = given ?? (control.isDaemon ? undefined : fixedAddresses(settings))
    const params = {
      ...(options.role.length > 0 && { roles: [...options.role] }),
      ...(addresses && { addresses }),
      ...(lifetimeMs && { lifetimeMs }),
    }
    const invitation = await control.call('invite', params, signal)
    const { token, roles, addresses: contained, expiresMs } = invitation
    const expires = new Date(expiresMs).toISOString()
    output.result({ token, roles, addresses: contained, expires }, () => [token])
    if (!output.isJson) {
      output.note(`good for one agent, as ${roles.join(', ')}, until ${expires}; it will dial:`)
      for (const address of contained) output.note(`  ${address}`)
      output.note('There: "myelin join -", and paste the token.')
    }
    return 0
  },
})

/** Where the agent will listen, as far as that is certain before it does. */
function fixedAddresses({ configuration }: AgentSettings): string[] {
  const isFixed = (address: string) => !/\/tcp\/0$|^\/ip4\/0\.0\.0\.0\/|^\/ip6\/::\//.test(address)
  const addresses = configuration.listen.filter(isFixed)
  if (addresses.length > 0) return addresses
  const mend = 'start it with "myelin up", or say where it will be with --address'
  throw new CliError('CLI_INPUT', `no daemon runs and listen names no fixed address; ${mend}`)
}
