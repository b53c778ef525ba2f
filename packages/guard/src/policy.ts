// Which message types a role may send to us and receive from us (R071, R072). Deny by default: a peer
// without a role, a role without a pattern, a type without a match: nothing passes. Patterns are type names,
// or a prefix with `*` at its end.

import { GuardError } from './errors.ts'
import { patternsMax, rolesMax } from './limits.ts'

export interface RoleRules {
  /** Types that a peer in this role may send to us. */
  readonly sends: readonly string[]
  /** Types that it may be sent. */
  readonly receives: readonly string[]
}

export type Policy = Readonly<Record<string, RoleRules>>

/** The roles that exist without configuration. A configured policy replaces them. */
export const defaultPolicy: Policy = {
  /** Full member: everything, custom types too. */
  member: { sends: ['*'], receives: ['*'] },
  /** Takes tasks and reports. */
  worker: {
    sends: ['coordination', 'status-update', 'neural-update', 'heartbeat', 'echo', 'ping', 'pong'],
    receives: [
      'coordination',
      'task-assignment',
      'status-update',
      'heartbeat',
      'echo',
      'ping',
      'pong',
    ],
  },
  /** Hands out tasks and collects results. */
  coordinator: {
    sends: [
      'coordination',
      'task-assignment',
      'status-update',
      'heartbeat',
      'echo',
      'ping',
      'pong',
    ],
    receives: [
      'coordination',
      'status-update',
      'neural-update',
      'heartbeat',
      'echo',
      'ping',
      'pong',
    ],
  },
  /** Looks on. */
  observer: {
    sends: ['ping', 'pong', 'echo'],
    receives: ['status-update', 'heartbeat', 'echo', 'ping', 'pong'],
  },
}

/** Throws `GUARD_POLICY` where the policy is malformed. */
export function checkPolicy(policy: Policy): void {
  const roles = Object.entries(policy)
  if (roles.length > rolesMax) throw invalid(`a policy has at most ${rolesMax} roles`)
  for (const [role, rules] of roles) {
    for (const pattern of [...rules.sends, ...rules.receives]) {
      if (!/^(?:[a-z][a-z0-9-]*\*?|\*)$/.test(pattern)) {
        throw invalid(
          `"${pattern}" in role ${role} is no pattern: write a type name, a prefix such as "swarm-*", or "*"`,
        )
      }
    }
    if (rules.sends.length > patternsMax || rules.receives.length > patternsMax) {
      throw invalid(`role ${role} has more than ${patternsMax} patterns`)
    }
  }
}

export function allows(
  policy: Policy,
  roles: readonly string[],
  direction: keyof RoleRules,
  type: string,
): boolean {
  for (const role of roles) {
    // Own properties only: a role named like a method of Object gives nothing.
    const rules = Object.hasOwn(policy, role) ? policy[role] : undefined
    if (rules?.[direction].some((pattern) => matches(pattern, type))) return true
  }
  return false
}

function matches(pattern: string, type: string): boolean {
  return pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type
}

function invalid(message: string): GuardError {
  return new GuardError('GUARD_POLICY', message, { kind: 'usage' })
}
