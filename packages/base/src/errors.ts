// The base of all errors of Myelin. Each package has one subclass with a closed list of literal codes;
// docs/reference/errors.md lists them all. Codes stay at home: the wire has its own small numeric table.

/**
 * What a caller can do about an error (the library itself never retries):
 * - `recoverable`: try again later, perhaps elsewhere (timeouts, lost connections)
 * - `protocol`: the peer or its input broke a rule; do not repeat the same thing
 * - `usage`: the caller's arguments, configuration or state are wrong
 * - `fatal`: the process cannot go on safely (no randomness, a broken invariant)
 */
export type ErrorKind = 'recoverable' | 'protocol' | 'usage' | 'fatal'

export interface ErrorDetails {
  readonly cause?: unknown
  readonly kind?: ErrorKind
}

/** An error with a literal `code`, a `kind` and a one-line message that names the fault and the mend. */
export class MyelinError<Code extends string = string> extends Error {
  readonly code: Code
  readonly kind: ErrorKind

  constructor(code: Code, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = new.target.name
    this.code = code
    this.kind = details.kind ?? 'protocol'
  }
}

export type BaseErrorCode = 'BASE_ASSERTION' | 'BASE_DEADLINE' | 'BASE_STORE'

export class BaseError extends MyelinError<BaseErrorCode> {}

/** Throws `BASE_ASSERTION` when a condition that the code itself guarantees does not hold. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new BaseError('BASE_ASSERTION', message, { kind: 'fatal' })
}

/** One line for people and logs: `CODE: message`, or the message of a foreign error. */
export function describeError(error: unknown): string {
  if (error instanceof MyelinError) return `${error.code}: ${error.message}`
  if (error instanceof Error) return error.message
  return String(error)
}
