// myelin swarm work: one worker of a training, as one process.

import { text as readAll } from 'node:stream/consumers'
import { defineCommand } from '../command.ts'
import { usageError } from '../errors.ts'
import type { WorkerLine } from '../swarm/events.ts'

export const swarmWork = defineCommand({
  name: 'swarm work',
  summary: 'Work for a coordinator: take tasks, train, report.',
  details: [
    'Joins with a token of the coordinator, works until it is stopped, and comes back when the connection was lost.',
  ],
  options: {
    token: {
      kind: 'text',
      value: 'TOKEN',
      describes: 'Join token, or - to read it from the standard input.',
    },
    name: { kind: 'text', value: 'NAME', describes: 'What this worker calls itself.' },
    home: {
      kind: 'text',
      value: 'DIR',
      describes: 'Folder for its keys; else a new agent each time.',
    },
    data: {
      kind: 'text',
      value: 'DIR',
      describes: 'Folder of MNIST IDX files, for a coordinator that trains on them.',
    },
  },
  examples: ['myelin swarm work --token -'],
  run: async ({ options, output, signal }) => {
    const token = options.token === '-' ? await readAll(process.stdin) : options.token
    if (token === undefined || token.trim() === '')
      throw usageError('no join token; give --token TOKEN, or --token - on the standard input')
    const [
      { createAgent, createLogger, streamSink },
      { systemClock, systemRandom },
      { runSwarmWorker },
    ] = await Promise.all([
      import('@myelin/node'),
      import('@myelin/base/system'),
      import('@myelin/learning'),
    ])
    const whole =
      options.data === undefined
        ? undefined
        : (await import('../swarm/idx-data.ts')).readIdx(options.data, 'train')
    const logger = createLogger({
      level: 'warn',
      format: 'pretty',
      sink: streamSink(process.stderr),
    })
    const home = options.home === undefined ? {} : { home: options.home }
    await using agent = await createAgent({ name: options.name ?? 'worker', ...home, logger })
    const say = (line: WorkerLine) => output.record(line, () => lineText(line))
    agent.watchPeers((event) => {
      if (event.kind === 'connected') {
        say({
          event: 'joined',
          agent: agent.id,
          handshakeMs: event.handshakeMs,
          security: event.peer.security,
        })
      }
    })
    const coordinator = await agent.join(token, { roles: ['coordinator'] })
    await runSwarmWorker({
      agent,
      coordinator,
      clock: systemClock,
      random: systemRandom,
      logger,
      signal,
      whole,
      backoff: { firstMs: 100, maxMs: 2_000 },
      onEvent: (work) => say({ event: 'work', work }),
    })
    return 0
  },
})

function lineText(line: WorkerLine): string {
  if (line.event === 'joined')
    return `joined as ${line.agent} in ${line.handshakeMs.toFixed(1)} ms (${line.security})`
  if (line.work.kind === 'task-started') return `task ${line.work.taskId}`
  return `task ${line.work.taskId} ${line.work.verdict} after ${line.work.seconds.toFixed(2)} s`
}
