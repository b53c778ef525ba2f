// The IDX files of MNIST: a big-endian header (magic 0x00000803 or 0x00000801, counts), then bytes.
// Plain or gzipped (RFC 1952, told by the bytes 1f 8b). Untrusted: every length is checked before
// memory is taken.

import { gunzipSync } from 'node:zlib'
import { ByteReader, err, ok, type Result } from '@myelin/base'
import { datasetExamplesMax, digitClasses, digitSide, idxBytesMax } from './limits.ts'

const imagesMagic = 0x0803
const labelsMagic = 0x0801

export type IdxFault =
  | 'idx_count_out_of_bounds'
  | 'idx_gzip_invalid'
  | 'idx_label_invalid'
  | 'idx_length_mismatch'
  | 'idx_magic_invalid'
  | 'idx_shape_unsupported'
  | 'idx_too_large'
  | 'idx_truncated'

/** The pixels of all pictures, `count * 784` bytes; a view of `file` unless it was gzipped. */
export function parseIdxImages(file: Uint8Array): Result<Uint8Array, IdxFault> {
  const unpacked = unpack(file)
  if (!unpacked.ok) return unpacked
  const reader = new ByteReader(unpacked.value)
  const magic = reader.u32()
  const count = reader.u32()
  const rows = reader.u32()
  const columns = reader.u32()
  if (!reader.isValid) return err('idx_truncated')
  if (magic !== imagesMagic) return err('idx_magic_invalid')
  if (rows !== digitSide || columns !== digitSide) return err('idx_shape_unsupported')
  if (count === 0 || count > datasetExamplesMax) return err('idx_count_out_of_bounds')
  if (reader.remaining !== count * rows * columns) return err('idx_length_mismatch')
  return ok(reader.rest())
}

/** The labels 0 to 9 of all pictures; a view of `file` unless it was gzipped. */
export function parseIdxLabels(file: Uint8Array): Result<Uint8Array, IdxFault> {
  const unpacked = unpack(file)
  if (!unpacked.ok) return unpacked
  const reader = new ByteReader(unpacked.value)
  const magic = reader.u32()
  const count = reader.u32()
  if (!reader.isValid) return err('idx_truncated')
  if (magic !== labelsMagic) return err('idx_magic_invalid')
  if (count === 0 || count > datasetExamplesMax) return err('idx_count_out_of_bounds')
  if (reader.remaining !== count) return err('idx_length_mismatch')
  const labels = reader.rest()
  for (const label of labels) if (label >= digitClasses) return err('idx_label_invalid')
  return ok(labels)
}

function unpack(file: Uint8Array): Result<Uint8Array, IdxFault> {
  if (file.length > idxBytesMax) return err('idx_too_large')
  if (file[0] !== 0x1f || file[1] !== 0x8b) return ok(file)
  try {
    return ok(gunzipSync(file, { maxOutputLength: idxBytesMax }))
  } catch (cause) {
    // zlib stops with this code as soon as the output passes the bound: a gzip bomb costs no more
    // than that.
    const isTooLarge = (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    return err(isTooLarge ? 'idx_too_large' : 'idx_gzip_invalid')
  }
}
