// Walks one MessagePack value without building it: one value and nothing behind it, every length within its
// bound and within the input, strict UTF-8, map keys that are strings, timestamps that are times. Only what
// passes here is decoded, so the decoder never allocates for a length that was merely announced.

import { isUtf8 } from 'node:buffer'
import { equalBytes, utf8Encode } from '@myelin/base'
import {
  msgpackArrayLengthMaxDefault,
  msgpackBinaryBytesMaxDefault,
  msgpackDepthMaxDefault,
  msgpackExtensionBytesMaxDefault,
  msgpackItemsMaxDefault,
  msgpackMapLengthMaxDefault,
  msgpackStringBytesMaxDefault,
} from './limits.ts'

export type MsgpackFault =
  | 'msgpack_truncated'
  | 'msgpack_trailing'
  | 'msgpack_reserved_byte'
  | 'msgpack_utf8'
  | 'msgpack_key'
  | 'msgpack_duplicate_key'
  | 'msgpack_timestamp'
  | 'msgpack_depth'
  | 'msgpack_items'
  | 'msgpack_array_length'
  | 'msgpack_map_length'
  | 'msgpack_string_length'
  | 'msgpack_binary_length'
  | 'msgpack_extension_length'

export interface MsgpackLimits {
  readonly depthMax: number
  readonly itemsMax: number
  readonly arrayLengthMax: number
  readonly mapLengthMax: number
  readonly stringBytesMax: number
  readonly binaryBytesMax: number
  readonly extensionBytesMax: number
}

export const msgpackLimitsDefault: MsgpackLimits = {
  depthMax: msgpackDepthMaxDefault,
  itemsMax: msgpackItemsMaxDefault,
  arrayLengthMax: msgpackArrayLengthMaxDefault,
  mapLengthMax: msgpackMapLengthMaxDefault,
  stringBytesMax: msgpackStringBytesMaxDefault,
  binaryBytesMax: msgpackBinaryBytesMaxDefault,
  extensionBytesMax: msgpackExtensionBytesMaxDefault,
}

export interface MsgpackScan {
  /** Entries of all maps together; the decoded value has as many keys unless some are repeated. */
  readonly mapEntries: number
  /** Some integer came in 64 bits. */
  readonly hasWideIntegers: boolean
}

export const timestampExtensionType = -1

/** Fields of fixed size behind a head byte c2…d3, by that byte; 0 where the byte stands alone. */
const fixedSizes: Readonly<Record<number, number>> = {
  ...{ 192: 0, 194: 0, 195: 0, 202: 4, 203: 8, 204: 1, 205: 2, 206: 4 },
  ...{ 207: 8, 208: 1, 209: 2, 210: 4, 211: 8 },
}

/** Scans the one value that `bytes` hold; a fault is returned as its name. */
export function scanMsgpack(bytes: Uint8Array, limits: MsgpackLimits): MsgpackScan | MsgpackFault {
  const scanner = new Scanner(bytes, limits)
  const fault = scanner.value(0)
  if (fault !== undefined) return fault
  return scanner.offset === bytes.length ? scanner : 'msgpack_trailing'
}

class Scanner implements MsgpackScan {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #limits: MsgpackLimits
  offset = 0
  mapEntries = 0
  hasWideIntegers = false
  #items = 0

