// The packet decoder, over streams cut at random, in both formats; and the frames inside a record.

import assert from 'node:assert/strict'
import { concatBytes, equalBytes } from '@myelin/base'
import { type FuzzTarget, SeededRandom } from '@myelin/testkit'
import {
  encodeFrame,
  encodeLegacyNpro,
  encodePacket,
  type FrameSink,
  frameKinds,
  legacyNproFormat,
  messageFlags,
  PacketDecoder,
  type PacketFormat,
  packetFlags,
  packetFormat,
  readFrames,
  readVarint,
  streamFlags,
  varintLengthAt,
  writeMessageHeader,
  writeMessagePartHeader,
  writeStreamHeader,
  writeVarint,
} from '@myelin/wire'
import { boundsWith, hashOf, texts } from './bounds.ts'

type Encode = (flags: number, payload: Uint8Array) => Uint8Array

interface Reading {
  readonly packets: Uint8Array[]
  readonly fault: string | undefined
  readonly allocatedBytes: number
}

function read(format: PacketFormat, chunks: Iterable<Uint8Array>, encode: Encode): Reading {
  const packets: Uint8Array[] = []
  let allocatedBytes = 0
  const allocate = (byteLength: number) => {
    allocatedBytes += byteLength
    return new Uint8Array(byteLength)
  }
  const decoder = new PacketDecoder({ format, allocate })
  const packet = (flags: number, header: Uint8Array, payload: Uint8Array) => {
    const encoded = encode(flags, payload)
    assert.ok(equalBytes(header, encoded.subarray(0, header.length)), 'another header')
    packets.push(encoded)
  }
  let fault: string | undefined
  for (const chunk of chunks) fault = decoder.push(chunk, { packet })
  return { packets, fault, allocatedBytes }
}

function* chunksOf(input: Uint8Array): Generator<Uint8Array> {
  const random = new SeededRandom(hashOf(input))
  for (let offset = 0; offset < input.length; ) {
    const length = random.between(0, random.chance(0.5) ? 4 : 300)
    yield input.slice(offset, offset + length)
    offset += length
  }
}

function packetTarget(name: string, format: PacketFormat, encode: Encode): FuzzTarget {
  const payload = Uint8Array.from({ length: 300 }, (_, i) => i)
  return {
    name,
    bounds: boundsWith(),
    samples: () => [
      encode(packetFlags.none, payload.subarray(0, 5)),
      encode(packetFlags.none, payload.subarray(0, 0)),
      concatBytes(
        encode(packetFlags.none, payload),
        encode(packetFlags.none, payload.subarray(9, 99)),
        encode(packetFlags.none, payload.subarray(0, 1)),
      ),
    ],
    tokens: [format.prefix, format.prefix.subarray(0, 4), encode(0, payload.subarray(0, 2))],
    decode: (input) => {
      const cut = read(format, chunksOf(input), encode)
      const whole = read(format, [input], encode)
      assert.equal(cut.fault, whole.fault, 'the cuts decide')
      assert.equal(cut.packets.length, whole.packets.length, 'the cuts decide')
      const out = concatBytes(...cut.packets)
      assert.ok(equalBytes(out, input.subarray(0, out.length)), 'a packet changed on its way')
      // Doubling: at most twice what arrived, and the least that is taken at all.
      assert.ok(cut.allocatedBytes <= 4 * input.length + 256, `${cut.allocatedBytes} bytes taken`)
      return cut.packets.length === 0 ? undefined : out.length
    },
  }
}

/** Encodes what it is told, so that frames read and written can be compared. */
class Mirror implements FrameSink {
  readonly frames: Uint8Array[] = []

  pingReceived(nonce: Uint8Array): void {
    this.frames.push(encodeFrame.ping(nonce))
  }
  pongReceived(nonce: Uint8Array): void {
    this.frames.push(encodeFrame.pong(nonce))
  }
  settingsReceived(settings: Parameters<typeof encodeFrame.settings>[0]): void {
    this.frames.push(encodeFrame.settings(settings))
  }
  closeReceived(code: number, reason: string): void {
    this.frames.push(encodeFrame.close(code, reason))
  }
  keyUpdateReceived(): void {
    this.frames.push(encodeFrame.keyUpdate())
  }
  defineTypeReceived(typeId: number, name: string): void {
    this.frames.push(encodeFrame.defineType(typeId, name))
  }
  messageReceived(
    flags: number,
    typeId: number,
    id: number,
    timestamp: number,
    payload: Uint8Array,
  ): void {
    const head = new Uint8Array(16)
    writeMessageHeader(head, 0, flags, typeId, id, timestamp, payload.length)
    this.frames.push(concatBytes(head, payload))
  }
  messagePartReceived(flags: number, id: number, payload: Uint8Array): void {
    const head = new Uint8Array(12)
    writeMessagePartHeader(head, 0, flags, id, payload.length)
    this.frames.push(concatBytes(head, payload))
  }
  streamReceived(flags: number, typeId: number, streamId: number, payload: Uint8Array): void {
    const head = new Uint8Array(12)
    writeStreamHeader(head, 0, { flags, typeId, streamId }, payload.length)
    this.frames.push(concatBytes(head, payload))
  }
  streamResetReceived(streamId: number, code: number): void {
    this.frames.push(encodeFrame.streamReset(streamId, code))
  }
  streamStopReceived(streamId: number, code: number): void {
    this.frames.push(encodeFrame.streamStop(streamId, code))
  }
  maxDataReceived(limit: number): void {
    this.frames.push(encodeFrame.maxData(Math.min(limit, Number.MAX_SAFE_INTEGER)))
  }
  maxStreamDataReceived(streamId: number, limit: number): void {
    this.frames.push(encodeFrame.maxStreamData(streamId, Math.min(limit, Number.MAX_SAFE_INTEGER)))
  }
  maxStreamsReceived(limit: number): void {
    this.frames.push(encodeFrame.maxStreams(limit))
  }
}

