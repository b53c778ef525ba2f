// One agent on several cores (R085): worker threads that share its keys, its trust and its TCP ports. The system deals
// the connections out among them (SO_REUSEPORT), and each worker does all of its sessions' work, handlers included.
// Trust lives in the main thread: a change there or in any worker reaches all of them, and ends the sessions
// of who is trusted no more.
//
// Join tokens are good for one agent, which threads that know nothing of each other could not hold to: workers
// accept none. And each remembers the nonces of its own handshakes only; a first message that is replayed to another
// worker gets an answer there, which its sender cannot use.

import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { systemClock, systemRandom } from '@myelin/base/system'
import type { PeerInfo, Traffic } from '@myelin/fabric'
import type { AgentId, TrustStore } from '@myelin/identity'
import type { CreateAgentOptions, NodeAgent } from '../create-agent.ts'
import { NodeError } from '../errors.ts'
import { type Home, keyFileName, openHome } from '../home.ts'
import type { FromWorker, ToWorker, WorkerStart, WorkerStatus } from './worker-messages.ts'

/** What a worker module exports. */
export interface AgentWorkerModule {
  /** Adds the handlers. Runs in each worker before its door opens. */
  setup(agent: NodeAgent, place: WorkerPlace): void
}

export interface WorkerPlace {
  /** From 0. */
  readonly index: number
  readonly count: number
}

type Forwarded =
  | 'clock'
  | 'logger'
  | 'prepare'
  | 'random'
  | 'store'
  | 'tls'
  | 'transports'
  | 'trust'

export interface AgentWorkersOptions extends Omit<CreateAgentOptions, Forwarded> {
  /** The module with `setup`, by its URL: `new URL('./handlers.js', import.meta.url)`. */
  readonly module: URL
  /** As many as there are cores by default. */
  readonly workers?: number
}

export interface AgentWorkers extends AsyncDisposable {
  readonly id: AgentId
  /** Where the workers listen, all of them on each. */
  readonly addresses: readonly string[]
  readonly count: number
  /** Changes reach every worker. */
  readonly trust: TrustStore
  /** Of all workers together. */
  traffic(): Promise<Traffic>
  /** Sessions with the worker that holds them. */
  peers(): Promise<readonly (PeerInfo & { readonly worker: number })[]>
  /** Rejects with `NODE_WORKER` when a worker has died; the others go on. Resolves after `close`. */
  readonly done: Promise<void>
  close(options?: { readonly drainMs?: number }): Promise<void>
}

/** Documents of a home that a worker gets. */
const sharedDocuments = [keyFileName, 'trust.json'] as const

/**
 * Starts an agent on several threads. Listens on TCP alone, since no other port can be shared. Throws
 * `NODE_CONFIGURATION` and what else `createAgent` throws, after all workers have ended.
 */
export async function startAgentWorkers(options: AgentWorkersOptions): Promise<AgentWorkers> {
  const {
    module,
    workers: count = availableParallelism(),
    passphrase,
    policy,
    ...configuration
  } = options
  checkOptions(count, configuration.listen ?? [])
  const home = await openHome({ path: configuration.home, passphrase, random: systemRandom })
  const documents = new Map<string, Uint8Array>()
  for (const key of sharedDocuments) {
    const bytes = await home.store.get(key)
    if (bytes !== undefined) documents.set(key, bytes)
  }
  // The home is the main thread's: a worker keeps what it is given in memory.
  const { home: _, ...rest } = configuration
  const group = new WorkerGroup(home, count)
  const startOne = (index: number, listen: readonly string[]) =>
    group.start({
      index,
      count,
      module: module.href,
      configuration: { ...rest, listen },
      policy,
      passphrase,
      documents,
    })
  try {
    // The first finds the ports where they were left to the system.
    const addresses = await startOne(0, configuration.listen ?? [])
    const listen = boundAs(configuration.listen ?? [], addresses)
    await Promise.all(Array.from({ length: count - 1 }, (_, i) => startOne(i + 1, listen)))
    group.addresses = addresses
    return group
  } catch (error) {
    await group.close({ drainMs: 0 })
    throw error
  }
}

function checkOptions(count: number, listen: readonly string[]): void {
  if (!Number.isInteger(count) || count < 1 || count > workersMax) {
    const message = `${count} workers cannot be; name 1 to ${workersMax}`
    throw new NodeError('NODE_CONFIGURATION', message, { kind: 'usage' })
  }
  const other = listen.find((address) => !/^\/ip[46]\/[^/]+\/tcp\/\d+$/.test(address))
  if (other === undefined) return
  const message = `workers cannot share ${other}; listen on /ip4/…/tcp/… or /ip6/…/tcp/…`
  throw new NodeError('NODE_CONFIGURATION', message, { kind: 'usage' })
}

const workersMax = 256

