// myelin peers: with whom the daemon talks.

import { openDaemonControl } from '../agent-control.ts'
import { agentOptions, loadAgentSettings } from '../agent-home.ts'
import { defineCommand } from '../command.ts'
import { alignColumns, printable } from '../output.ts'

export const peers = defineCommand({
  name: 'peers',
  summary: 'List the peers that are connected to the running agent.',
  options: {
    ping: { kind: 'flag', describes: 'Measure the way to each of them and back.' },
    ...agentOptions,
  },
  examples: ['myelin peers', 'myelin peers --ping --json'],
  run: async ({ options, environment, output, signal }) => {
    const settings = await loadAgentSettings({ options, environment })
    await using control = await openDaemonControl(settings)
    const { peers: listed, pool } = await control.call('peers', {}, signal)
    const found = options.ping
      ? await Promise.all(
          listed.map(async (peer) => {
            const answer = control.call('ping', { to: peer.agent, timeoutMs: 5000 }, signal)
            const roundTripMs = await answer.then(
              (pong) => Math.round(pong.roundTripMs * 100) / 100,
              () => null,
            )
            return { ...peer, roundTripMs }
          }),
        )
      : listed
    output.result({ peers: found, pool }, function* () {
      if (found.length === 0) {
        yield 'no peer is connected'
        return
      }
      const head = ['NAME', 'AGENT', 'ROLES', 'WAY', 'ADDRESS', 'SESSION', 'SENT', 'RECEIVED']
      const rows = found.map((peer) => [
        printable(peer.name) || '-',
        peer.agent,
        peer.roles.join(','),
        peer.direction,
        peer.remoteAddress === '/' ? peer.transport : peer.remoteAddress,
        peer.security,
        String(peer.messagesSent),
        String(peer.messagesReceived),
        ...('roundTripMs' in peer ? [roundTrip(peer.roundTripMs)] : []),
      ])
      yield* alignColumns([[...head, ...(options.ping ? ['ROUND TRIP'] : [])], ...rows])
      const { dialled, idle, created, evicted } = pool
      const ended = Object.values(evicted).reduce((sum, count) => sum + count, 0)
      yield `pool: ${dialled} sessions of ours, ${idle} idle; ${created} opened, ${ended} ended or replaced`
    })
    return 0
  },
})

function roundTrip(ms: unknown): string {
  return typeof ms === 'number' ? `${ms} ms` : 'no answer'
}
