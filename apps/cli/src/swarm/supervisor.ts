// Runs a swarm on one machine: a coordinator and its workers as processes of their own, watched over their
// standard outputs. Knows what happened to each; ends them all.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SwarmEvent, SwarmOutcome } from '@myelin/learning'
import { CliError } from '../errors.ts'
import { printable } from '../output.ts'
import { Child } from './child.ts'
import type { ProcessLine, RoundResult } from './events.ts'
import { listenAddresses, type SwarmTransport } from './transports.ts'
import type { SwarmView, WorkerView } from './view.ts'

export interface SupervisorOptions {
  readonly agents: number
  readonly rounds: number
  readonly transport: SwarmTransport
  /** Training options for the coordinator, and the folder of the data for the workers. */
  readonly trainingWords: readonly string[]
  readonly data: string | undefined
  /** End one worker in the middle of a round. */
  readonly killWorker: boolean
  /** End the coordinator in the middle of a round and start it again. */
  readonly restartCoordinator: boolean
  readonly view: SwarmView
  readonly signal: AbortSignal
}

export interface SwarmReport {
  readonly outcome: SwarmOutcome
  /** Process ids: the coordinator's, then the workers'. */
  readonly processes: readonly number[]
  readonly handshakeMs: readonly number[]
  readonly roundTripMs: readonly number[]
  readonly security: string
  readonly killed: readonly number[]
  readonly restarts: number
}

const graceMs = 3_000
/** Faults are injected in this round, when this much of a task is done. */
const faultRound = 2
const faultProgress = 0.25

interface Worker extends WorkerView {
  child: Child | undefined
}

