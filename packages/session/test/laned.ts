// A wire in memory whose connection has lanes, each of which the test can hold back, watch and write to.

import {
  type ByteStream,
  type ByteStreamHandlers,
  MemoryStream,
  type StreamLanes,
} from '@myelin/transport'

const defer = (callback: () => void) => void setImmediate(callback)

/** What the writer of one end writes, in its order; held back while `isHeld`. */
export class Tap implements ByteStream {
  readonly kind = 'stream' as const
  readonly transport = 'memory'
  readonly #stream: ByteStream
  readonly lanes?: StreamLanes
  readonly written: Uint8Array[] = []
  #held: Uint8Array[] | undefined
  #isEndHeld = false
  /** Its writer has ended it. */
  isEnded = false
  /** So many writes pass, and the next one is held back. */
  heldFrom = Number.POSITIVE_INFINITY

  constructor(stream: ByteStream, lanes?: StreamLanes) {
    this.#stream = stream
    if (lanes !== undefined) this.lanes = lanes
  }

  get localAddress(): string {
    return this.#stream.localAddress
  }

  get remoteAddress(): string {
    return this.#stream.remoteAddress
  }

  get bufferedBytes(): number {
    return this.#stream.bufferedBytes
  }

  /** A packet is lost, and what follows waits for it. */
  hold(): void {
    this.#held ??= []
  }

  let(): void {
    const held = this.#held ?? []
    this.#held = undefined
    this.heldFrom = Number.POSITIVE_INFINITY
    for (const bytes of held) this.#stream.write(bytes)
    if (this.#isEndHeld) this.#stream.end()
  }

  attach(handlers: ByteStreamHandlers): void {
    this.#stream.attach(handlers)
  }

  write(bytes: Uint8Array): boolean {
    this.written.push(bytes.slice())
    if (this.written.length > this.heldFrom) this.hold()
    if (this.#held === undefined) return this.#stream.write(bytes)
    this.#held.push(bytes)
    return true
  }

  cork(): void {
    this.#stream.cork()
  }

  uncork(): void {
    this.#stream.uncork()
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  end(): void {
    this.isEnded = true
    if (this.#held === undefined) this.#stream.end()
    else this.#isEndHeld = true
  }

  destroy(error?: Error): void {
    this.#stream.destroy(error)
  }
}

export interface LanedEnd {
  readonly stream: Tap
  /** Lanes that this end opened, in their order. */
  readonly opened: Tap[]
  /** Lanes that this end was given. */
  readonly given: Tap[]
  /** Called with each lane that this end opens. */
  onOpen: (lane: Tap) => void
  /** How many more it can open. */
  room: number
}

/** Both ends of a connection with lanes. */
export function lanedWire(): [LanedEnd, LanedEnd] {
  const { client, server } = MemoryStream.pair('/memory/near', '/memory/far', defer)
  const handed: ((lane: ByteStream) => void)[] = []
  const ends: LanedEnd[] = []
  const endOf = (index: 0 | 1, stream: ByteStream): LanedEnd => {
    const lanes: StreamLanes = {
      open: () => {
        const self = ends[index] as LanedEnd
        if (self.room === 0) throw new Error('no lane is left')
        self.room -= 1
        const pair = MemoryStream.pair('/memory/lane', '/memory/lane', defer)
        const [near, far] = [new Tap(pair.client), new Tap(pair.server)]
        self.opened.push(near)
        ends[1 - index]?.given.push(far)
        defer(() => handed[1 - index]?.(far))
        self.onOpen(near)
        return near
      },
      accept: (onStream) => {
        handed[index] = onStream
      },
    }
    const end = {
      stream: new Tap(stream, lanes),
      opened: [],
      given: [],
      onOpen: () => {},
      room: 1e6,
    }
    ends.push(end)
    return end
  }
  return [endOf(0, client), endOf(1, server)]
}
