// Compression of one payload as one unit (R021, R148). LZ4 output is `u32 LE uncompressed size ‖ block`, the
// size-prepended form of lz4_flex that document 001's origin uses; zstd output is one frame, which declares
// its size itself. Neither says which of the two it is: the session negotiates that.
//
// Invariant: no output is allocated before the size it claims has been held against the bound.

import { err, ok, type Result } from '@myelin/base'
import { WireError } from './errors.ts'
import {
  compressionThresholdBytesDefault,
  decompressedBytesMaxDefault,
  probeRunBytes,
  probeRuns,
} from './limits.ts'
import { lz4Compress, lz4Decompress } from './lz4.ts'
import { zstdCompress, zstdDecompress } from './zstd.ts'

export type CompressionName = 'none' | 'lz4' | 'zstd'

export type CompressionFault =
  | 'compression_output_bound'
  | 'compression_malformed'
  | 'compression_size_unknown'
  | 'compression_unsupported'

export interface CompressOptions {
  /** Shorter payloads are left alone; 512 B by default. */
  readonly thresholdBytes?: number
}

export interface DecompressOptions {
  /** Most bytes to produce; 16 MiB by default. */
  readonly outputBytesMax?: number
}

const sizePrefixBytes = 4
/** One byte of LZ4 stands for at most 255 bytes of output, so a larger claim is a lie. */
const lz4RatioMax = 255

/**
 * The compressed bytes, or undefined when it is not worth it: below the threshold, incompressible by the
 * look of a sample, or not smaller afterwards. Send the original then, without the flag.
 */
export function compress(
  name: CompressionName,
  bytes: Uint8Array,
  { thresholdBytes = compressionThresholdBytesDefault }: CompressOptions = {},
): Uint8Array | undefined {
  if (bytes.length > decompressedBytesMaxDefault) {
    const message = `${bytes.length} bytes are more than a peer decompresses; split the payload`
    throw new WireError('WIRE_COMPRESSION_INPUT', message)
  }
  if (name === 'none' || bytes.length < thresholdBytes || !looksCompressible(bytes))
    return undefined
  if (name === 'lz4') return compressLz4(bytes)
  const output = zstdCompress(bytes)
  return output.length < bytes.length ? output : undefined
}

/** Undoes `compress` for bytes of a peer. */
export function decompress(
  name: CompressionName,
  bytes: Uint8Array,
  { outputBytesMax = decompressedBytesMaxDefault }: DecompressOptions = {},
): Result<Uint8Array, CompressionFault> {
  if (name === 'lz4') return decompressLz4(bytes, outputBytesMax)
  if (name === 'zstd') return zstdDecompress(bytes, outputBytesMax)
  return bytes.length > outputBytesMax ? err('compression_output_bound') : ok(bytes)
}

function compressLz4(bytes: Uint8Array): Uint8Array | undefined {
  // One byte less than the input: the compressor gives up as soon as it gains nothing.
  if (bytes.length <= sizePrefixBytes) return undefined
  const output = new Uint8Array(bytes.length - 1)
  const written = lz4Compress(bytes, output.subarray(sizePrefixBytes))
  if (written < 0) return undefined
  output[0] = bytes.length
  output[1] = bytes.length >>> 8
  output[2] = bytes.length >>> 16
  output[3] = bytes.length >>> 24
  return output.subarray(0, sizePrefixBytes + written)
}

function decompressLz4(
  bytes: Uint8Array,
  outputBytesMax: number,
): Result<Uint8Array, CompressionFault> {
  if (bytes.length < sizePrefixBytes) return err('compression_malformed')
  const size =
    (((bytes[0] as number) | ((bytes[1] as number) << 8) | ((bytes[2] as number) << 16)) >>> 0) +
    (bytes[3] as number) * 2 ** 24
  if (size > outputBytesMax) return err('compression_output_bound')
  const block = bytes.subarray(sizePrefixBytes)
  if (size > block.length * lz4RatioMax) return err('compression_malformed')
  const output = new Uint8Array(size)
  const written = lz4Decompress(block, output)
  return written === size ? ok(output) : err('compression_malformed')
}

const counts = new Uint16Array(256)

/**
 * Counts how often two bytes of a sample agree. Text and structures agree far more often than the one in 256
 * of sealed, packed or random bytes; at less than one in 128 (about seven bits per byte) it is not worth trying.
 * A guess: it may miss a repetition longer than the sample, never damage anything.
 */
function looksCompressible(bytes: Uint8Array): boolean {
  const sampled = probeRuns * probeRunBytes
  if (bytes.length < sampled) return true
  counts.fill(0)
  const stride = (bytes.length - probeRunBytes) / (probeRuns - 1)
  let agreeing = 0
  for (let run = 0; run < probeRuns; run += 1) {
    const start = Math.floor(run * stride)
    for (let i = start; i < start + probeRunBytes; i += 1) {
      const byte = bytes[i] as number
      // This byte agrees with each earlier one of its value.
      agreeing += counts[byte] as number
      counts[byte] = (counts[byte] as number) + 1
    }
  }
  const pairs = (sampled * (sampled - 1)) / 2
  return agreeing * 128 >= pairs
}
