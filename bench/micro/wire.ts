// Packet headers, frames, MessagePack and compression.

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import {
  type CompressionName,
  compress,
  decodeMsgpack,
  decodePacketHeader,
  decompress,
  encodeMsgpack,
  type FrameSink,
  messageHeaderBytes,
  packetFlags,
  packetHeaderBytes,
  readFrames,
  writeMessageHeader,
  writePacketHeader,
} from '@myelin/wire'
import { noiseOf, textOf } from './inputs.ts'
import type { Measured } from './timing.ts'

const messageBytes = 64
const zstdName = 'node:zlib zstd'
const zstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/** What a worker reports: numbers, names, a list and bytes. */
const body = {
  task: 'mnist/round-7/shard-12',
  step: 184_467,
  loss: 0.318_309_886,
  done: false,
  shards: [1, 1, 2, 3, 5, 8, 13, 21],
  worker: { name: 'north-3', cores: 2 },
}

export function wireOperations(): readonly Measured[] {
  return [
    ...headers(),
    ...bodies(),
    ...[1024, 64 * 1024].flatMap((bytes) =>
      (['lz4', 'zstd'] as const).flatMap((name) => compression(name, bytes)),
    ),
  ]
}

function headers(): readonly Measured[] {
  const packet = new Uint8Array(packetHeaderBytes)
  const flags = packetFlags.encrypted
  writePacketHeader(packet, 0, flags, messageBytes)
  const payload = noiseOf(messageBytes)
  const record = new Uint8Array(messageHeaderBytes + messageBytes)
  const write = (i: number) => {
    const at = writeMessageHeader(record, 0, 0, 64, i >>> 0, i >>> 0, messageBytes)
    record.set(payload, at)
    return record
  }
  write(0)
  const sink = new MessageCounter()
  return [
    {
      title: 'packet header, written',
      ours: (i) => writePacketHeader(packet, 0, flags, i % 65_536),
    },
    { title: 'packet header, read', ours: () => decodePacketHeader(packet) },
    { title: 'frame of a 64 B message, written', ours: write },
    { title: 'frame of a 64 B message, read', ours: () => readFrames(record, sink as never) },
  ]
}

/** Nothing else comes in these records. */
class MessageCounter implements Pick<FrameSink, 'messageReceived'> {
  bytes = 0

  messageReceived(...[, , , , payload]: Parameters<FrameSink['messageReceived']>): void {
    this.bytes += payload.length
  }
}

function bodies(): readonly Measured[] {
  const packed = encodeMsgpack(body)
  const text = Buffer.from(JSON.stringify(body))
  return [
    {
      title: 'MessagePack body, encoded',
      ours: () => encodeMsgpack(body),
      peers: { JSON: () => Buffer.from(JSON.stringify(body)) },
    },
    {
      title: 'MessagePack body, decoded within limits',
      ours: () => decodeMsgpack(packed),
      peers: { JSON: () => JSON.parse(text.toString()) },
    },
  ]
}

function compression(name: Exclude<CompressionName, 'none'>, bytes: number): readonly Measured[] {
  const size = `${bytes / 1024} KiB`
  const [text, noise] = [textOf(bytes), noiseOf(bytes)]
  const small = compress(name, text)
  if (small === undefined || compress(name, noise) !== undefined)
    throw new Error(`${name} does not take text for text and noise for noise`)
  const zstdSmall = zstdCompressSync(text, zstdOptions)
  const zstd = (input: Uint8Array) => ({ [zstdName]: () => zstdCompressSync(input, zstdOptions) })
  return [
    {
      title: `${name}, ${size} of text compressed`,
      ours: () => compress(name, text),
      peers: zstd(text),
    },
    {
      title: `${name}, ${size} of text decompressed`,
      ours: () => decompress(name, small),
      peers: { [zstdName]: () => zstdDecompressSync(zstdSmall) },
    },
    {
      title: `${name}, ${size} of noise left alone`,
      ours: () => compress(name, noise),
      peers: zstd(noise),
      // What the look at a sample saves (R155).
      goals: [{ peer: zstdName, atMost: 0.5 }],
    },
  ]
}
