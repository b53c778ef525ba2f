// Looks after the shared-memory streams of one thread that are awake. Shared memory tells nobody that it
// changed, so somebody has to look: once per turn of the event loop, at all streams, and while there is
// nothing, again and again for a few microseconds. The bound of that wait is one for all streams together, and
// it comes before anything is delivered, so that promises and sockets have their turn right after it.
//
// Waiting on a processor that others want keeps them from working, and one of them may be the very process whose
// answer is awaited. So a turn without success yields the processor; and where that took time, because somebody
// else ran meanwhile, the next turns yield at once.

import { shmContendedUs } from './limits.ts'
import { yieldProcessor } from './shm-native.ts'

/** A stream that wants to be looked at. */
export interface Pollable {
  /** Longest wait within one turn that this stream asks for, in microseconds. */
  readonly spinUs: number
  /** Whether a turn would find something to do. Cheap, without effects. */
  readonly isReady: boolean
  /** Does what there is to do; false when the stream sleeps or is closed, and needs no more turns. */
  turn(nowMs: number): boolean
}

class Poller {
  readonly #awake = new Set<Pollable>()
  #isScheduled = false
  #isContended = true

  /** Looks after `stream` until its turn says false. Never calls it from here. */
  add(stream: Pollable): void {
    this.#awake.add(stream)
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(this.#run)
  }

  readonly #run = (): void => {
    const nowMs = this.#await()
    for (const stream of this.#awake) if (!stream.turn(nowMs)) this.#awake.delete(stream)
    this.#isScheduled = this.#awake.size > 0
    if (this.#isScheduled) setImmediate(this.#run)
  }

  /** Returns when a stream is ready or the time is up, with the time. */
  #await(): number {
    let nowMs = performance.now()
    let spinUs = 0
    for (const stream of this.#awake) {
      if (stream.isReady) return nowMs
      if (stream.spinUs > spinUs) spinUs = stream.spinUs
    }
    const deadlineMs = this.#isContended ? nowMs : nowMs + spinUs / 1_000
    while (nowMs < deadlineMs) {
      for (const stream of this.#awake) if (stream.isReady) return nowMs
      nowMs = performance.now()
    }
    yieldProcessor()
    const afterMs = performance.now()
    this.#isContended = (afterMs - nowMs) * 1_000 > shmContendedUs
    return afterMs
  }
}

/** The one of this thread: streams that wait on each other in one thread must not wait one after the other. */
export const poller = new Poller()
