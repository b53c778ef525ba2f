// From a session's message to the program's handler: the guard's verdict, the type's codec, the handler or
// reader, the answer. Whatever happens to one message happens to it alone, and its credit is returned.

import { AsyncQueue, describeError, emptyBytes, type Logger } from '@myelin/base'
import type { Gate, SecurityLog } from '@myelin/guard'
import type { AgentId } from '@myelin/identity'
import type { IncomingMessage, SessionStream } from '@myelin/session'
import type { MessageTypes } from '@myelin/wire'
import { type Handler, type Received, TypedReply } from './agent.ts'
import { FabricError, type FailureCode, failureNumbers, Refusal } from './errors.ts'
import { handledTypesMax, readerQueueMax } from './limits.ts'

/** Messages and payload bytes that wait for the end of their handler. */
export interface HeldMax {
  readonly messages: number
  readonly bytes: number
}

/** A stream counts for so many messages, because of what it may have unread. */
const messagesOfStream = 64

export interface DispatcherParts {
  readonly types: MessageTypes
  readonly log: SecurityLog
  readonly logger: Logger
  /**
   * What the handlers that run for one peer may hold at once: as much as one session can start. A peer gets no more
   * by coming back in a new session while those of the last one still run.
   */
  readonly held: HeldMax
}

/** Words for the peer. What exactly went wrong inside stays inside. */
const failureTexts: Readonly<Record<FailureCode, string>> = {
  FABRIC_HANDLER_FAILED: 'the handler failed',
  FABRIC_NO_HANDLER: 'nobody handles this type',
  FABRIC_FORBIDDEN: 'your role may not send this type',
  FABRIC_RATE_LIMITED: 'too many messages; slow down',
  FABRIC_PAYLOAD: 'the payload does not fit its type',
  FABRIC_TYPE_UNKNOWN: 'this type is not registered here',
  FABRIC_HANDLER_REFUSED: 'refused',
}

export interface DispatchCounts {
  handled: number
  unhandled: number
  refused: number
  failed: number
  /** Handled, but the peer reads too little to take the answer. */
  unanswered: number
}

type StreamHandler = (stream: SessionStream, from: AgentId) => unknown

/** What the dispatcher needs of a message: one of a session, or an acknowledged one over any of several. */
export interface Deliverable
  extends Pick<
    IncomingMessage,
    'kind' | 'type' | 'payload' | 'timestampMs' | 'priority' | 'release' | 'reply' | 'fail'
  > {
  readonly canReply?: IncomingMessage['canReply']
  /** Its sender is told what became of it, although it asks nothing. */
  readonly isAcknowledged?: boolean
}

interface Delivery {
  readonly received: Received
  readonly message: Deliverable
}

export class Dispatcher {
  readonly counts: DispatchCounts = {
    handled: 0,
    unhandled: 0,
    refused: 0,
    failed: 0,
    unanswered: 0,
  }
  readonly #parts: DispatcherParts
  readonly #handlers = new Map<string, Handler<unknown>>()
  readonly #streamHandlers = new Map<string, StreamHandler>()
  readonly #readers = new Map<string, AsyncQueue<Delivery>>()
  readonly #heldOf = new Map<AgentId, { messages: number; bytes: number }>()
  #running = 0
  #idle: (() => void) | undefined

  constructor(parts: DispatcherParts) {
    this.#parts = parts
  }

