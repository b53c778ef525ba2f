// Help texts, made from the declarations of the commands.

import { type Command, type OptionSpec, usageLine } from './command.ts'
import { commands } from './commands.ts'
import { alignColumns } from './output.ts'

/** The page of one command. */
export function commandHelp(command: Command): string[] {
  const operands = Object.entries(command.operands)
  const options = Object.entries(command.options)
  return [
    command.summary,
    '',
    `Usage: ${usageLine(command)}`,
    ...command.details.flatMap((paragraph) => ['', paragraph]),
    ...section(
      'Arguments',
      operands.map(([name, { describes }]) => [name.toUpperCase(), describes]),
    ),
    ...section(
      'Options',
      options.map(([name, spec]) => [optionForm(name, spec), spec.describes]),
    ),
    ...(command.examples.length === 0 ? [] : ['', 'Examples:']),
    ...command.examples.map((example) => `  ${example}`),
  ]
}

/** The list of all commands, or of those below one word. */
export async function commandList(group = ''): Promise<string[]> {
  const prefix = group === '' ? '' : `${group} `
  const shown = await Promise.all(
    commands.filter(({ name }) => name.startsWith(prefix)).map(({ load }) => load()),
  )
  return [
    'myelin: the secure nervous system of an agent swarm',
    '',
    `Usage: myelin ${prefix}COMMAND [options]`,
    ...section(
      'Commands',
      shown.map(({ name, summary }) => [name, summary]),
    ),
    '',
    '"myelin COMMAND --help" shows one command. Every command takes --json.',
    'MYELIN_DEBUG=1 adds the stack to an error.',
  ]
}

function section(title: string, rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return []
  return ['', `${title}:`, ...alignColumns(rows).map((row) => `  ${row}`)]
}

function optionForm(name: string, { kind, short, value }: OptionSpec): string {
  const long = kind === 'flag' ? `--${name}` : `--${name} ${value ?? 'VALUE'}`
  return short === undefined ? `    ${long}` : `-${short}, ${long}`
}
