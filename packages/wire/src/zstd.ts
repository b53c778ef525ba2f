// Zstandard (RFC 8878) over node:zlib, with what node:zlib does not check. Before the decompressor sees a byte,
// the frame's structure is walked: exactly one frame, its size declared and within the bound, every block
// present and nothing behind. So a bomb costs one look at its header. (The decompressor's window needs no bound
// of its own: libzstd holds no more of it than the declared size.)

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { err, ok, type Result } from '@myelin/base'
import type { CompressionFault } from './compress.ts'

/** Level 1: within a few per cent of level 3 on messages, at three quarters of its time. */
const compressOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

export function zstdCompress(bytes: Uint8Array): Uint8Array {
  return asPlainBytes(zstdCompressSync(bytes, compressOptions))
}

export function zstdDecompress(
  bytes: Uint8Array,
  outputBytesMax: number,
): Result<Uint8Array, CompressionFault> {
  const declared = checkZstdFrame(bytes, outputBytesMax)
  if (!declared.ok) return declared
  try {
    // node:zlib takes no output bound of 0.
    const options = { maxOutputLength: Math.max(1, declared.value) }
    const output = zstdDecompressSync(bytes, options)
    return output.length === declared.value
      ? ok(asPlainBytes(output))
      : err('compression_malformed')
  } catch {
    return err('compression_malformed')
  }
}

/** The content size that a single, complete frame declares. Reads headers only; allocates nothing. */
function checkZstdFrame(
  bytes: Uint8Array,
  outputBytesMax: number,
): Result<number, CompressionFault> {
  // RFC 8878 §3.1.1: magic FD2FB528, little-endian. Skippable frames have another and are refused.
  const isFrame = bytes[0] === 0x28 && bytes[1] === 0xb5 && bytes[2] === 0x2f && bytes[3] === 0xfd
  const descriptor = bytes[4]
  if (!isFrame || descriptor === undefined) return err('compression_malformed')
  // §3.1.1.1.1: size flag (2 bits), single segment, unused, reserved, checksum, dictionary flag (2 bits).
  const sizeFlag = descriptor >>> 6
  const isSingleSegment = (descriptor & 0x20) !== 0
  const hasChecksum = (descriptor & 0x04) !== 0
  if ((descriptor & 0x08) !== 0) return err('compression_malformed')
  if ((descriptor & 0x03) !== 0) return err('compression_unsupported')
  if (sizeFlag === 0 && !isSingleSegment) return err('compression_size_unknown')
  const sizeOffset = isSingleSegment ? 5 : 6
  const sizeBytes = [1, 2, 4, 8][sizeFlag] as number
  if (sizeOffset + sizeBytes > bytes.length) return err('compression_malformed')
  let size = sizeFlag === 1 ? 256 : 0
  for (let i = sizeBytes - 1, scale = 256 ** i; i >= 0; i -= 1, scale /= 256) {
    size += (bytes[sizeOffset + i] as number) * scale
  }
  if (size > outputBytesMax) return err('compression_output_bound')
  const blocks = sizeOffset + sizeBytes
  if (blocksEnd(bytes, blocks) + (hasChecksum ? 4 : 0) !== bytes.length) {
    return err('compression_malformed')
  }
  return ok(size)
}

/** Where the last block ends (§3.1.1.2); beyond the input when it is cut short. */
function blocksEnd(bytes: Uint8Array, start: number): number {
  let offset = start
  while (offset + 3 <= bytes.length) {
    const header =
      (bytes[offset] as number) |
      ((bytes[offset + 1] as number) << 8) |
      ((bytes[offset + 2] as number) << 16)
    const isRunLength = ((header >>> 1) & 0x03) === 1
    offset += 3 + (isRunLength ? 1 : header >>> 3)
    if ((header & 1) === 1) return offset
  }
  return Number.POSITIVE_INFINITY
}

function asPlainBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}
