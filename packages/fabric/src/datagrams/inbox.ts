// Where datagrams wait for the program: a bounded queue, or a handler. Nobody upstream waits, so what finds no room
// is dropped and counted by the caller.

import { AsyncQueue, describeError, type Logger } from '@myelin/base'
import { FabricError } from '../errors.ts'
import { datagramsWaitingMax, waitingBytesMax } from './limits.ts'

export class Inbox<Item> {
  readonly #queue: AsyncQueue<Item>
  readonly #logger: Logger
  #handler: ((item: Item) => void) | undefined
  #isRead = false

  /** Each item may keep `bytesMax` alive: the datagram it came in. */
  constructor(logger: Logger, bytesMax: number) {
    const fitting = Math.floor(waitingBytesMax / bytesMax)
    this.#queue = new AsyncQueue(Math.min(datagramsWaitingMax, fitting))
    this.#logger = logger
  }

  /** False: it is dropped, because nobody reads fast enough. */
  push(item: Item): boolean {
    const handler = this.#handler
    if (handler === undefined) return this.#queue.push(item)
    try {
      handler(item)
    } catch (error) {
      this.#logger.log('error', 'datagram-handler-failed', { reason: describeError(error) })
    }
    return true
  }

  /** What waits, then all that comes, goes to `handler`. */
  handle(handler: (item: Item) => void): void {
    this.#requireUnread()
    this.#handler = handler
    const waiting = this.#queue.size
    for (let left = waiting; left > 0; left -= 1)
      void this.#queue.next().then((next) => {
        if (next.done !== true) this.push(next.value)
      })
  }

  read(): AsyncIterator<Item> {
    this.#requireUnread()
    return this.#queue
  }

  close(): void {
    this.#queue.close()
  }

  #requireUnread(): void {
    if (!this.#isRead) {
      this.#isRead = true
      return
    }
    const message = 'these datagrams are read already; one handler or one loop reads them'
    throw new FabricError('FABRIC_HANDLER_EXISTS', message, { kind: 'usage' })
  }
}
