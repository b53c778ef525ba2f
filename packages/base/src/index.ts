/**
 * What every package of Myelin stands on: bytes, results, errors, ports, queues and deadlines.
 *
 * ```ts
 * import { ByteReader, ByteWriter } from '@myelin/base'
 *
 * const bytes = new ByteWriter().u8(1).bytes16(new Uint8Array([7, 8])).finish()
 * const reader = new ByteReader(bytes)
 * console.log(reader.u8(), reader.bytes16(), reader.isComplete)
 * ```
 */
export { AsyncQueue } from './async-queue.ts'
export { BoundedQueue } from './bounded-queue.ts'
export type { Brand } from './brand.ts'
export {
  ByteReader,
  ByteWriter,
  compareBytes,
  concatBytes,
  emptyBytes,
  equalBytes,
} from './bytes.ts'
export { type DeadlineOptions, sleep, withDeadline } from './deadline.ts'
export {
  assert,
  BaseError,
  type BaseErrorCode,
  describeError,
  type ErrorDetails,
  type ErrorKind,
  MyelinError,
} from './errors.ts'
export { kib, mib, packetPayloadBytesMax, recordBytesMax } from './limits.ts'
export {
  type Clock,
  type LogFields,
  type Logger,
  type LogLevel,
  type Random,
  type Store,
  silentLogger,
  type Timer,
} from './ports.ts'
export { type Err, err, type Ok, ok, type Result } from './result.ts'
export {
  base64urlDecode,
  base64urlEncode,
  hexDecode,
  hexEncode,
  utf8Decode,
  utf8Encode,
} from './text.ts'
