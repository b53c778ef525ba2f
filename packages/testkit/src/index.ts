/**
 * What the tests of Myelin share.
 *
 * ```ts
 * import { skipWithout, verifies } from '@myelin/testkit'
 *
 * verifies('R131')
 * console.log(skipWithout('vectors/noise'))
 * ```
 */
export { sharedPath, skipWithout } from './shared-data.ts'
export { verifies } from './verifies.ts'