/** One frame of each kind, and some of several. */
export function sampleFrames(): Uint8Array[] {
  const payload = new TextEncoder().encode('a payload of some bytes')
  const framed = (write: (target: Uint8Array) => number): Uint8Array => {
    const target = new Uint8Array(16 + payload.length)
    const body = write(target)
    target.set(payload, body)
    return target.subarray(0, body + payload.length)
  }
  const message = (flags: number, typeId: number, id: number) =>
    framed((target) => writeMessageHeader(target, 0, flags, typeId, id, 7, payload.length))
  const part = (flags: number, id: number) =>
    framed((target) => writeMessagePartHeader(target, 0, flags, id, payload.length))
  const stream = (flags: number, typeId: number, streamId: number) =>
    framed((target) => writeStreamHeader(target, 0, { flags, typeId, streamId }, payload.length))
  const nonce = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
  const { more, request, response, failure } = messageFlags
  return [
    concatBytes(message(0, 1, 0), message(request, 2, 1), message(0x30, 1, 2)),
    concatBytes(message(response, 2, 0), message(response | failure, 1, 1)),
    concatBytes(message(more, 1, 3), part(more, 3), part(0, 3)),
    concatBytes(message(request | more, 1, 4), message(more, 1, 5), part(0, 5), part(0, 4)),
    concatBytes(stream(streamFlags.open, 1, 0), stream(0, 0, 0), stream(streamFlags.fin, 0, 0)),
    concatBytes(stream(streamFlags.open, 1, 2), encodeFrame.streamStop(2, 9)),
    concatBytes(stream(3, 1, 4), encodeFrame.streamReset(4, 1), encodeFrame.maxStreamData(4, 999)),
    concatBytes(encodeFrame.defineType(64, 'custom-type'), message(0, 64, 6)),
    concatBytes(encodeFrame.ping(nonce), encodeFrame.pong(nonce), Uint8Array.of(0, 0, 0)),
    concatBytes(encodeFrame.maxData(2 ** 40), encodeFrame.maxStreams(2048)),
    sampleSettings,
    encodeFrame.close(1, 'enough'),
    encodeFrame.keyUpdate(),
  ]
}

export const sampleSettings: Uint8Array = encodeFrame.settings({
  dataMax: 2 ** 22,
  streamDataMax: 2 ** 19,
  streamsMax: 1024,
  messageBytesMax: 2 ** 24,
})

export const frameTokens: readonly Uint8Array[] = sampleFrames()

const wideLimit = [frameKinds.maxData, frameKinds.maxStreamData]

const frames: FuzzTarget = {
  name: 'frames',
  bounds: boundsWith(),
  samples: () => [...sampleFrames(), concatBytes(...sampleFrames())],
  tokens: sampleFrames(),
  decode: (input) => {
    const mirror = new Mirror()
    const fault = readFrames(input, mirror)
    const read = concatBytes(...mirror.frames)
    // Padding is not told, and a limit beyond 2^53 is rounded: what holds either is not compared.
    const isExact = !input.includes(frameKinds.padding) && !wideLimit.some((k) => input.includes(k))
    if (isExact) {
      assert.ok(equalBytes(read, input.subarray(0, read.length)), 'a frame reads as another')
      assert.equal(read.length === input.length, fault === undefined)
    }
    return fault === undefined ? read.length : undefined
  },
}

const varint: FuzzTarget = {
  name: 'varint',
  bounds: boundsWith({ inputBytesMax: 64 }),
  samples: () => {
    // RFC 9000 appendix A.1.
    const hex = ['25', '4025', '7bbd', '9d7f3e7d', 'c2197c5eff14e88c', 'c01fffffffffffff']
    return hex.map((text) => new Uint8Array(Buffer.from(text, 'hex')))
  },
  decode: (input) => {
    let offset = 0
    while (offset < input.length) {
      const value = readVarint(input, offset)
      if (value < 0) return undefined
      assert.ok(Number.isSafeInteger(value), `${value} is no safe integer`)
      const length = varintLengthAt(input, offset)
      const shortest = new Uint8Array(8)
      const end = writeVarint(shortest, 0, value)
      assert.ok(end <= length, 'the shortest form is longer')
      assert.equal(readVarint(shortest, 0), value)
      if (end === length)
        assert.ok(equalBytes(shortest.subarray(0, end), input.subarray(offset, offset + end)))
      offset += length
    }
    return offset
  },
}

export const packetTargets: readonly FuzzTarget[] = [
  packetTarget('packet', packetFormat, encodePacket),
  packetTarget('packet-legacy', legacyNproFormat, (_, payload) => encodeLegacyNpro(payload)),
  { ...frames, tokens: [...frameTokens, ...texts('custom-type', '\ufeff')] },
  varint,
]
