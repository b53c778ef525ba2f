// A binary heap of events by time, then by the order in which they were made, so that equal times break the
// same way in every run.

export interface SimulatedEvent {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
  isCancelled: boolean
}

export class EventHeap {
  readonly #heap: SimulatedEvent[] = []

  get size(): number {
    return this.#heap.length
  }

  push(event: SimulatedEvent): void {
    const heap = this.#heap
    heap.push(event)
    let at = heap.length - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent] as SimulatedEvent)) break
      heap[at] = heap[parent] as SimulatedEvent
      at = parent
    }
    heap[at] = event
  }

  peek(): SimulatedEvent | undefined {
    return this.#heap[0]
  }

  pop(): SimulatedEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      if (left >= heap.length) break
      const right = left + 1
      const isRight =
        right < heap.length && isBefore(heap[right] as SimulatedEvent, heap[left] as SimulatedEvent)
      const child = isRight ? right : left
      if (!isBefore(heap[child] as SimulatedEvent, last)) break
      heap[at] = heap[child] as SimulatedEvent
      at = child
    }
    heap[at] = last
    return first
  }
}

function isBefore(a: SimulatedEvent, b: SimulatedEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