  handle(type: string, handler: Handler<unknown>): Disposable {
    this.#requireFree(type)
    this.#handlers.set(type, handler)
    return { [Symbol.dispose]: () => void this.#handlers.delete(type) }
  }

  handleStream(type: string, handler: StreamHandler): Disposable {
    if (this.#streamHandlers.has(type)) throw exists(type)
    if (this.#streamHandlers.size >= handledTypesMax) throw full()
    this.#streamHandlers.set(type, handler)
    return { [Symbol.dispose]: () => void this.#streamHandlers.delete(type) }
  }

  read(type: string): AsyncIterableIterator<Received> {
    this.#requireFree(type)
    let isLeft = false
    const queue = new AsyncQueue<Delivery>(readerQueueMax, ({ message }) => {
      if (isLeft) this.#answerFailure(message, 'FABRIC_NO_HANDLER')
      message.release()
    })
    this.#readers.set(type, queue)
    const leave = async (): Promise<IteratorResult<Received>> => {
      this.#readers.delete(type)
      isLeft = true
      await queue.return()
      return { done: true, value: undefined }
    }
    return {
      next: async () => {
        const next = await queue.next()
        return next.done === true
          ? { done: true, value: undefined }
          : { done: false, value: next.value.received }
      },
      return: leave,
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  /** Takes a message off a session. */
  dispatch(message: Deliverable, from: AgentId, gate: Gate): void {
    const verdict = gate.incoming(message.type, message.payload.length)
    if (this.#isBusyWith(from)) {
      this.#parts.log.record({ kind: 'handlers-busy', severity: 'warning', agent: from })
      this.#refuse(message, 'FABRIC_RATE_LIMITED')
      return
    }
    if (verdict !== 'allowed') {
      this.#refuse(message, verdict === 'forbidden' ? 'FABRIC_FORBIDDEN' : 'FABRIC_RATE_LIMITED')
      return
    }
    const type = this.#parts.types.get(message.type)
    if (type === undefined) {
      this.#parts.log.record({
        kind: 'type-unknown',
        severity: 'warning',
        agent: from,
        detail: message.type,
      })
      this.#refuse(message, 'FABRIC_TYPE_UNKNOWN')
      return
    }
    const decoded = type.decode(message.payload)
    if (!decoded.ok) {
      this.#parts.log.record({
        kind: 'payload-invalid',
        severity: 'warning',
        agent: from,
        detail: `${message.type}: ${decoded.fault}`,
      })
      this.#refuse(message, 'FABRIC_PAYLOAD')
      return
    }
    const { kind, timestampMs, priority } = message
    this.#deliver(message, {
      type: message.type,
      payload: decoded.value,
      from,
      kind,
      timestampMs,
      priority,
    })
  }

  dispatchStream(stream: SessionStream, from: AgentId, gate: Gate): void {
    const handler = this.#streamHandlers.get(stream.type)
    const code = this.#refusalOf(stream, from, gate)
    if (handler === undefined || code !== undefined) {
      this.counts.refused += 1
      const number = failureNumbers[code ?? 'FABRIC_NO_HANDLER']
      stream.reset(number)
      stream.stop(number)
      return
    }
    this.#begin()
    this.#hold(from, messagesOfStream, 0)
    Promise.resolve()
      .then(() => handler(stream, from))
      .catch((error: unknown) => {
        this.#failed(stream.type, from, error)
        stream.reset(failureNumbers.FABRIC_HANDLER_FAILED)
      })
      .finally(() => {
        this.#hold(from, -messagesOfStream, 0)
        this.#end()
      })
  }

  /** Resolves when no handler runs. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#idle = resolve
    })
  }

  /** Ends all readers. */
  close(): void {
    for (const queue of this.#readers.values()) queue.close()
    this.#readers.clear()
  }

  #deliver(message: Deliverable, received: Received): void {
    const handler = this.#handlers.get(message.type)
    if (handler !== undefined) {
      this.#run(handler, message, received)
      return
    }
    if (
      message.kind === 'message' &&
      this.#readers.get(message.type)?.push({ received, message }) === true
    ) {
      this.counts.handled += 1
      return
    }
    this.counts.unhandled += 1
    this.#answerFailure(message, 'FABRIC_NO_HANDLER')
    message.release()
  }

