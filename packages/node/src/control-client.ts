// The calling side of the control endpoint (control.ts).

import { MyelinError, utf8Encode } from '@myelin/base'
import { type ByteStream, ipc, TransportError } from '@myelin/transport'
import { controlAddress } from './control-address.ts'
import { controlLineBytesMax } from './control-limits.ts'
import {
  type ControlFault,
  type ControlMethod,
  type ControlMethods,
  parseControlResponse,
} from './control-protocol.ts'
import { NodeError } from './errors.ts'
import { LineReader } from './line-reader.ts'

/** Someone who calls methods: a daemon through its socket, or an agent in this process. */
export interface Control extends AsyncDisposable {
  /** Rejects with the error of the method, with its code. */
  call<Method extends ControlMethod>(
    method: Method,
    params: ControlMethods[Method]['params'],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<ControlMethods[Method]['result']>
}

/** Connects to the daemon of a home. Throws `NODE_DAEMON_ABSENT` where none runs. */
export async function connectControl(home: string): Promise<Control> {
  try {
    return new ControlClient(await ipc().dial(controlAddress(home)))
  } catch (cause) {
    if (!(cause instanceof TransportError)) throw cause
    // A path too long for a socket belongs to no daemon: it could not have made it.
    if (cause.code !== 'TRANSPORT_REFUSED' && cause.code !== 'TRANSPORT_ADDRESS') throw cause
    const message = `no daemon runs for ${home}; start one with: myelin up`
    throw new NodeError('NODE_DAEMON_ABSENT', message, { cause, kind: 'usage' })
  }
}

interface PendingCall {
  resolve(result: unknown): void
  reject(error: unknown): void
}

class ControlClient implements Control {
  readonly #stream: ByteStream
  readonly #reader = new LineReader(controlLineBytesMax)
  readonly #pending = new Map<number, PendingCall>()
  readonly #closed = Promise.withResolvers<void>()
  #nextId = 1
  #failure: NodeError | undefined

  constructor(stream: ByteStream) {
    this.#stream = stream
    stream.attach({
      data: (chunk) => {
        if (!this.#reader.push(chunk, (line) => this.#take(line))) this.#fail('it sent a long line')
      },
      drain: () => {},
      end: () => this.#fail('it hung up; see its log'),
      closed: () => {
        this.#fail('it hung up; see its log')
        this.#closed.resolve()
      },
    })
  }

  call<Method extends ControlMethod>(
    method: Method,
    params: ControlMethods[Method]['params'],
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ControlMethods[Method]['result']> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const id = this.#nextId
    this.#nextId += 1
    const line = utf8Encode(`${JSON.stringify({ id, method, params })}\n`)
    if (line.length > controlLineBytesMax) {
      const message = `a call has at most ${controlLineBytesMax} bytes; send less at once`
      return Promise.reject(new NodeError('NODE_CONTROL', message, { kind: 'usage' }))
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => this.#settle(id)?.reject(signal?.reason)
      const release = () => signal?.removeEventListener('abort', onAbort)
      this.#pending.set(id, {
        resolve: (result) => {
          release()
          // The daemon is of our own version and user: its answers have the shape of their method.
          resolve(result as ControlMethods[Method]['result'])
        },
        reject: (error) => {
          release()
          reject(error)
        },
      })
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#stream.write(line)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fail('the caller closed the connection')
    await this.#closed.promise
  }

  #take(line: Uint8Array): void {
    const response = parseControlResponse(line)
    if (response === undefined) {
      this.#fail('it answers in another language')
      return
    }
    const { id } = response
    const call = id === null ? undefined : this.#settle(id)
    if ('result' in response) call?.resolve(response.result)
    else if (call !== undefined) call.reject(errorOf(response.error))
    // An error about no call in particular is about all of them.
    else if (id === null) this.#rejectAll(errorOf(response.error))
  }

  #settle(id: number): PendingCall | undefined {
    const call = this.#pending.get(id)
    this.#pending.delete(id)
    return call
  }

  #fail(problem: string): void {
    if (this.#failure !== undefined) return
    const message = `the daemon did not answer: ${problem}`
    this.#failure = new NodeError('NODE_CONTROL', message, { kind: 'recoverable' })
    this.#rejectAll(this.#failure)
    this.#stream.destroy()
  }

  #rejectAll(error: MyelinError): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(error)
  }
}

function errorOf({ code, message, kind }: ControlFault): MyelinError {
  return new MyelinError(code, message, { kind })
}
