// The errors of identity. All codes with their mends: docs/reference/errors.md.

import { MyelinError } from '@myelin/base'

export type IdentityErrorCode =
  | 'IDENTITY_AGENT_ID'
  | 'IDENTITY_KEY_FILE'
  | 'IDENTITY_PASSPHRASE'
  | 'IDENTITY_RECORD'
  | 'IDENTITY_TOKEN'
  | 'IDENTITY_TRUST'

export class IdentityError extends MyelinError<IdentityErrorCode> {}
