// Cuts a byte stream into packets (R131–R133), however the transport chunked it. Zero-copy when a packet lies
// wholly in a chunk: header and payload are then views on the chunk. Otherwise its bytes are gathered in one
// buffer that grows with what has arrived, never with what was announced, so peers that announce 16 MiB and
// send nothing cost nothing. Per packet there is no promise, no closure and no copy beyond that gathering.
//
// Invariants: the gathered bytes always form a valid beginning of one packet; memory handed to the sink is
// never written again; after a fault the decoder stays dead, because the stream has lost its frame.

import { packetPayloadBytesMax } from '@myelin/base'
import { WireError } from './errors.ts'
import {
  assertPayloadLength,
  checkHeader,
  headerFlags,
  headerLength,
  type PacketFault,
  type PacketFormat,
  packetFormat,
} from './packet.ts'

/** Receives packets in order. It must not call the decoder, and a sink that throws leaves it unusable. */
export interface PacketSink {
  /** `header` and `payload` are views on memory that the decoder never touches again; keep or drop them. */
  packet(flags: number, header: Uint8Array, payload: Uint8Array): void
}

export interface PacketDecoderOptions {
  /** Longest payload to accept, 16 MiB by default. */
  readonly payloadBytesMax?: number
  /** The packet of document 001 unless told otherwise. */
  readonly format?: PacketFormat
  /** Where gathered packets live. May return more bytes than asked for, never fewer. */
  readonly allocate?: (byteLength: number) => Uint8Array
}

/** First allocation for a packet that comes in pieces, in bytes: a few pieces of a small packet fit. */
const gatherBytesMin = 64

const nothing = new Uint8Array(0)

export class PacketDecoder {
  readonly #format: PacketFormat
  readonly #allocate: (byteLength: number) => Uint8Array
  #payloadBytesMax: number
  #gathered: Uint8Array = nothing
  #have = 0
  /** Bytes of the packet being gathered, or of its header while that is incomplete. */
  #need: number
  #fault: PacketFault | undefined
  #isBusy = false

  constructor(options: PacketDecoderOptions = {}) {
    this.#format = options.format ?? packetFormat
    this.#allocate = options.allocate ?? newBytes
    this.#payloadBytesMax = options.payloadBytesMax ?? packetPayloadBytesMax
    assertPayloadLength(this.#payloadBytesMax)
    this.#need = this.#format.headerBytes
  }

  /** Bytes held of a packet that is not complete yet. */
  get bufferedBytes(): number {
    return this.#have
  }

  get payloadBytesMax(): number {
    return this.#payloadBytesMax
  }

  /** Takes effect with the next header: a session lets a stranger send less than a peer. */
  set payloadBytesMax(bytes: number) {
    assertPayloadLength(bytes)
    this.#payloadBytesMax = bytes
  }

  /** Feeds what arrived. Returns the fault that ended the stream, if one has. */
  push(chunk: Uint8Array, sink: PacketSink): PacketFault | undefined {
    if (this.#fault !== undefined) return this.#fault
    if (this.#isBusy) {
      const message = 'a sink called push or threw; queue the chunk, and let no sink throw'
      throw new WireError('WIRE_PACKET_REENTERED', message)
    }
    this.#isBusy = true
    let offset = this.#have > 0 ? this.#gather(chunk, 0, sink) : 0
    while (offset < chunk.length && this.#have === 0 && this.#fault === undefined) {
      offset = this.#cut(chunk, offset, sink)
    }
    this.#isBusy = false
    return this.#fault
  }

  /** Hands over the packet at `offset` without a copy, or begins to gather it. */
  #cut(chunk: Uint8Array, offset: number, sink: PacketSink): number {
    const format = this.#format
    const fault = checkHeader(format, chunk, offset, chunk.length, this.#payloadBytesMax)
    if (fault !== undefined) return this.#die(fault)
    const body = offset + format.headerBytes
    if (body <= chunk.length) {
      const end = body + headerLength(format, chunk, offset)
      if (end <= chunk.length) {
        const flags = headerFlags(format, chunk, offset)
        sink.packet(flags, chunk.subarray(offset, body), chunk.subarray(body, end))
        return end
      }
      this.#need = end - offset
    }
    return this.#gather(chunk, offset, sink)
  }

  #gather(chunk: Uint8Array, start: number, sink: PacketSink): number {
    const { headerBytes } = this.#format
    let offset = start
    if (this.#have < headerBytes) {
      offset = this.#take(chunk, offset, headerBytes)
      const fault = checkHeader(this.#format, this.#gathered, 0, this.#have, this.#payloadBytesMax)
      if (fault !== undefined) return this.#die(fault)
      if (this.#have < headerBytes) return offset
      this.#need = headerBytes + headerLength(this.#format, this.#gathered, 0)
    }
    offset = this.#take(chunk, offset, this.#need)
    if (this.#have === this.#need) this.#release(sink)
    return offset
  }

  /** Copies from the chunk until `until` bytes are gathered or the chunk ends. */
  #take(chunk: Uint8Array, offset: number, until: number): number {
    const length = Math.min(until - this.#have, chunk.length - offset)
    if (length === 0) return offset
    // What arrived decides how much to hold: all that this chunk has of the packet, not only this step.
    this.#reserve(this.#have + Math.min(this.#need - this.#have, chunk.length - offset))
    this.#gathered.set(chunk.subarray(offset, offset + length), this.#have)
    this.#have += length
    return offset + length
  }

  #reserve(bytes: number): void {
    const capacity = this.#gathered.length
    if (bytes <= capacity) return
    const wanted = Math.min(this.#need, Math.max(bytes, capacity * 2, gatherBytesMin))
    const grown = this.#allocate(Math.max(bytes, wanted))
    if (this.#have > 0) grown.set(this.#gathered.subarray(0, this.#have))
    this.#gathered = grown
  }

  #release(sink: PacketSink): void {
    const bytes = this.#gathered
    const { headerBytes } = this.#format
    const end = this.#need
    this.#reset()
    const flags = headerFlags(this.#format, bytes, 0)
    sink.packet(flags, bytes.subarray(0, headerBytes), bytes.subarray(headerBytes, end))
  }

  #die(fault: PacketFault): number {
    this.#reset()
    this.#fault = fault
    return 0
  }

  #reset(): void {
    this.#gathered = nothing
    this.#have = 0
    this.#need = this.#format.headerBytes
  }
}

function newBytes(byteLength: number): Uint8Array {
  return new Uint8Array(byteLength)
}
