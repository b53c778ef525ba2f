// What a command is: a declaration of its options and operands, from which parsing, faults, help and the
// types of `run` follow. Exit codes: 0 done, 1 failed, 2 the command line is wrong.

import { parseArgs } from 'node:util'
import { usageError } from './errors.ts'
import type { Output } from './output.ts'

export interface OptionSpec {
  readonly kind: 'flag' | 'text'
  /** One letter. */
  readonly short?: string
  /** What stands for the value in the help: `PATH`. */
  readonly value?: string
  /** May be given several times. */
  readonly repeats?: true
  readonly describes: string
}

/** Options by their long name, without the dashes. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>

export interface OperandSpec {
  readonly describes: string
  readonly optional?: true
  /** Takes all words that are left; only the last operand may. */
  readonly repeats?: true
}

/** Operands in their order, by name: `file` is shown as `FILE`. */
export type OperandSpecs = Readonly<Record<string, OperandSpec>>

type OptionValue<Spec> = Spec extends { readonly kind: 'flag' }
  ? boolean
  : Spec extends { readonly repeats: true }
    ? readonly string[]
    : string | undefined

type OperandValue<Spec> = Spec extends { readonly repeats: true }
  ? readonly string[]
  : Spec extends { readonly optional: true }
    ? string | undefined
    : string

/** What a command gets from the process. */
export interface CommandContext {
  readonly output: Output
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborts at the first SIGINT or SIGTERM. Reading it takes over these signals. */
  readonly signal: AbortSignal
}

export interface RunContext<Options extends OptionSpecs, Operands extends OperandSpecs>
  extends CommandContext {
  readonly options: { readonly [Name in keyof Options]: OptionValue<Options[Name]> }
  readonly operands: { readonly [Name in keyof Operands]: OperandValue<Operands[Name]> }
}

/** Nothing means 0. */
export type ExitCode = number | undefined

export interface CommandParts<Options extends OptionSpecs, Operands extends OperandSpecs> {
  /** One or two words: `version`, `config check`. */
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** Further paragraphs for the command's own help. */
  readonly details?: readonly string[]
  readonly options?: Options
  readonly operands?: Operands
  /** Command lines that work as they stand or with other names. */
  readonly examples: readonly string[]
  run(context: RunContext<Options, Operands>): ExitCode | Promise<ExitCode>
}

export interface Command {
  readonly name: string
  readonly summary: string
  readonly details: readonly string[]
  readonly options: OptionSpecs
  readonly operands: OperandSpecs
  readonly examples: readonly string[]
  execute(line: CommandLine, context: CommandContext): ExitCode | Promise<ExitCode>
}

/** The words after the command's name, sorted into options and operands. */
export interface CommandLine {
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>
  readonly operands: Readonly<Record<string, string | readonly string[] | undefined>>
}

/** Options that every command has. */
export const commonOptions = {
  help: { kind: 'flag', short: 'h', describes: 'Show this help.' },
  json: { kind: 'flag', describes: 'Print one JSON document instead of text.' },
} as const satisfies OptionSpecs

export function defineCommand<
  const Options extends OptionSpecs = Record<never, never>,
  const Operands extends OperandSpecs = Record<never, never>,
>(parts: CommandParts<Options, Operands>): Command {
  const { name, summary, details = [], examples, run } = parts
  return {
    name,
    summary,
    details,
    examples,
    options: { ...parts.options, ...commonOptions },
    operands: parts.operands ?? {},
    execute: ({ options, operands }, context) =>
      // parseCommandLine made these values from the same specs.
      run({ ...contextOf(context), options, operands } as RunContext<Options, Operands>),
  }
}

/** A copy that keeps `signal` lazy: spreading the context would read it. */
function contextOf(context: CommandContext): CommandContext {
  return {
    output: context.output,
    environment: context.environment,
    get signal() {
      return context.signal
    },
  }
}

/** Words into values. Throws `CLI_USAGE` with a line that names the fault and the mend. */
export function parseCommandLine(command: Command, words: readonly string[]): CommandLine {
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(
      Object.entries(command.options).map(([name, { kind, short }]) => [
        name,
        { type: kind === 'flag' ? 'boolean' : 'string', ...(short && { short }) },
      ]),
    ),
    allowPositionals: true,
    // Its own faults do not say which command they are about and suggest nothing.
    strict: false,
    tokens: true,
  })
  const options: Record<string, string | boolean | string[] | undefined> = emptyOptions(command)
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    else if (token.kind === 'option') addOption(command, options, token)
  }
  if (options.help === true) return { options, operands: {} }
  return { options, operands: assignOperands(command, positionals) }
}

/** Flags are false and repeated options empty until they are given. */
function emptyOptions(command: Command): Record<string, boolean | string[] | undefined> {
  return Object.fromEntries(
    Object.entries(command.options).map(([name, { kind, repeats }]) => [
      name,
      kind === 'flag' ? false : repeats ? [] : undefined,
    ]),
  )
}

interface OptionToken {
  readonly name: string
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

function addOption(
  command: Command,
  options: Record<string, string | boolean | string[] | undefined>,
  { name, rawName, value, inlineValue }: OptionToken,
): void {
  const spec = Object.hasOwn(command.options, name) ? command.options[name] : undefined
  if (spec === undefined) {
    const known = Object.keys(command.options).map((option) => `--${option}`)
    throw usageError(`unknown option ${quoted(rawName)}`, { name: `--${name}`, known })
  }
  if (spec.kind === 'flag') {
    if (value !== undefined) throw usageError(`${rawName} takes no value; write it alone`)
    options[name] = true
    return
  }
  const placeholder = spec.value ?? 'VALUE'
  if (value === undefined) {
    throw usageError(`${rawName} needs a value; write ${rawName} ${placeholder}`)
  }
  // `--config --json` is a forgotten value far more often than a file named `--json`.
  if (!inlineValue && value.startsWith('-') && value !== '-') {
    throw usageError(`${rawName} needs a value; write --${name}=${value} if that is the value`)
  }
  const before = options[name]
  if (Array.isArray(before)) before.push(value)
  else if (before === undefined) options[name] = value
  else throw usageError(`${rawName} stands twice; give it once`)
}

function assignOperands(
  command: Command,
  positionals: readonly string[],
): Record<string, string | readonly string[] | undefined> {
  const values: Record<string, string | readonly string[] | undefined> = {}
  let next = 0
  for (const [name, spec] of Object.entries(command.operands)) {
    const word = positionals[next]
    if (word === undefined && !spec.optional) {
      throw usageError(`${name.toUpperCase()} is missing; usage: ${usageLine(command)}`)
    }
    values[name] = spec.repeats ? positionals.slice(next) : word
    next = spec.repeats ? positionals.length : next + 1
  }
  const extra = positionals[next]
  if (extra !== undefined) {
    throw usageError(`${quoted(extra)} is one argument too many; usage: ${usageLine(command)}`)
  }
  return values
}

/** `myelin conformance SUITE DIR [options]` */
export function usageLine(command: Command): string {
  const operands = Object.entries(command.operands).map(([name, { optional, repeats }]) => {
    const shown = `${name.toUpperCase()}${repeats ? '…' : ''}`
    return optional ? `[${shown}]` : shown
  })
  return ['myelin', command.name, ...operands, '[options]'].join(' ')
}

function quoted(word: string): string {
  return JSON.stringify(word.slice(0, 80))
}
