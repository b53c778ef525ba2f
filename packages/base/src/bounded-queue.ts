// A first-in first-out queue with a bound, over a ring that grows up to it. `push` refuses when full: the
// caller decides what to do, memory never does. Pure; O(1) per operation.

import { assert } from './errors.ts'

const initialCapacity = 16

export class BoundedQueue<Item> {
  readonly capacity: number
  #ring: (Item | undefined)[]
  #head = 0
  #size = 0

  constructor(capacity: number) {
    assert(Number.isSafeInteger(capacity) && capacity > 0, 'a queue needs a positive capacity')
    this.capacity = capacity
    // Made with the first item: most queues of an idle session never hold one.
    this.#ring = []
  }

  get size(): number {
    return this.#size
  }

  get isFull(): boolean {
    return this.#size === this.capacity
  }

  /** False when the queue is full; the item is then not queued. */
  push(item: Item): boolean {
    if (this.#size === this.capacity) return false
    if (this.#size === this.#ring.length) this.#grow()
    this.#ring[(this.#head + this.#size) % this.#ring.length] = item
    this.#size += 1
    return true
  }

  shift(): Item | undefined {
    if (this.#size === 0) return undefined
    const item = this.#ring[this.#head]
    this.#ring[this.#head] = undefined
    this.#head = (this.#head + 1) % this.#ring.length
    this.#size -= 1
    return item
  }

  peek(): Item | undefined {
    return this.#size === 0 ? undefined : this.#ring[this.#head]
  }

  clear(): void {
    this.#ring = []
    this.#head = 0
    this.#size = 0
  }

  #grow(): void {
    const length = Math.max(initialCapacity, this.#ring.length * 2)
    const grown = new Array<Item | undefined>(Math.min(this.capacity, length))
    for (let i = 0; i < this.#size; i += 1)
      grown[i] = this.#ring[(this.#head + i) % this.#ring.length]
    this.#ring = grown
    this.#head = 0
  }
}
