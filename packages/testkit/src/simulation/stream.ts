// A simulated connection: at each host an end with the manners of a real stream (memory's), and between the
// two a line that cuts and joins bytes, delays them, keeps them in order, stalls while the link is cut, and
// breaks when that lasts.

import { type ByteStream, MemoryStream, TransportError } from '@myelin/transport'
import type { Host } from './host.ts'
import { type SimulatedNetwork, streamPatienceMs } from './network.ts'
import type { Simulation } from './simulation.ts'

const lineBytesMax = 256 * 1024
const segmentBytesMax = 64 * 1024

export interface ConnectionEnd {
  readonly host: Host
  readonly address: string
}

/** `undefined` is the end of what this direction sends. */
type Piece = Uint8Array | undefined

export class SimulatedConnection {
  readonly near: ConnectionEnd
  readonly far: ConnectionEnd
  /** What the two hosts hold. */
  readonly nearStream: ByteStream
  readonly farStream: ByteStream
  readonly #simulation: Simulation
  readonly #network: SimulatedNetwork
  readonly #there: Line
  readonly #back: Line
  #isOver = false
  #closedEnds = 0

  constructor(
    simulation: Simulation,
    network: SimulatedNetwork,
    near: ConnectionEnd,
    far: ConnectionEnd,
  ) {
    this.#simulation = simulation
    this.#network = network
    this.near = near
    this.far = far
    // Each event of a simulation is followed by all the microtasks that it caused.
    const defer = (callback: () => void) => queueMicrotask(callback)
    const nearPair = MemoryStream.pair(near.address, far.address, defer)
    const farPair = MemoryStream.pair(near.address, far.address, defer)
    this.nearStream = nearPair.client
    this.farStream = farPair.server
    this.#there = new Line({
      simulation,
      network,
      connection: this,
      from: near.host,
      to: far.host,
      source: nearPair.server,
      sink: farPair.client,
    })
    this.#back = new Line({
      simulation,
      network,
      connection: this,
      from: far.host,
      to: near.host,
      source: farPair.client,
      sink: nearPair.server,
    })
    this.#attach(nearPair.server, near, this.#there, this.#back)
    this.#attach(farPair.client, far, this.#back, this.#there)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Both ends lose the connection now. */
  break(reason: string): void {
    if (this.#isOver) return
    this.#end()
    this.#simulation.trace.add(
      this.#simulation.nowMs,
      'broken',
      this.near.address,
      this.far.address,
      reason,
    )
    for (const line of [this.#there, this.#back]) line.reset(reason)
  }

  /** The link may carry again. */
  resume(): void {
    this.#there.pump()
    this.#back.pump()
  }

  /** A machine is gone: its end falls silent, the other learns it by a reset or by time. */
  hostCrashed(host: Host): void {
    if (this.#isOver) return
    this.#end()
    const line = this.near.host === host ? this.#there : this.#back
    const ms = this.#network.transitMs(line.from.name, line.to.name, 40)
    this.#simulation.schedule(
      ms === undefined ? streamPatienceMs : ms + this.#network.random.between(0, 200),
      () => line.reset('reset by peer'),
    )
  }

  #attach(stream: MemoryStream, end: ConnectionEnd, outgoing: Line, incoming: Line): void {
    stream.attach({
      data: (bytes) => outgoing.push(bytes),
      end: () => outgoing.push(undefined),
      drain: () => incoming.sinkDrained(),
      closed: (error) => this.#endClosed(end, outgoing, error),
    })
  }

  /** One host let go of the connection: in order, or by a reset that the other will see. */
  #endClosed(end: ConnectionEnd, line: Line, error?: Error): void {
    if (error === undefined) {
      this.#closedEnds += 1
      if (this.#closedEnds === 2) this.#end()
      return
    }
    if (this.#isOver || !end.host.isUp) return
    this.#end()
    const ms = this.#network.transitMs(line.from.name, line.to.name, 40) ?? streamPatienceMs
    this.#simulation.schedule(ms, () => line.reset('reset by peer'))
  }

  #end(): void {
    this.#isOver = true
    this.#network.forget(this)
  }
}

