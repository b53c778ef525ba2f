// myelin swarm coordinate: the coordinator of a training, as one process. `myelin swarm` starts it; on a
// machine of its own it is started by hand, and workers elsewhere join with its tokens.

import { defineCommand } from '../command.ts'
import type { Output } from '../output.ts'
import type { CoordinatorLine } from '../swarm/events.ts'
import {
  planOf,
  type TrainingOptionValues,
  trainingOptions,
  wholeNumber,
} from '../swarm/training-options.ts'

/** How often each worker is pinged for the round-trip figures. */
const pingIntervalMs = 250
const samplesMax = 100_000

export const swarmCoordinate = defineCommand({
  name: 'swarm coordinate',
  summary: 'Coordinate a training: hand out tasks, average what comes back.',
  details: [
    'Prints its addresses, and a join token for each worker; hand those over by a way you trust.',
    'With --home it remembers finished rounds and its workers: stopped and started again, it goes on.',
  ],
  options: {
    ...trainingOptions,
    listen: {
      kind: 'text',
      value: 'ADDRESS',
      repeats: true,
      describes: 'Multiaddr to listen on (default /ip4/127.0.0.1/tcp/0).',
    },
    home: {
      kind: 'text',
      value: 'DIR',
      describes: 'Folder for keys, trust and finished rounds; else all in memory.',
    },
    tokens: {
      kind: 'text',
      value: 'N',
      describes: 'Join tokens to print (default: one per worker).',
    },
  },
  examples: ['myelin swarm coordinate --agents 3 --listen /ip4/127.0.0.1/tcp/4001 --home ./swarm'],
  run: async ({ options, output, signal }) => {
    const [{ createAgent }, { memoryStore, fileStore, systemClock }, learning] = await Promise.all([
      import('@myelin/node'),
      import('@myelin/base/system'),
      import('@myelin/learning'),
    ])
    const { plan, test } = await training(options)
    const logger = await stderrLogger()
    const listen = options.listen.length > 0 ? options.listen : ['/ip4/127.0.0.1/tcp/0']
    const home = options.home === undefined ? {} : { home: options.home }
    await using agent = await createAgent({
      name: 'coordinator',
      listen: [...listen],
      ...home,
      logger,
    })
    const say = speaker(output)
    agent.watchPeers((event) => {
      if (event.kind !== 'connected') return
      const { agent: id, name, security, transport } = event.peer
      say({ event: 'connected', agent: id, name, security, transport })
    })
    say({ event: 'listening', agent: agent.id, addresses: agent.addresses })
    const tokens = wholeNumber('tokens', options.tokens, 0, 1024) ?? plan.workers
    for (let i = 0; i < tokens; i += 1) {
      say({ event: 'token', token: await agent.issueJoinToken({ roles: ['worker'] }) })
    }
    using trips = sampleRoundTrips(agent)
    const store = options.home === undefined ? memoryStore() : fileStore(options.home)
    const outcome = await learning.runSwarmCoordinator({
      agent,
      clock: systemClock,
      logger,
      store,
      plan,
      test,
      signal,
      onEvent: (swarm) => say({ event: 'swarm', swarm }),
    })
    say({ event: 'refusals', counts: agent.securityLog.counts })
    say({ event: 'finished', outcome, roundTripMs: trips.samples })
    return 0
  },
})

async function training(options: TrainingOptionValues) {
  const { testDigits } = await import('@myelin/learning')
  if (options.data === undefined) {
    const plan = planOf(options)
    return { plan, test: testDigits(plan) }
  }
  const { readIdx } = await import('../swarm/idx-data.ts')
  // The coordinator needs the count of the training pictures, and the test pictures.
  return {
    plan: planOf(options, readIdx(options.data, 'train').count),
    test: readIdx(options.data, 't10k'),
  }
}

async function stderrLogger() {
  const { createLogger, streamSink } = await import('@myelin/node')
  return createLogger({ level: 'warn', format: 'pretty', sink: streamSink(process.stderr) })
}

function speaker(output: Output): (line: CoordinatorLine) => void {
  return (line) => output.record(line, () => lineText(line))
}

function lineText(line: CoordinatorLine): string {
  switch (line.event) {
    case 'listening':
      return line.addresses.map((address) => `listening on ${address}`).join('\n')
    case 'token':
      return `join token: ${line.token}`
    case 'connected':
      return `connected: ${line.name} ${line.agent} (${line.security} over ${line.transport})`
    case 'swarm':
      return line.swarm.kind === 'round-finished'
        ? `round ${line.swarm.round}: accuracy ${(line.swarm.accuracy * 100).toFixed(2)} % from ${line.swarm.updates} updates`
        : `${line.swarm.kind}${'worker' in line.swarm ? ` ${line.swarm.worker}` : ''}`
    case 'refusals':
      return `refusals: ${JSON.stringify(line.counts)}`
    case 'finished':
      return `finished: accuracy ${(line.outcome.accuracy * 100).toFixed(2)} %`
  }
}

interface Sampler extends Disposable {
  readonly samples: number[]
}

/** Pings every connected worker now and then, through the same sessions as everything else. */
function sampleRoundTrips(agent: {
  peers(): readonly { readonly agent: string }[]
  ping(to: string): Promise<number>
}): Sampler {
  const samples: number[] = []
  const timer = setInterval(() => {
    for (const peer of agent.peers()) {
      if (samples.length >= samplesMax) return
      agent.ping(peer.agent).then(
        (ms) => samples.push(Math.round(ms * 1000) / 1000),
        () => {},
      )
    }
  }, pingIntervalMs)
  return { samples, [Symbol.dispose]: () => clearInterval(timer) }
}
