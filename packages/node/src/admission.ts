// Who gets a session: agents in the trust store, and those who bring a good join token, which puts them
// there. Everybody else is refused (DESIGN §3.8).

import type { Clock } from '@myelin/base'
import type { SecurityLog } from '@myelin/guard'
import type { JoinTokenBook, TrustStore } from '@myelin/identity'
import type { Admission, Candidate } from '@myelin/session'

export interface AdmissionParts {
  readonly trust: TrustStore
  readonly tokens: JoinTokenBook
  readonly clock: Clock
  readonly log: SecurityLog
}

export function admission(
  parts: AdmissionParts,
): (candidate: Candidate) => Admission | Promise<Admission> {
  return (candidate) => {
    const { agent } = candidate.peer
    const trusted = parts.trust.get(agent)
    if (trusted !== undefined) return { isAdmitted: true, roles: trusted.roles }
    if (candidate.token !== undefined) return redeem(parts, candidate, candidate.token)
    parts.log.record({
      kind: 'peer-not-trusted',
      severity: 'warning',
      agent,
      detail: candidate.remoteAddress,
    })
    return { isAdmitted: false, code: 'SESSION_NOT_TRUSTED' }
  }
}

async function redeem(
  { trust, tokens, clock, log }: AdmissionParts,
  candidate: Candidate,
  token: Uint8Array,
): Promise<Admission> {
  const { agent, name } = candidate.peer
  const redeemed = tokens.redeem(token, clock.wallMs())
  if (!redeemed.ok) {
    log.record({
      kind: redeemed.fault.replace('_', '-'),
      severity: 'warning',
      agent,
      detail: candidate.remoteAddress,
    })
    const code =
      redeemed.fault === 'token_expired' ? 'SESSION_TOKEN_EXPIRED' : 'SESSION_TOKEN_UNKNOWN'
    return { isAdmitted: false, code }
  }
  const { roles, durable } = redeemed.value
  // The use of the token is on disk before its holder gets in: a crash must not open it again.
  await durable
  await trust.add({ agent, name, roles, source: 'token', addedMs: clock.wallMs() })
  log.record({ kind: 'agent-joined', severity: 'info', agent, detail: roles.join(', ') })
  return { isAdmitted: true, roles }
}
