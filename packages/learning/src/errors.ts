// The errors of this package: only local misuse throws, untrusted input returns a Result with a
// fault.

import { type ErrorDetails, MyelinError } from '@myelin/base'

export type LearningErrorCode =
  | 'LEARNING_AVERAGE_EMPTY'
  | 'LEARNING_DATASET_INVALID'
  | 'LEARNING_OPTION_INVALID'
  | 'LEARNING_SHAPE_INVALID'
  | 'LEARNING_SWARM_FAILED'
  | 'LEARNING_TASK_INVALID'
  | 'LEARNING_WEIGHTS_INVALID'

/** Thrown for misuse by the caller; `kind` is `usage` unless the thrower says otherwise. */
export class LearningError extends MyelinError<LearningErrorCode> {
  constructor(code: LearningErrorCode, message: string, details: ErrorDetails = {}) {
    super(code, message, { kind: 'usage', ...details })
  }
}

/** Throws `code` unless `condition` holds. For arguments of the public functions. */
export function demand(
  condition: boolean,
  code: LearningErrorCode,
  message: string,
): asserts condition {
  if (!condition) throw new LearningError(code, message)
}
