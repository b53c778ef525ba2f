// The control endpoint of a daemon: a Unix socket in its home, for the programs of its own user (mode 0600, in
// a folder of mode 0700). Whoever can open it may do what the daemon may do; nobody else reaches it. Calls
// and answers never go to the log: join tokens and payloads are in them.

import {
  type Clock,
  describeError,
  type Logger,
  MyelinError,
  silentLogger,
  utf8Encode,
} from '@myelin/base'
import { systemClock } from '@myelin/base/system'
import { type ByteStream, ipc, type Listener, TransportError } from '@myelin/transport'
import { controlAddress } from './control-address.ts'
import type { Control } from './control-client.ts'
import {
  controlConnectionsMax,
  controlLineBytesMax,
  controlLingerMs,
  controlRequestsMax,
} from './control-limits.ts'
import { type ControlParts, callControlMethod } from './control-methods.ts'
import {
  type ControlFault,
  type ControlRequest,
  type ControlResponse,
  checkParams,
  parseControlRequest,
} from './control-protocol.ts'
import type { NodeAgent } from './create-agent.ts'
import { NodeError } from './errors.ts'
import { LineReader } from './line-reader.ts'
import type { PeerKeeper } from './peer-keeper.ts'

export interface ServeControlOptions {
  /** The folder in which the socket is made. */
  readonly home: string
  readonly logger?: Logger
  readonly clock?: Clock
  readonly keeper?: PeerKeeper
}

export interface ControlServer extends AsyncDisposable {
  readonly address: string
  /** Removes the socket, and ends the calls in progress: their callers are told. */
  close(): Promise<void>
}

/** Serves the methods. Throws `NODE_DAEMON_RUNS` where another daemon serves this home. */
export async function serveControl(
  agent: NodeAgent,
  options: ServeControlOptions,
): Promise<ControlServer> {
  const { home, logger = silentLogger, clock = systemClock, keeper } = options
  const address = controlAddress(home)
  const transport = ipc({ mode: 0o600, connectionsMax: controlConnectionsMax, logger })
  const parts = { agent, clock, ...(keeper === undefined ? {} : { keeper }) }
  const connections = new Set<ControlConnection>()
  let listener: Listener
  try {
    listener = await transport.listen(address, (stream) => {
      const connection = new ControlConnection(stream, parts, () => connections.delete(connection))
      connections.add(connection)
    })
  } catch (cause) {
    if (!(cause instanceof TransportError) || cause.code !== 'TRANSPORT_IN_USE') throw cause
    throw daemonRuns(home, cause)
  }
  const close = async () => {
    await listener.close()
    await Promise.all([...connections].map((connection) => connection.close()))
  }
  return { address, close, [Symbol.asyncDispose]: close }
}

/** The same methods for an agent in this process. Disposing leaves the agent as it is. */
export function localControl(parts: ControlParts): Control {
  return {
    call: async (method, params, { signal = neverAborted } = {}) => {
      const problem = checkParams(method, { ...params })
      if (problem !== undefined) throw callFault(problem)
      return await callControlMethod(method, params, { ...parts, signal })
    },
    [Symbol.asyncDispose]: async () => {},
  }
}

export function daemonRuns(home: string, cause?: unknown): NodeError {
  const message = `a daemon runs already for ${home}; stop it first, or use another home`
  return new NodeError('NODE_DAEMON_RUNS', message, { cause, kind: 'usage' })
}

const neverAborted = new AbortController().signal

class ControlConnection {
  readonly #stream: ByteStream
  readonly #parts: ControlParts
  readonly #reader = new LineReader(controlLineBytesMax)
  readonly #stop = new AbortController()
  readonly #gone = Promise.withResolvers<void>()
  #calls = 0
  /** Nothing more is taken; the stream ends with the last answer. */
  #isEnding = false

  constructor(stream: ByteStream, parts: ControlParts, onClosed: () => void) {
    this.#stream = stream
    this.#parts = parts
    stream.attach({
      data: (chunk) => {
        if (this.#isEnding || this.#reader.push(chunk, (line) => this.#take(line))) return
        this.#refuse(null, `a line has at most ${controlLineBytesMax} bytes`)
        this.#end()
      },
      // Answers pile up at a caller that does not read: it may ask again when it has.
      drain: () => stream.resume(),
      end: () => this.#end(),
      closed: () => {
        this.#isEnding = true
        this.#stop.abort(hungUp())
        this.#gone.resolve()
        onClosed()
      },
    })
  }

  close(): Promise<void> {
    this.#stop.abort(goingAway())
    this.#end()
    this.#parts.clock.setTimer(controlLingerMs, () => this.#stream.destroy())
    return this.#gone.promise
  }

  #take(line: Uint8Array): void {
    if (this.#isEnding) return
    const parsed = parseControlRequest(line)
    if (!parsed.ok) {
      this.#refuse(parsed.fault.id, parsed.fault.problem)
      // Without an id the two sides no longer agree on where they are.
      if (parsed.fault.id === null) this.#end()
    } else if (this.#calls >= controlRequestsMax) {
      this.#refuse(parsed.value.id, `${controlRequestsMax} calls are in progress; wait for one`)
    } else {
      this.#calls += 1
      void this.#run(parsed.value)
    }
  }

  async #run({ id, method, params }: ControlRequest): Promise<void> {
    try {
      const parts = { ...this.#parts, signal: this.#stop.signal }
      this.#answer({ id, result: await callControlMethod(method, params, parts) })
    } catch (error) {
      this.#answer({ id, error: faultOf(error) })
    }
    this.#calls -= 1
    if (this.#isEnding) this.#end()
  }

  #refuse(id: number | null, problem: string): void {
    this.#answer({ id, error: faultOf(callFault(problem)) })
  }

  #answer(response: ControlResponse): void {
    if (!this.#stream.write(utf8Encode(`${JSON.stringify(response)}\n`))) this.#stream.pause()
  }

  #end(): void {
    this.#isEnding = true
    if (this.#calls === 0) this.#stream.end()
  }
}

function callFault(problem: string): NodeError {
  return new NodeError('NODE_CONTROL', problem, { kind: 'usage' })
}

function hungUp(): NodeError {
  return new NodeError('NODE_CONTROL', 'the caller hung up', { kind: 'recoverable' })
}

function goingAway(): NodeError {
  const message = 'the daemon is shutting down; call again when it is back'
  return new NodeError('NODE_CONTROL', message, { kind: 'recoverable' })
}

function faultOf(error: unknown): ControlFault {
  if (error instanceof MyelinError) {
    const { code, message, kind } = error
    return { code, message, kind }
  }
  return { code: 'INTERNAL', message: describeError(error), kind: 'fatal' }
}