  constructor(bytes: Uint8Array, limits: MsgpackLimits) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#limits = limits
  }

  /** Recursion is bounded by `depthMax`. */
  value(depth: number): MsgpackFault | undefined {
    const head = this.#bytes[this.offset]
    if (head === undefined) return 'msgpack_truncated'
    this.#items += 1
    if (this.#items > this.#limits.itemsMax) return 'msgpack_items'
    this.offset += 1
    if (head < 0x80 || head >= 0xe0) return undefined
    if (head < 0x90) return this.#map(head & 0x0f, depth)
    if (head < 0xa0) return this.#array(head & 0x0f, depth)
    if (head < 0xc0) return this.#string(head & 0x1f)
    const size = fixedSizes[head]
    if (size !== undefined) {
      if (head === 0xcf || head === 0xd3) this.hasWideIntegers = true
      return this.#skip(size)
    }
    return this.#sized(head, depth)
  }

  /** Kinds whose length stands in one, two or four bytes of its own. */
  #sized(head: number, depth: number): MsgpackFault | undefined {
    switch (head) {
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#binary(this.#length(1 << (head - 0xc4)))
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#length(1 << (head - 0xc7)))
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(1 << (head - 0xd4))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#string(this.#length(1 << (head - 0xd9)))
      case 0xdc:
      case 0xdd:
        return this.#array(this.#length(2 << (head - 0xdc)), depth)
      case 0xde:
      case 0xdf:
        return this.#map(this.#length(2 << (head - 0xde)), depth)
      default:
        return 'msgpack_reserved_byte'
    }
  }

  /** A big-endian length of 1, 2 or 4 bytes; -1 when the input ends before it. */
  #length(size: number): number {
    const at = this.offset
    if (at + size > this.#bytes.length) return -1
    this.offset += size
    if (size === 1) return this.#view.getUint8(at)
    return size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at)
  }

  #skip(length: number): MsgpackFault | undefined {
    if (length < 0 || length > this.#bytes.length - this.offset) return 'msgpack_truncated'
    this.offset += length
    return undefined
  }

  #binary(length: number): MsgpackFault | undefined {
    if (length > this.#limits.binaryBytesMax) return 'msgpack_binary_length'
    return this.#skip(length)
  }

  #string(length: number): MsgpackFault | undefined {
    if (length > this.#limits.stringBytesMax) return 'msgpack_string_length'
    const start = this.offset
    const fault = this.#skip(length)
    if (fault !== undefined) return fault
    return isUtf8(this.#bytes.subarray(start, this.offset)) ? undefined : 'msgpack_utf8'
  }

  #extension(length: number): MsgpackFault | undefined {
    if (length > this.#limits.extensionBytesMax) return 'msgpack_extension_length'
    const start = this.offset
    const fault = this.#skip(length < 0 ? length : length + 1)
    if (fault !== undefined) return fault
    const isTimestamp = this.#view.getInt8(start) === timestampExtensionType
    return isTimestamp && !this.#isTime(start + 1, length) ? 'msgpack_timestamp' : undefined
  }

  /** Timestamp 32, 64 or 96 (MessagePack specification): nanoseconds below one second, exact seconds. */
  #isTime(at: number, length: number): boolean {
    const nanoseconds = length === 8 ? this.#view.getUint32(at) >>> 2 : 0
    if (length === 4 || length === 8) return nanoseconds < 1e9
    if (length !== 12 || this.#view.getUint32(at) >= 1e9) return false
    return Number.isSafeInteger(Number(this.#view.getBigInt64(at + 4)))
  }

  #array(length: number, depth: number): MsgpackFault | undefined {
    if (length > this.#limits.arrayLengthMax) return 'msgpack_array_length'
    const fault = this.#enter(length, 1, depth)
    if (fault !== undefined) return fault
    for (let i = 0; i < length; i += 1) {
      const inner = this.value(depth + 1)
      if (inner !== undefined) return inner
    }
    return undefined
  }

  #map(length: number, depth: number): MsgpackFault | undefined {
    if (length > this.#limits.mapLengthMax) return 'msgpack_map_length'
    const fault = this.#enter(length, 2, depth)
    if (fault !== undefined) return fault
    this.mapEntries += length
    for (let i = 0; i < length; i += 1) {
      const inner = this.#key() ?? this.value(depth + 1)
      if (inner !== undefined) return inner
    }
    return undefined
  }

  /** Every element takes at least one byte, so a count beyond the input is refused before it is walked. */
  #enter(length: number, bytesEach: number, depth: number): MsgpackFault | undefined {
    if (length < 0 || length * bytesEach > this.#bytes.length - this.offset) {
      return 'msgpack_truncated'
    }
    return depth >= this.#limits.depthMax ? 'msgpack_depth' : undefined
  }

  #key(): MsgpackFault | undefined {
    const head = this.#bytes[this.offset]
    if (head === undefined) return 'msgpack_truncated'
    const isString = (head >= 0xa0 && head < 0xc0) || (head >= 0xd9 && head <= 0xdb)
    if (!isString) return 'msgpack_key'
    const text = this.offset + (head < 0xc0 ? 1 : 1 + (1 << (head - 0xd9)))
    const fault = this.value(0)
    if (fault !== undefined) return fault
    // As a key it would set a prototype in JavaScript, whatever reads the map later.
    return equalBytes(this.#bytes.subarray(text, this.offset), protoKey) ? 'msgpack_key' : undefined
  }
}

const protoKey = utf8Encode('__proto__')
