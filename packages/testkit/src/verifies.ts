// Citation of requirements. The gate reads the source text of the tests, so the arguments must be literals.

import { BaseError } from '@myelin/base'

/**
 * Says which rows of requirements.ts the tests of this file prove. Call it at the top of the file or inside
 * a test; `verifies('R131', 'R132')`.
 */
export function verifies(...rows: readonly `R${number}`[]): void {
  for (const row of rows) {
    if (!/^R\d{3}$/.test(row)) {
      throw new BaseError('BASE_ASSERTION', `"${row}" is not a requirement id such as R131`)
    }
  }
}
