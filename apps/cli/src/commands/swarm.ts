// myelin swarm: a coordinator and its workers train one network over encrypted sessions, each in a process
// of its own, on this machine.

import { resolve } from 'node:path'
import { defineCommand } from '../command.ts'
import { usageError } from '../errors.ts'
import { alignColumns } from '../output.ts'
import { percentiles } from '../swarm/events.ts'
import type { SwarmReport } from '../swarm/supervisor.ts'
import { planOf, trainingOptions, trainingWords } from '../swarm/training-options.ts'
import { type SwarmTransport, swarmTransports } from '../swarm/transports.ts'

export const swarm = defineCommand({
  name: 'swarm',
  summary: 'Train a network with a swarm of agents in separate processes.',
  details: [
    'A coordinator hands out shards of the data; workers join with one-time tokens, train a 784-200-10 perceptron and send their weights back over post-quantum encrypted sessions; the coordinator averages them by examples and measures the result on digits that nobody trained on.',
  ],
  options: {
    ...trainingOptions,
    transport: {
      kind: 'text',
      value: 'NAME',
      describes: 'What carries the sessions: tcp (default), websocket, quic, ipc or shm.',
    },
    'kill-worker': {
      kind: 'flag',
      describes: 'End one worker in the middle of a task: the swarm finishes without it.',
    },
    'restart-coordinator': {
      kind: 'flag',
      describes: 'End the coordinator in the middle of a round: it comes back and goes on.',
    },
  },
  examples: [
    'myelin swarm',
    'myelin swarm --agents 3 --transport ipc --kill-worker',
    'myelin swarm --data ./mnist',
  ],
  run: async ({ options, output, signal }) => {
    const transport = transportOf(options.transport)
    const data = options.data === undefined ? undefined : resolve(options.data)
    const training = { ...options, data }
    const filesCount =
      data === undefined
        ? undefined
        : (await import('../swarm/idx-data.ts')).readIdx(data, 'train').count
    const plan = planOf(training, filesCount)
    if (options['kill-worker'] && plan.workers < 2)
      throw usageError('--kill-worker needs --agents 2 or more: somebody must go on')
    const [{ superviseSwarm }, { plainView, terminalView }] = await Promise.all([
      import('../swarm/supervisor.ts'),
      import('../swarm/view.ts'),
    ])
    const startedMs = performance.now()
    const isTerminal = process.stderr.isTTY === true && !output.isJson
    const report = await superviseSwarm({
      agents: plan.workers,
      rounds: plan.rounds,
      transport,
      trainingWords: trainingWords(training),
      data,
      killWorker: options['kill-worker'],
      restartCoordinator: options['restart-coordinator'],
      view: isTerminal ? terminalView(process.stderr) : plainView(process.stderr),
      signal,
    })
    const seconds = Math.round((performance.now() - startedMs) / 10) / 100
    const document = documentOf(report, {
      agents: plan.workers,
      transport,
      seconds,
      examples: plan.examples,
    })
    output.result(document, () => tableOf(document))
    return 0
  },
})

function transportOf(text: string | undefined): SwarmTransport {
  const name = swarmTransports.find((candidate) => candidate === (text ?? 'tcp'))
  if (name !== undefined) return name
  throw usageError(
    `--transport ${JSON.stringify(text)} is unknown; write ${swarmTransports.join(', ')}`,
  )
}

interface Circumstances {
  readonly agents: number
  readonly transport: SwarmTransport
  readonly seconds: number
  readonly examples: number
}

function documentOf(report: SwarmReport, circumstances: Circumstances) {
  const { outcome, processes, security, killed, restarts } = report
  return {
    accuracy: outcome.accuracy,
    agents: circumstances.agents,
    processes,
    rounds: outcome.rounds.map(({ round, accuracy, bytes, messages }) => ({
      round,
      accuracy,
      bytes,
      messages,
    })),
    handshakeMs: percentiles(report.handshakeMs),
    roundTripMs: percentiles(report.roundTripMs),
    seconds: circumstances.seconds,
    transport: circumstances.transport,
    security,
    examples: circumstances.examples,
    killed,
    restarts,
    reassigned: outcome.reassigned,
    rejected: outcome.rejected,
  }
}

function tableOf(document: ReturnType<typeof documentOf>): string[] {
  const { rounds, handshakeMs, roundTripMs, agents, processes, seconds, accuracy, security } =
    document
  const rows = rounds.map(({ round, accuracy: share, bytes, messages }) => [
    String(round),
    `${(share * 100).toFixed(2)} %`,
    `${(bytes / 1e6).toFixed(2)} MB`,
    String(messages),
  ])
  return [
    '',
    ...alignColumns([['round', 'accuracy', 'on the wire', 'messages'], ...rows]),
    '',
    `handshake   p50 ${handshakeMs.p50} ms, p99 ${handshakeMs.p99} ms`,
    `round trip  p50 ${roundTripMs.p50} ms, p99 ${roundTripMs.p99} ms (pings while the workers train)`,
    `sessions    ${security}`,
    `${agents} workers and a coordinator in ${processes.length} processes reached ${(accuracy * 100).toFixed(2)} % in ${seconds} s`,
  ]
}
