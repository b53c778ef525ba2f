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
export {
  type ComplianceOptions,
  type DatagramSubject,
  datagramTransportCompliance,
  type RegisterTest,
  type StreamSubject,
  streamTransportCompliance,
} from './transport-compliance.ts'
export { verifies } from './verifies.ts'
export { VirtualClock } from './virtual-clock.ts'
