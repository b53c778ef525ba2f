// The error class of the command line. `CLI_USAGE` ends the process with 2, every other error with 1.

import { MyelinError } from '@myelin/base'

export type CliErrorCode =
  /** The command line itself is wrong: command, option or argument. */
  | 'CLI_USAGE'
  /** A configuration does not load. */
  | 'CLI_CONFIGURATION'
  /** A file or folder named on the command line is not there or not readable. */
  | 'CLI_INPUT'
  /** There is no agent in this folder, or one is there already. */
  | 'CLI_HOME'
  /** A process of a swarm failed. */
  | 'CLI_SWARM'

/** A name that was not known and those that are, so that the nearest one can be suggested. */
export interface UnknownName {
  readonly name: string
  readonly known: readonly string[]
}

export class CliError extends MyelinError<CliErrorCode> {
  readonly unknown: UnknownName | undefined

  constructor(code: CliErrorCode, message: string, parts: CliErrorParts = {}) {
    super(code, message, { kind: 'usage', cause: parts.cause })
    this.unknown = parts.unknown
  }
}

export interface CliErrorParts {
  readonly unknown?: UnknownName | undefined
  readonly cause?: unknown
}

export function usageError(message: string, unknown?: UnknownName): CliError {
  return new CliError('CLI_USAGE', message, { unknown })
}
