// A byte stream with its packet decoder and the phase it is in: first the handshake, then the session. The
// phase may change between two packets of one chunk.
//
// A record that arrives in several chunks is gathered in a pooled buffer, since a session opens it into new
// memory at once and keeps nothing of it. Buffers are lent only for what has arrived in earnest: whoever
// sends the first bytes of a record and stops has none.

import type { ByteStream, ByteStreamHandlers } from '@myelin/transport'
import { PacketDecoder, type PacketFault, type PacketSink } from '@myelin/wire'
import { droppedBytesMax, recordBytesMax } from './limits.ts'
import type { RecordBuffers } from './record-buffers.ts'
import { sealedRecordBytesMax } from './record-cipher.ts'
import { release } from './release.ts'

/** Bytes of one record that must have arrived before it gets a pooled buffer. */
const gatherBytesMin = recordBytesMax / 16

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
  #buffers: RecordBuffers | undefined
  /** Holds the record that is being gathered. */
  #lent: Uint8Array | undefined
  #isOver = false
  #packets = 0
  #droppedBytes = 0

  constructor(
    stream: ByteStream,
    payloadBytesMax: number,
    phase: (connection: Connection) => Phase,
  ) {
    this.stream = stream
    this.decoder = new PacketDecoder({
      payloadBytesMax,
      allocate: (bytes) => this.#allocate(bytes),
    })
    this.phase = phase(this)
    stream.attach(this)
  }

  /** From now on packets are records: no phase keeps a view on one after `packet` has returned. */
  useBuffers(buffers: RecordBuffers): void {
    this.#buffers = buffers
  }

  data(chunk: Uint8Array): void {
    if (this.#isOver) {
      this.#drop(chunk)
      return
    }
    this.receivedBytes += chunk.length
    const holdsOnlyRecords = this.#buffers !== undefined
    const packets = this.#packets
    const fault = this.decoder.push(chunk, this)
    // Its records have been opened into memory of their own, and what is left of one has been copied.
    // And of a chunk that completed no packet nobody has seen anything.
    if (holdsOnlyRecords || this.#packets === packets) release(chunk)
    if (fault !== undefined && !this.#isOver) this.phase.packetFault(fault)
  }

  packet(flags: number, header: Uint8Array, payload: Uint8Array): void {
    this.#packets += 1
    if (!this.#isOver) this.phase.packet(flags, header, payload)
    // While a record is gathered no other is cut, so this was the gathered one.
    this.#giveBack()
  }

  drain(): void {
    if (!this.#isOver) this.phase.drained()
  }

  end(): void {
    if (!this.#isOver) this.phase.ended()
  }

  closed(error?: Error): void {
    this.#isOver = true
    this.#giveBack()
    this.phase.closed(error)
  }

  /** What still arrives is dropped unread, and if it does not end, the connection is. */
  stopReading(): void {
    this.#isOver = true
  }

  #drop(chunk: Uint8Array): void {
    this.#droppedBytes += chunk.length
    release(chunk)
    if (this.#droppedBytes > droppedBytesMax) this.stream.destroy()
  }

  #allocate(bytes: number): Uint8Array {
    const isPooled = bytes >= gatherBytesMin && bytes <= sealedRecordBytesMax
    if (this.#buffers === undefined || !isPooled) return new Uint8Array(bytes)
    this.#lent = this.#buffers.take()
    return this.#lent
  }

  #giveBack(): void {
    if (this.#lent === undefined) return
    this.#buffers?.give(this.#lent)
    this.#lent = undefined
  }
}