/** What was asked for, with the ports that the first worker found in place of 0. */
function boundAs(listen: readonly string[], addresses: readonly string[]): string[] {
  const left = addresses.map((address) => address.split('/'))
  return listen.map((asked) => {
    const [, family, host, , port] = asked.split('/')
    if (port !== '0') return asked
    const isWildcard = host === '0.0.0.0' || host === '::'
    const at = left.findIndex(([, ip, on]) => ip === family && (isWildcard || on === host))
    const [found] = left.splice(at, 1)
    return `/${family}/${host}/tcp/${found?.[4]}`
  })
}

class WorkerGroup implements AgentWorkers {
  addresses: readonly string[] = []
  readonly id: AgentId
  readonly count: number
  readonly trust: TrustStore
  readonly done: Promise<void>
  readonly #ending = Promise.withResolvers<void>()
  readonly #workers: Worker[] = []
  readonly #gone: Promise<void>[] = []
  readonly #asked = new Map<number, PromiseWithResolvers<WorkerStatus>>()
  #questions = 0
  #closed: Promise<void> | undefined

  constructor(home: Home, count: number) {
    this.id = home.keys.agent
    this.trust = home.trust
    this.count = count
    this.done = this.#ending.promise
    this.done.catch(() => {})
    home.trust.watch((agent) => {
      this.#tellAll({ kind: 'trust', agent, entry: home.trust.get(agent) })
    })
  }

  /** Resolves with the addresses once the worker listens. */
  start(parts: WorkerStart): Promise<readonly string[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>()
    const worker = new Worker(new URL(`./worker${extname(import.meta.url)}`, import.meta.url), {
      workerData: parts,
      name: `myelin-${parts.index}`,
    })
    this.#workers[parts.index] = worker
    const died = (why: string, cause?: unknown) => {
      const message = `worker ${parts.index} ${why}; see its cause, correct it and start again`
      const error = new NodeError('NODE_WORKER', message, { cause })
      reject(error)
      if (this.#closed === undefined) this.#ending.reject(error)
    }
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'ready') resolve(message.addresses)
      else if (message.kind === 'failed') reject(failureOf(message.code, message.message))
      else this.#hear(message)
    })
    worker.on('error', (error) => died('died of an error', error))
    const gone = Promise.withResolvers<void>()
    this.#gone.push(gone.promise)
    worker.on('exit', (code) => {
      died(`ended with code ${code}`)
      gone.resolve()
    })
    return promise
  }

  async traffic(): Promise<Traffic> {
    const all = await this.#ask()
    const sum = (pick: (traffic: Traffic) => number) =>
      all.reduce((total, { traffic }) => total + pick(traffic), 0)
    return {
      messagesSent: sum((traffic) => traffic.messagesSent),
      messagesReceived: sum((traffic) => traffic.messagesReceived),
      bytesSent: sum((traffic) => traffic.bytesSent),
      bytesReceived: sum((traffic) => traffic.bytesReceived),
    }
  }

  async peers(): Promise<readonly (PeerInfo & { readonly worker: number })[]> {
    const all = await this.#ask()
    return all.flatMap(({ peers }, worker) => peers.map((peer) => ({ ...peer, worker })))
  }

  close({ drainMs = 10_000 }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#end(drainMs)
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #end(drainMs: number): Promise<void> {
    this.#tellAll({ kind: 'close', drainMs })
    const late = systemClock.setTimer(drainMs + graceMs, () => {
      for (const worker of this.#workers) void worker.terminate()
    })
    await Promise.all(this.#gone)
    late.cancel()
    const error = new NodeError('NODE_WORKER', 'the workers have ended')
    for (const { reject } of this.#asked.values()) reject(error)
    this.#ending.resolve()
  }

  #hear(message: Exclude<FromWorker, { kind: 'ready' | 'failed' }>): void {
    if (message.kind === 'status') {
      this.#asked.get(message.number)?.resolve(message.status)
      this.#asked.delete(message.number)
      return
    }
    const { agent, entry } = message
    if (JSON.stringify(this.trust.get(agent)) === JSON.stringify(entry)) return
    const changed = entry === undefined ? this.trust.remove(agent) : this.trust.add(entry)
    Promise.resolve(changed).catch((error) => this.#ending.reject(error))
  }

  #tellAll(message: ToWorker): void {
    for (const worker of this.#workers) worker?.postMessage(message)
  }

  #ask(): Promise<WorkerStatus[]> {
    return Promise.all(
      this.#workers.map((worker) => {
        const number = this.#questions
        this.#questions += 1
        const asked = Promise.withResolvers<WorkerStatus>()
        this.#asked.set(number, asked)
        worker.postMessage({ kind: 'status', number } satisfies ToWorker)
        return asked.promise
      }),
    )
  }
}

/** A closing worker has its drain, and so long after it. */
const graceMs = 5_000

function failureOf(code: string, message: string): NodeError {
  return new NodeError('NODE_WORKER', `a worker could not start (${code}): ${message}`)
}
