/**
 * What a peer may do: message types by role, rates, and the log of every refusal.
 *
 * ```ts
 * import { silentLogger } from '@myelin/base'
 * import { systemClock, systemRandom } from '@myelin/base/system'
 * import { Guard, SecurityLog } from '@myelin/guard'
 * import { AgentKeys } from '@myelin/identity'
 *
 * const log = new SecurityLog(systemClock, silentLogger)
 * const guard = new Guard({ clock: systemClock, log })
 * const gate = guard.gate(AgentKeys.generate(systemRandom).agent, ['worker'])
 * console.log(gate.incoming('neural-update', 1024), gate.incoming('task-assignment', 1024), log.counts)
 * ```
 */
export { GuardError, type GuardErrorCode } from './errors.ts'
export { Gate, Guard, type GuardOptions, type Rates, type Verdict } from './guard.ts'
export { defaultRates } from './limits.ts'
export { allows, checkPolicy, defaultPolicy, type Policy, type RoleRules } from './policy.ts'
export {
  type RecordedEvent,
  type SecurityEvent,
  SecurityLog,
  type Severity,
} from './security-log.ts'
export { type Rate, TokenBucket } from './token-bucket.ts'
