// From words to an exit code. The only place that turns errors into lines: `myelin: …` and 2 where the command
// line is wrong, `error: CODE: …` and 1 where the work failed. Under `--json` the same error is also a
// document on the standard output. Stacks appear only with MYELIN_DEBUG=1.

import { MyelinError } from '@myelin/base'
import { type Command, type CommandContext, parseCommandLine } from './command.ts'
import { commands, findCommand, subcommandsOf } from './commands.ts'
import { CliError, type UnknownName, usageError } from './errors.ts'
import { commandHelp, commandList } from './help.ts'
import { Output, type OutputStream, printable } from './output.ts'

export interface CliEnvironment {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Called when a command first reads its signal. */
  readonly signal: () => AbortSignal
}

/** Runs one command line, without the program's name. Never rejects. */
export async function runCli(words: readonly string[], around: CliEnvironment): Promise<number> {
  const isJson = hasFlag(words, '--json')
  const output = new Output({ stdout: around.stdout, stderr: around.stderr, isJson })
  const context: CommandContext = {
    output,
    environment: around.environment,
    get signal() {
      return around.signal()
    },
  }
  try {
    return await dispatch(normalise(words), context)
  } catch (error) {
    return reportError(error, output, around.environment.MYELIN_DEBUG === '1')
  }
}

async function dispatch(words: readonly string[], context: CommandContext): Promise<number> {
  const [first = ''] = words
  if (first === '' || first === '--json') {
    for (const line of await commandList()) context.output.note(line)
    return 2
  }
  const found = findCommand(words)
  if (found === undefined) return dispatchGroup(words, context)
  const command = await found.entry.load()
  try {
    const line = parseCommandLine(command, found.rest)
    if (line.options.help === true) {
      context.output.result(helpDocument(command), () => commandHelp(command))
      return 0
    }
    return (await command.execute(line, context)) ?? 0
  } catch (error) {
    if (!isUsageError(error)) throw error
    const page = `see "myelin ${command.name} --help"`
    throw usageError(`${command.name}: ${error.message}${await meant(error.unknown)}; ${page}`)
  }
}

/** `myelin config` names no command, but a group of them. Anything else is unknown. */
async function dispatchGroup(words: readonly string[], context: CommandContext): Promise<number> {
  const [first = '', second] = words
  const members = subcommandsOf(first)
  if (members.length > 0 && (second === '--help' || second === '-h')) {
    const lines = await commandList(first)
    context.output.result({ commands: members.map((name) => `${first} ${name}`) }, () => lines)
    return 0
  }
  if (first.startsWith('-')) {
    throw usageError(`unknown option ${JSON.stringify(printable(first))}; see "myelin help"`)
  }
  if (members.length > 0 && (second === undefined || second.startsWith('-'))) {
    throw usageError(`${first} needs one of: ${members.join(', ')}; see "myelin ${first} --help"`)
  }
  const isMember = members.length > 0 && second !== undefined
  const wrong = isMember ? `${first} ${second}` : first
  const known = isMember
    ? members.map((name) => `${first} ${name}`)
    : [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? name))]
  const shown = JSON.stringify(printable(wrong))
  const page = isMember ? `see "myelin ${first} --help"` : 'see "myelin help"'
  throw usageError(`unknown command ${shown}${await meant({ name: wrong, known })}; ${page}`)
}

/** Options before the command's name: `--version` and `--help` are commands, `--json` moves behind. */
function normalise(words: readonly string[]): readonly string[] {
  const [first, ...rest] = words
  if (first === '--version' || first === '-V') return ['version', ...rest]
  if (first === '--help' || first === '-h') return ['help', ...rest]
  if (first === '--json' && rest.length > 0) return normalise([...rest, '--json'])
  return words
}

/** Before `--` only: what stands behind it is an argument. */
function hasFlag(words: readonly string[], flag: string): boolean {
  const end = words.indexOf('--')
  return (end < 0 ? words : words.slice(0, end)).includes(flag)
}

/** `; did you mean …`, or nothing when no name is close. Loaded late: most calls have no fault. */
async function meant(unknown: UnknownName | undefined): Promise<string> {
  if (unknown === undefined) return ''
  const { nearestName } = await import('@myelin/node')
  const nearest = nearestName(unknown.name, unknown.known)
  return nearest === undefined ? '' : `; did you mean "${nearest}"`
}

function helpDocument(command: Command): unknown {
  const { name, summary, options, operands, examples } = command
  return { name, summary, operands, options, examples }
}

function reportError(error: unknown, output: Output, isDebugging: boolean): number {
  const isUsage = isUsageError(error)
  const { code, message } = codeAndMessage(error)
  if (output.isJson) output.result({ error: { code, message } }, () => [])
  output.note(isUsage ? `myelin: ${message}` : `error: ${code}: ${message}`)
  if (isDebugging && error instanceof Error) output.note(error.stack ?? '')
  return isUsage ? 2 : 1
}

function isUsageError(error: unknown): error is CliError {
  return error instanceof CliError && error.code === 'CLI_USAGE'
}

function codeAndMessage(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof MyelinError) return { code: error.code, message: error.message }
  if (!(error instanceof Error)) return { code: 'UNKNOWN', message: String(error) }
  const { code } = error as { readonly code?: unknown }
  const shown = typeof code === 'string' ? code : 'INTERNAL'
  // System errors begin with their code.
  const message = error.message.startsWith(`${shown}: `)
    ? error.message.slice(shown.length + 2)
    : error.message
  return { code: shown, message }
}
