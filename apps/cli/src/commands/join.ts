// myelin join: enter a swarm by a token.

import { utf8Decode } from '@myelin/base'
import { openAgentControl } from '../agent-control.ts'
import { agentOptions, loadAgentSettings } from '../agent-home.ts'
import { numberOption, textOrInput, timeoutMsMax, timeoutOption } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { printable } from '../output.ts'

const tokenBytesMax = 8192

export const join = defineCommand({
  name: 'join',
  summary: 'Enter a swarm with a join token.',
  details: [
    'Trusts who made the token and is trusted there. The daemon stays connected from then on; without one, the next "myelin up" connects.',
    'On the command line other users of this machine can see the token: prefer -.',
  ],
  options: {
    role: {
      kind: 'text',
      short: 'r',
      value: 'ROLE',
      repeats: true,
      describes: 'What who made the token may do here (default member).',
    },
    ...timeoutOption,
    ...agentOptions,
  },
  operands: { token: { describes: 'The token, or - for the standard input.' } },
  examples: ['myelin join - < token', 'myelin join myelin-join-AcP…'],
  run: async ({ operands, options, environment, output, signal }) => {
    const timeoutMs = numberOption('timeout-ms', options['timeout-ms'], {
      min: 1,
      max: timeoutMsMax,
    })
    const settings = await loadAgentSettings({ options, environment })
    if (operands.token === '-' && process.stdin.isTTY)
      output.note('paste the token, press Enter, then Ctrl-D')
    const token = (utf8Decode(await textOrInput(operands.token, tokenBytesMax)) ?? '').trim()
    await using control = await openAgentControl(settings)
    const params = {
      token,
      ...(options.role.length > 0 && { roles: [...options.role] }),
      ...(timeoutMs && { timeoutMs }),
    }
    const { agent, name, roles, remoteAddress, security } = await control.call(
      'join',
      params,
      signal,
    )
    output.result({ agent, name, roles, remoteAddress, security }, () => [
      `joined ${name === '' ? '' : `${printable(name)} `}${agent}`,
      `at ${remoteAddress}, ${security}, trusted here as ${roles.join(', ')}`,
      ...(control.isDaemon ? [] : ['no daemon runs here: "myelin up" stays connected']),
    ])
    return 0
  },
})
