// MessagePack (kawanet/msgpack-test-suite): every listed encoding decodes to the value, and our encoding of the
// value is one of those listed.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { hexDecode, hexEncode } from '@myelin/base'
import { decodeMsgpack, encodeMsgpack, MsgpackExtension, MsgpackTimestamp } from '@myelin/wire'
import type { CaseOutcome, Suite } from './suite.ts'

const file = 'msgpack-test-suite.json'

/** One case: its encodings, and the value under the name of its type, or of both its types. */
type Case = Readonly<Record<string, unknown>> & { readonly msgpack: readonly string[] }

/** How each type of the suite is a value of ours. */
const readers: Readonly<Record<string, (json: unknown) => unknown>> = {
  nil: (json) => json,
  bool: (json) => json,
  number: (json) => json,
  string: (json) => json,
  array: (json) => json,
  map: (json) => json,
  bignum: (json) => integer(BigInt(json as string)),
  binary: (json) => bytesOf(json as string),
  timestamp: (json) => new MsgpackTimestamp(...(json as [number, number])),
  ext: (json) => {
    const [type, data] = json as [number, string]
    return new MsgpackExtension(type, bytesOf(data))
  },
}

export const msgpackSuite: Suite = {
  name: 'msgpack',
  describes: 'MessagePack: decode every encoding of a value, encode to one of them',
  *run(directory) {
    const path = join(directory, file)
    if (!existsSync(path)) return
    const groups = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Case[]>
    for (const [group, cases] of Object.entries(groups)) {
      for (const [index, one] of cases.entries()) yield outcomeOf(`${group}#${index}`, one)
    }
  },
}

function outcomeOf(name: string, one: Case): CaseOutcome {
  const types = Object.keys(one).filter((key) => key !== 'msgpack')
  const unknown = types.find((type) => readers[type] === undefined)
  if (unknown !== undefined || types.length === 0) {
    return { file, name, outcome: 'skipped', reason: `unknown type ${unknown}` }
  }
  for (const type of types) {
    const reason = faultOf(readers[type]?.(one[type]), one.msgpack)
    if (reason !== undefined) return { file, name, outcome: 'failed', reason: `${type}: ${reason}` }
  }
  return { file, name, outcome: 'passed' }
}

/** Why the value and its encodings do not agree with our codec; undefined when they do. */
function faultOf(value: unknown, encodings: readonly string[]): string | undefined {
  for (const encoding of encodings) {
    const decoded = decodeMsgpack(bytesOf(encoding))
    if (!decoded.ok) return `${encoding} is refused: ${decoded.fault}`
    if (!isDeepStrictEqual(decoded.value, value)) return `${encoding} decodes to another value`
  }
  const encoded = hexEncode(encodeMsgpack(value))
  const isListed = encodings.some((encoding) => encoding.replaceAll('-', '') === encoded)
  return isListed ? undefined : `encodes to ${encoded}`
}

/** An integer is a number wherever a number holds it exactly. */
function integer(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function bytesOf(dashedHex: string): Uint8Array {
  const bytes = hexDecode(dashedHex.replaceAll('-', ''))
  if (bytes === undefined) throw new TypeError(`"${dashedHex}" in ${file} is not hexadecimal`)
  return bytes
}
