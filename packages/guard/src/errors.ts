// The errors of guard. All codes with their mends: docs/reference/errors.md.

import { MyelinError } from '@myelin/base'

export type GuardErrorCode = 'GUARD_POLICY'

export class GuardError extends MyelinError<GuardErrorCode> {}
