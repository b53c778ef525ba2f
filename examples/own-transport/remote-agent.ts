// The agent at the other end of the standard streams, started as `remote-agent.ts HOME AGENT-ID`: it trusts that
// agent, adds up the bytes of a request, and ends with its session.

import { parseAgentId } from '@myelin/identity'
import { createAgent } from '@myelin/node'
import { command } from './command.ts'

const [, , home = '', text = ''] = process.argv
const friend = parseAgentId(text)
if (!friend.ok) throw new Error(`${text} is no agent id (${friend.fault}); give the caller's`)
const agent = await createAgent({
  home,
  transports: [command()],
  prepare: (created) => {
    created.handle('data', ({ payload }) => {
      const sum = (payload as Uint8Array).reduce((total, byte) => total + byte, 0)
      return Uint8Array.of(sum)
    })
  },
  trust: [{ agent: friend.value }],
  listen: ['/command/stdio'],
})
agent.watchPeers(({ kind }) => {
  if (kind === 'disconnected') void agent.close()
})
