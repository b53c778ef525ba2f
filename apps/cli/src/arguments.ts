// Arguments and options of several commands: numbers, addresses, roles, the standard input.

import { concatBytes } from '@myelin/base'
import type { OptionSpecs } from './command.ts'
import { CliError, usageError } from './errors.ts'

export const timeoutOption = {
  'timeout-ms': {
    kind: 'text',
    value: 'MS',
    describes: 'Give up after this time (default: the setting request.timeoutMs).',
  },
} as const satisfies OptionSpecs

export const timeoutMsMax = 24 * 3_600_000

/** The value of a numeric option, undefined where it is not given. */
export function numberOption(
  name: string,
  text: string | undefined,
  { min, max }: { readonly min: number; readonly max: number },
): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  const shown = JSON.stringify(text.slice(0, 40))
  throw usageError(`--${name} ${shown} is no whole number from ${min} to ${max}`)
}

/** `30m`, `12h`, `7d`. */
export function durationOption(
  name: string,
  text: string | undefined,
  maxMs: number,
): number | undefined {
  if (text === undefined) return undefined
  const [, amount = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const ms = Number(amount) * (unitMs[unit] ?? 0)
  if (ms > 0 && ms <= maxMs) return ms
  const shown = JSON.stringify(text.slice(0, 40))
  throw usageError(`--${name} ${shown} is no time such as 30m, 12h or 7d, at most ${maxMs / day}d`)
}

const day = 86_400_000
const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: day }

/** A text that stands on the command line, or for `-` on the standard input. */
export async function textOrInput(word: string, bytesMax: number): Promise<Uint8Array> {
  return word === '-' ? await readInput(bytesMax) : new TextEncoder().encode(word)
}

/** All of the standard input. */
export async function readInput(bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > bytesMax) {
      throw new CliError('CLI_INPUT', `the standard input holds more than ${bytesMax} bytes`)
    }
    chunks.push(chunk)
  }
  return concatBytes(...chunks)
}
