// A bounded queue that one consumer reads with `for await`. The producer sees when it is full and when it
// has room again, which is how backpressure travels from a slow handler to the sender.

import { BoundedQueue } from './bounded-queue.ts'

export class AsyncQueue<Item> implements AsyncIterable<Item>, AsyncIterator<Item> {
  readonly #queue: BoundedQueue<Item>
  readonly #onRoom: ((item: Item) => void) | undefined
  #waiter:
    | { resolve: (result: IteratorResult<Item>) => void; reject: (e: unknown) => void }
    | undefined
  #closed = false
  #failure: unknown

  /** `onRoom` is called with each item as the consumer takes it. */
  constructor(capacity: number, onRoom?: (item: Item) => void) {
    this.#queue = new BoundedQueue(capacity)
    this.#onRoom = onRoom
  }

  get size(): number {
    return this.#queue.size
  }

  /** False when the queue is full or closed; the item is then dropped by the caller, not here. */
  push(item: Item): boolean {
    if (this.#closed) return false
    const waiter = this.#waiter
    if (waiter !== undefined) {
      this.#waiter = undefined
      this.#onRoom?.(item)
      waiter.resolve({ done: false, value: item })
      return true
    }
    return this.#queue.push(item)
  }

  /** Ends the iteration after the items already queued; with a failure, by throwing it. */
  close(failure?: unknown): void {
    if (this.#closed) return
    this.#closed = true
    this.#failure = failure
    const waiter = this.#waiter
    this.#waiter = undefined
    if (waiter === undefined) return
    if (failure === undefined) waiter.resolve({ done: true, value: undefined })
    else waiter.reject(failure)
  }

  next(): Promise<IteratorResult<Item>> {
    if (this.#queue.size > 0) {
      const value = this.#queue.shift() as Item
      this.#onRoom?.(value)
      return Promise.resolve({ done: false, value })
    }
    if (this.#closed) {
      const failure = this.#failure
      this.#failure = undefined
      return failure === undefined
        ? Promise.resolve({ done: true, value: undefined })
        : Promise.reject(failure)
    }
    if (this.#waiter !== undefined)
      return Promise.reject(new TypeError('one consumer at a time reads a queue'))
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
    })
  }

  /** The consumer leaves: what is queued is dropped and later pushes are refused. */
  return(): Promise<IteratorResult<Item>> {
    this.close()
    this.#failure = undefined
    while (this.#queue.size > 0) {
      const item = this.#queue.shift() as Item
      this.#onRoom?.(item)
    }
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
