// A byte stream with its packet decoder and the phase it is in: first the handshake, then the session. The
// phase may change between two packets of one chunk.

import type { ByteStream, ByteStreamHandlers } from '@myelin/transport'
import { PacketDecoder, type PacketFault, type PacketSink } from '@myelin/wire'

export interface Phase extends PacketSink {
  /** The bytes are not packets of ours; the decoder is dead. */
  packetFault(fault: PacketFault): void
  drained(): void
  ended(): void
  closed(error?: Error): void
}

export class Connection implements ByteStreamHandlers, PacketSink {
  readonly stream: ByteStream
  readonly decoder: PacketDecoder
  phase: Phase
  /** Bytes that arrived, all together. */
  receivedBytes = 0
  #isOver = false

  constructor(
    stream: ByteStream,
    payloadBytesMax: number,
    phase: (connection: Connection) => Phase,
  ) {
    this.stream = stream
    this.decoder = new PacketDecoder({ payloadBytesMax })
    this.phase = phase(this)
    stream.attach(this)
  }

  data(chunk: Uint8Array): void {
    if (this.#isOver) return
    this.receivedBytes += chunk.length
    const fault = this.decoder.push(chunk, this)
    if (fault !== undefined && !this.#isOver) this.phase.packetFault(fault)
  }

  packet(flags: number, header: Uint8Array, payload: Uint8Array): void {
    if (!this.#isOver) this.phase.packet(flags, header, payload)
  }

  drain(): void {
    if (!this.#isOver) this.phase.drained()
  }

  end(): void {
    if (!this.#isOver) this.phase.ended()
  }

  closed(error?: Error): void {
    this.#isOver = true
    this.phase.closed(error)
  }

  /** What still arrives is dropped unread. */
  stopReading(): void {
    this.#isOver = true
  }
}