interface LineParts {
  readonly simulation: Simulation
  readonly network: SimulatedNetwork
  readonly connection: SimulatedConnection
  readonly from: Host
  readonly to: Host
  readonly source: MemoryStream
  readonly sink: MemoryStream
}

/** One direction. One segment at a time is under way, so order follows. */
class Line {
  readonly from: Host
  readonly to: Host
  readonly #parts: LineParts
  readonly #pieces: Piece[] = []
  #bytes = 0
  #isBusy = false
  #isSinkFull = false
  #isSourcePaused = false
  #stalledSinceMs: number | undefined

  constructor(parts: LineParts) {
    this.#parts = parts
    this.from = parts.from
    this.to = parts.to
  }

  push(piece: Piece): void {
    if (this.#parts.connection.isOver) return
    // A copy shows whoever changes bytes that it has given away.
    this.#pieces.push(piece === undefined ? undefined : new Uint8Array(piece))
    this.#bytes += piece?.length ?? 0
    if (this.#bytes > lineBytesMax && !this.#isSourcePaused) {
      this.#isSourcePaused = true
      this.#parts.source.pause()
    }
    this.pump()
  }

  sinkDrained(): void {
    this.#isSinkFull = false
    this.pump()
  }

  pump(): void {
    const { simulation, network, connection } = this.#parts
    if (this.#isBusy || this.#isSinkFull || this.#pieces.length === 0 || connection.isOver) return
    const piece = this.#cut()
    const ms = network.transitMs(this.from.name, this.to.name, piece?.length ?? 0)
    if (ms === undefined) {
      this.#pieces.unshift(piece)
      this.#stall()
      return
    }
    this.#stalledSinceMs = undefined
    this.#isBusy = true
    simulation.schedule(ms, () => this.#arrive(piece))
  }

  /** The receiving host's end breaks. */
  reset(reason: string): void {
    this.#pieces.length = 0
    if (this.to.isUp)
      this.#parts.sink.destroy(
        new TransportError('TRANSPORT_RESET', reason, { kind: 'recoverable' }),
      )
  }

  #arrive(piece: Piece): void {
    const { simulation, connection, sink, source } = this.#parts
    this.#isBusy = false
    if (connection.isOver || !this.to.isUp) return
    const { near, far } = connection
    simulation.trace.add(
      simulation.nowMs,
      'carry',
      near.address,
      far.address,
      this.from.name,
      piece?.length ?? -1,
    )
    if (piece === undefined) sink.end()
    else {
      this.#bytes -= piece.length
      this.#isSinkFull = !sink.write(piece)
      if (this.#isSourcePaused && this.#bytes < lineBytesMax / 2) {
        this.#isSourcePaused = false
        source.resume()
      }
    }
    this.pump()
  }

  /** Whatever the sizes of the writes: the network cuts and joins. */
  #cut(): Piece {
    const { random } = this.#parts.network
    const first = this.#pieces.shift()
    if (first === undefined) return undefined
    if (first.length > 1 && random.chance(0.3)) {
      const at = random.between(1, Math.min(first.length - 1, segmentBytesMax))
      this.#pieces.unshift(first.subarray(at))
      return first.slice(0, at)
    }
    const parts = [first]
    let length = first.length
    for (
      let next = this.#pieces[0];
      next !== undefined && length < segmentBytesMax;
      next = this.#pieces[0]
    ) {
      this.#pieces.shift()
      parts.push(next)
      length += next.length
    }
    return parts.length === 1 ? first : new Uint8Array(Buffer.concat(parts))
  }

  #stall(): void {
    if (this.#stalledSinceMs !== undefined) return
    const { simulation, connection } = this.#parts
    const sinceMs = simulation.nowMs
    this.#stalledSinceMs = sinceMs
    simulation.schedule(streamPatienceMs, () => {
      if (this.#stalledSinceMs === sinceMs) connection.break('timed out')
    })
  }
}