  #run(handler: Handler<unknown>, message: Deliverable, received: Received): void {
    this.#begin()
    let result: unknown
    try {
      result = handler(received)
    } catch (error) {
      this.#settle(message, received, error)
      return
    }
    if (result instanceof Promise) {
      const { from } = received
      const { length } = message.payload
      this.#hold(from, 1, length)
      result.then(
        (value) => {
          this.#hold(from, -1, -length)
          this.#finish(message, received, value)
        },
        (error) => {
          this.#hold(from, -1, -length)
          this.#settle(message, received, error)
        },
      )
    } else this.#finish(message, received, result)
  }

  #finish(message: Deliverable, received: Received, result: unknown): void {
    try {
      if (message.kind === 'request') this.#answer(message, result)
    } catch (error) {
      this.#settle(message, received, error)
      return
    }
    this.counts.handled += 1
    message.release()
    this.#end()
  }

  #settle(message: Deliverable, received: Received, error: unknown): void {
    if (error instanceof Refusal)
      this.#answerFailure(message, 'FABRIC_HANDLER_REFUSED', error.message)
    else {
      this.#failed(message.type, received.from, error)
      this.#answerFailure(message, 'FABRIC_HANDLER_FAILED')
    }
    message.release()
    this.#end()
  }

  #answer(message: Deliverable, result: unknown): void {
    const [name, payload] =
      result instanceof TypedReply ? [result.type, result.payload] : [message.type, result]
    const type = this.#parts.types.get(name)
    if (type === undefined)
      throw new FabricError('FABRIC_TYPE_UNKNOWN', `the answer's type "${name}" is not registered`)
    // A handler that answers nothing confirms: an empty payload of the neutral type.
    const bytes = payload === undefined ? emptyBytes : type.encode(payload)
    // Asked first: a peer that reads no answers chooses how often, and an error with its trace and its line is dear.
    if (message.canReply?.(bytes.length) === false) this.counts.unanswered += 1
    else message.reply(bytes, payload === undefined ? 'data' : name)
  }

  #refuse(message: Deliverable, code: FailureCode): void {
    this.counts.refused += 1
    this.#answerFailure(message, code)
    message.release()
  }

  #answerFailure(message: Deliverable, code: FailureCode, text: string = failureTexts[code]): void {
    if (message.kind === 'request' || message.isAcknowledged === true)
      message.fail(failureNumbers[code], text)
  }

  #failed(type: string, from: AgentId, error: unknown): void {
    this.counts.failed += 1
    this.#parts.logger.log('error', 'handler-failed', { type, from, reason: describeError(error) })
  }

  #requireFree(type: string): void {
    if (this.#handlers.has(type) || this.#readers.has(type)) throw exists(type)
    if (this.#handlers.size + this.#readers.size >= handledTypesMax) throw full()
  }

  #refusalOf(stream: SessionStream, from: AgentId, gate: Gate): FailureCode | undefined {
    const verdict = gate.incoming(stream.type, 0)
    if (verdict === 'forbidden') return 'FABRIC_FORBIDDEN'
    return verdict === 'allowed' && !this.#isBusyWith(from) ? undefined : 'FABRIC_RATE_LIMITED'
  }

  #isBusyWith(agent: AgentId): boolean {
    // Handlers that end at once leave nothing to look up.
    const held = this.#heldOf.size === 0 ? undefined : this.#heldOf.get(agent)
    if (held === undefined) return false
    const { messages, bytes } = this.#parts.held
    return held.messages >= messages || held.bytes >= bytes
  }

  /** A handler that does not end at once is counted on its sender. */
  #hold(agent: AgentId, messages: number, bytes: number): void {
    let held = this.#heldOf.get(agent)
    if (held === undefined) {
      held = { messages: 0, bytes: 0 }
      this.#heldOf.set(agent, held)
    }
    held.messages += messages
    held.bytes += bytes
    if (held.messages === 0) this.#heldOf.delete(agent)
  }

  #begin(): void {
    this.#running += 1
  }

  #end(): void {
    this.#running -= 1
    if (this.#running > 0) return
    this.#idle?.()
    this.#idle = undefined
  }
}

function exists(type: string): FabricError {
  return new FabricError(
    'FABRIC_HANDLER_EXISTS',
    `"${type}" is handled already; dispose that handler first`,
    { kind: 'usage' },
  )
}

function full(): FabricError {
  return new FabricError('FABRIC_TYPES_FULL', `at most ${handledTypesMax} types are handled`, {
    kind: 'usage',
  })
}
