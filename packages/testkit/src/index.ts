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
export { type AeadSubject, aeadCompliance } from './aead-compliance.ts'
export {
  describeFailure,
  type FuzzOptions,
  type FuzzReport,
  fuzzTarget,
  parseRegression,
} from './fuzz/fuzz.ts'
export { type Mutator, type MutatorOptions, mutator } from './fuzz/mutator.ts'
export {
  type Decoded,
  type FuzzBounds,
  type FuzzFailure,
  type FuzzFailureKind,
  type FuzzTarget,
  type Judgement,
  judge,
} from './fuzz/target.ts'
export { sharedPath, skipWithout } from './shared-data.ts'
export { Host } from './simulation/host.ts'
export { type LinkQuality, perfectLink, SimulatedNetwork } from './simulation/network.ts'
export { SeededRandom } from './simulation/seeded-random.ts'
export { Simulation, type SimulationOptions } from './simulation/simulation.ts'
export { SimulatedStore } from './simulation/store.ts'
export { Trace } from './simulation/trace.ts'
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