export async function superviseSwarm(options: SupervisorOptions): Promise<SwarmReport> {
  const folder = await mkdtemp(join(tmpdir(), 'myelin-swarm-'))
  const supervisor = new Supervisor(options, folder)
  try {
    return await supervisor.run()
  } finally {
    await supervisor.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

class Supervisor {
  readonly #options: SupervisorOptions
  readonly #folder: string
  readonly #workers: Worker[]
  readonly #pids: number[] = []
  readonly #killed: number[] = []
  readonly #handshakes: number[] = []
  readonly #finished = Promise.withResolvers<{
    outcome: SwarmOutcome
    roundTripMs: readonly number[]
  }>()
  #coordinator: Child | undefined
  #listen: string
  #security = ''
  #round = 0
  #last: RoundResult | undefined
  #restarts = 0
  #isStopping = false
  #isFaultDue: boolean

  constructor(options: SupervisorOptions, folder: string) {
    this.#options = options
    this.#folder = folder
    this.#isFaultDue = options.killWorker || options.restartCoordinator
    this.#listen = listenAddresses[options.transport](join(folder, 'swarm.sock'))
    this.#workers = Array.from({ length: options.agents }, (_, i) => ({
      label: `worker ${i + 1}`,
      agent: '',
      progress: 0,
      state: 'starting',
      task: '',
      child: undefined,
    }))
  }

  async run(): Promise<SwarmReport> {
    const { signal } = this.#options
    const onAbort = () => this.#finished.reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    this.#startCoordinator(this.#options.agents)
    try {
      const { outcome, roundTripMs } = await this.#finished.promise
      const handshakeMs = this.#handshakes
      return {
        outcome,
        processes: this.#pids,
        handshakeMs,
        roundTripMs,
        security: this.#security,
        killed: this.#killed,
        restarts: this.#restarts,
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#options.view.end()
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    const children = [this.#coordinator, ...this.#workers.map((worker) => worker.child)]
    await Promise.all(children.map((child) => child?.stop(graceMs)))
  }

  #startCoordinator(tokens: number): void {
    const { trainingWords } = this.#options
    const words = [
      'swarm',
      'coordinate',
      '--json',
      '--home',
      this.#folder,
      '--listen',
      this.#listen,
      '--tokens',
      String(tokens),
    ]
    const child = new Child({
      words: [...words, ...trainingWords],
      onLine: (line) => this.#coordinatorSays(line),
      onExit: (exit) => this.#coordinatorLeft(child, exit),
    })
    this.#coordinator = child
    this.#pids.push(child.pid)
  }

  #startWorker(worker: Worker, token: string): void {
    const { data } = this.#options
    const words = [
      'swarm',
      'work',
      '--json',
      '--token',
      '-',
      '--name',
      worker.label.replace(' ', '-'),
    ]
    const child = new Child({
      words: data === undefined ? words : [...words, '--data', data],
      input: token,
      onLine: (line) => this.#workerSays(worker, line),
      onExit: ({ code, signal, stderr }) => {
        worker.child = undefined
        if (this.#isStopping) return
        worker.state = 'gone'
        const how = signal === null ? `code ${code}` : signal
        this.#note(`${worker.label} (process ${child.pid}) ended: ${how}${reasonOf(stderr)}`)
        if (this.#workers.every((other) => other.child === undefined)) {
          this.#finished.reject(
            new CliError(
              'CLI_SWARM',
              `every worker has ended; the last with ${how}${reasonOf(stderr)}`,
            ),
          )
        }
      },
    })
    worker.child = child
    this.#pids.push(child.pid)
  }

  #coordinatorSays(line: ProcessLine): void {
    if ('error' in line) {
      this.#finished.reject(
        new CliError('CLI_SWARM', `the coordinator failed: ${printable(line.error.message)}`),
      )
      return
    }
    switch (line.event) {
      case 'listening':
        this.#listening(line.addresses[0] ?? '')
        break
      case 'token': {
        const worker = this.#workers.find(
          (candidate) => candidate.state === 'starting' && candidate.child === undefined,
        )
        if (worker !== undefined) this.#startWorker(worker, line.token)
        break
      }
      case 'connected':
        this.#security = `${line.security} over ${line.transport}`
        break
      case 'swarm':
        this.#swarmSays(line.swarm)
        break
      case 'refusals':
        this.#noteRefusals(line.counts)
        break
      case 'finished':
        this.#finished.resolve(line)
        break
      default:
        break
    }
  }

  #listening(address: string): void {
    // A coordinator that comes back must be found where it was.
    this.#listen = address.replace(/\/p2p\/[^/]+$/, '')
    const again = this.#restarts > 0 ? ' again' : ''
    this.#note(`coordinator (process ${this.#coordinator?.pid}) listens${again} on ${this.#listen}`)
  }

  #workerSays(worker: Worker, line: ProcessLine): void {
    if ('error' in line || worker.state === 'gone') return
    if (line.event === 'joined') {
      const how = worker.agent === '' ? `joined as ${line.agent}: ${line.security}` : 'is back'
      worker.agent = line.agent
      worker.state = 'idle'
      this.#handshakes.push(line.handshakeMs)
      const handshake = `handshake ${line.handshakeMs.toFixed(1)} ms`
      this.#note(`${worker.label} (process ${worker.child?.pid}) ${how}, ${handshake}`)
    } else if (line.event === 'work') {
      worker.state = line.work.kind === 'task-started' ? 'busy' : 'idle'
      worker.task = line.work.taskId
      worker.progress = 0
    }
    this.#draw()
  }

  #swarmSays(event: SwarmEvent): void {
    const { rounds } = this.#options
    const worker =
      'worker' in event
        ? this.#workers.find((candidate) => candidate.agent === event.worker)
        : undefined
    switch (event.kind) {
      case 'resumed':
        this.#note(`coordinator goes on after round ${event.round}`)
        break
      case 'round-started':
        this.#round = event.round
        break
      case 'status':
        if (worker !== undefined && worker.state !== 'gone')
          worker.progress = event.status.progress ?? 0
        this.#injectFault(event.status.progress ?? 0, worker)
        break
      case 'worker-lost':
        if (event.freed.length > 0)
          this.#note(
            `${worker?.label ?? event.worker} is lost; ${event.freed.join(', ')} goes to another`,
          )
        break
      case 'task-expired':
        this.#note(`${event.freed.join(', ')} took too long; it goes to another`)
        break
      case 'update-rejected':
        if (worker !== undefined) worker.state = 'sent away'
        this.#note(
          `${worker?.label ?? event.worker} sent rubbish for ${event.taskId} (${printable(event.reason)}); it is sent away`,
        )
        break
      case 'round-finished':
        this.#last = event
        this.#note(
          `round ${String(event.round).padStart(2)} of ${rounds}: accuracy ${(event.accuracy * 100).toFixed(2)} % from ${event.updates} updates`,
        )
        break
      default:
        break
    }
    this.#draw()
  }

  #injectFault(progress: number, worker: Worker | undefined): void {
    const isNow =
      this.#isFaultDue &&
      this.#round >= Math.min(faultRound, this.#options.rounds) &&
      progress >= faultProgress
    if (!isNow || worker?.child === undefined) return
    this.#isFaultDue = false
    if (this.#options.killWorker) {
      this.#note(`killing ${worker.label} (process ${worker.child.pid}) in the middle of its task`)
      this.#killed.push(worker.child.pid)
      worker.child.kill('SIGKILL')
    }
    if (this.#options.restartCoordinator && this.#coordinator !== undefined) {
      this.#note(
        `killing the coordinator (process ${this.#coordinator.pid}) in the middle of round ${this.#round}`,
      )
      this.#killed.push(this.#coordinator.pid)
      this.#coordinator.kill('SIGKILL')
    }
  }

  #coordinatorLeft(
    child: Child,
    {
      code,
      signal,
      stderr,
    }: { readonly code: number | null; readonly signal: string | null; readonly stderr: string },
  ): void {
    if (this.#coordinator !== child) return
    this.#coordinator = undefined
    if (this.#isStopping) return
    if (this.#killed.includes(child.pid)) {
      this.#restarts += 1
      this.#startCoordinator(0)
    } else if (code !== 0) {
      this.#finished.reject(
        new CliError(
          'CLI_SWARM',
          `the coordinator ended: ${signal ?? `code ${code}`}${reasonOf(stderr)}`,
        ),
      )
    }
  }

  #noteRefusals(counts: Readonly<Record<string, number>>): void {
    const { 'agent-joined': joined, ...refusals } = counts
    const listed = Object.entries(refusals).map(([kind, count]) => `${count} x ${kind}`)
    if (listed.length > 0) this.#note(`refused by the coordinator: ${listed.join(', ')}`)
  }

  #note(text: string): void {
    if (!this.#isStopping) this.#options.view.note(text)
  }

  #draw(): void {
    this.#options.view.draw(
      this.#workers,
      { current: this.#round, of: this.#options.rounds },
      this.#last,
    )
  }
}

/** The last line of what a process said before it ended. */
function reasonOf(stderr: string): string {
  const last = stderr.split('\n').at(-1) ?? ''
  return last === '' ? '' : ` (${printable(last)})`
}
