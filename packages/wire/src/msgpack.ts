// MessagePack as Myelin speaks it: @msgpack/msgpack between a strict scan and a strict check. What a value is
// does not depend on how it was written: an integer is a number wherever a number holds it exactly and a
// bigint otherwise, in both directions, and integers are written as short as they go.
//
// Values: null, boolean, number, bigint (64 bits), string, Uint8Array, array, plain object with string keys,
// MsgpackTimestamp, MsgpackExtension. Byte strings decode to views on the input, not copies (R008).

import {
  decodeTimestampToTimeSpec,
  decode as decodeWith,
  Encoder,
  ExtData,
  type ExtensionCodecType,
  encodeTimeSpecToTimestamp,
} from '@msgpack/msgpack'
import { err, ok, type Result } from '@myelin/base'
import { WireError } from './errors.ts'
import { msgpackDepthMaxDefault } from './limits.ts'
import {
  type MsgpackFault,
  type MsgpackLimits,
  msgpackLimitsDefault,
  scanMsgpack,
  timestampExtensionType,
} from './msgpack-scan.ts'

/** A point in time, to the nanosecond; extension type -1 of the specification. A class, since maps are objects. */
export class MsgpackTimestamp {
  /** Since the Unix epoch, negative before it. */
  readonly seconds: number
  /** 0 to 999,999,999. */
  readonly nanoseconds: number

  constructor(seconds: number, nanoseconds = 0) {
    const isTime =
      Number.isSafeInteger(seconds) &&
      Number.isSafeInteger(nanoseconds) &&
      nanoseconds >= 0 &&
      nanoseconds < 1e9
    if (!isTime) throw refusal(`${seconds} s, ${nanoseconds} ns is no timestamp`)
    this.seconds = seconds
    this.nanoseconds = nanoseconds
  }
}

/** An application's extension: a type from -128 to 127 other than -1, and bytes. */
export class MsgpackExtension {
  readonly type: number
  readonly data: Uint8Array

  constructor(type: number, data: Uint8Array) {
    const isType = Number.isInteger(type) && type >= -128 && type < 128
    if (!isType || type === timestampExtensionType) {
      throw refusal(`${type} is no extension type: use -128 to 127 other than -1`)
    }
    this.type = type
    this.data = data
  }
}

const extensionCodec: ExtensionCodecType<undefined> = {
  tryToEncode: (object) => (object instanceof ExtData ? object : null),
  decode: (data, type) => {
    if (type !== timestampExtensionType) return new MsgpackExtension(type, data)
    const { sec, nsec } = decodeTimestampToTimeSpec(data)
    return new MsgpackTimestamp(sec, nsec)
  },
}

/** Throws `WIRE_MSGPACK_VALUE` for what MessagePack or the rules above cannot say. */
export function encodeMsgpack(value: unknown): Uint8Array {
  const prepared = new Preparation()
  const ready = prepared.value(value, 0)
  // A buffer of its own per call, large enough from the start: nothing of one message stays for the next.
  const encoder = new Encoder({
    extensionCodec,
    useBigInt64: true,
    initialBufferSize: prepared.bytesMax,
    maxDepth: msgpackDepthMaxDefault + 1,
  })
  return encoder.encodeSharedRef(ready)
}

/** Decodes the one value in `bytes`. Never throws. */
export function decodeMsgpack(
  bytes: Uint8Array,
  limits: Partial<MsgpackLimits> = {},
): Result<unknown, MsgpackFault> {
  const scan = scanMsgpack(bytes, { ...msgpackLimitsDefault, ...limits })
  if (typeof scan === 'string') return err(scan)
  // A Buffer's views would be Buffers; the decoded value is made of plain Uint8Arrays.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const decoded = decodeWith(plain, { extensionCodec, useBigInt64: true, keyDecoder: null })
  if (scan.mapEntries === 0 && !scan.hasWideIntegers) return ok(decoded)
  const settlement = new Settlement()
  const value = settlement.value(decoded)
  return settlement.mapEntries === scan.mapEntries ? ok(value) : err('msgpack_duplicate_key')
}

const u32Max = 0xffff_ffff
const i32Min = -0x8000_0000
const u64Max = 2n ** 64n - 1n
const i64Min = -(2n ** 63n)

/** Checks a value to encode and puts it in the terms of the encoder, which writes bigints in 64 bits. */
class Preparation {
  /** Enough bytes for all that was prepared. */
  bytesMax = 0

  value(value: unknown, depth: number): unknown {
    // No head with its length or number takes more than nine bytes.
    this.bytesMax += 9
    switch (typeof value) {
      case 'boolean':
        return value
      case 'number':
        if (!Number.isSafeInteger(value)) return value
        return value > u32Max || value < i32Min ? BigInt(value) : value
      case 'bigint':
        if (value > u64Max || value < i64Min) throw refusal(`${value} does not fit 64 bits`)
        return value > BigInt(u32Max) || value < BigInt(i32Min) ? value : Number(value)
      case 'string':
        if (!value.isWellFormed()) throw refusal('a string has half a surrogate pair')
        this.bytesMax += Buffer.byteLength(value)
        return value
      case 'object':
        return value === null ? null : this.#object(value, depth)
      default:
        throw refusal(`${typeof value} has no MessagePack form; leave the field out or convert it`)
    }
  }

  #object(object: object, depth: number): unknown {
    if (object instanceof Uint8Array) {
      this.bytesMax += object.length
      return object
    }
    if (object instanceof MsgpackTimestamp) {
      const spec = { sec: object.seconds, nsec: object.nanoseconds }
      return this.#extension(timestampExtensionType, encodeTimeSpecToTimestamp(spec))
    }
    if (object instanceof MsgpackExtension) return this.#extension(object.type, object.data)
    if (depth >= msgpackDepthMaxDefault) {
      throw refusal(`the value nests deeper than ${msgpackDepthMaxDefault}, perhaps in a circle`)
    }
    if (Array.isArray(object)) {
      // Not `map`, which skips holes: a hole is refused like any undefined.
      return Array.from(object, (item) => this.value(item, depth + 1))
    }
    const prototype = Object.getPrototypeOf(object)
    if (prototype !== Object.prototype && prototype !== null) {
      throw refusal('an object of a class has no MessagePack form; make it a plain object')
    }
    const entries = Object.entries(object).map(([key, item]) => {
      if (key === '__proto__') throw refusal('"__proto__" cannot be a key')
      return [this.value(key, depth), this.value(item, depth + 1)] as const
    })
    return Object.fromEntries(entries)
  }

  #extension(type: number, data: Uint8Array): ExtData {
    this.bytesMax += data.length
    return new ExtData(type, data)
  }
}

/** Turns 64-bit integers that a number holds exactly into numbers, in place, and counts map entries. */
class Settlement {
  mapEntries = 0

  value(value: unknown): unknown {
    if (typeof value === 'bigint') {
      const number = Number(value)
      return Number.isSafeInteger(number) ? number : value
    }
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i += 1) value[i] = this.value(value[i])
    } else if (!isLeaf(value)) {
      const map = value as Record<string, unknown>
      const keys = Object.keys(map)
      this.mapEntries += keys.length
      for (const key of keys) map[key] = this.value(map[key])
    }
    return value
  }
}

function isLeaf(object: object): boolean {
  return (
    object instanceof Uint8Array ||
    object instanceof MsgpackExtension ||
    object instanceof MsgpackTimestamp
  )
}

function refusal(message: string): WireError {
  return new WireError('WIRE_MSGPACK_VALUE', message)
}
