// What the parameters of control methods mean: whom, in which roles, at which address. A parameter that can
// never be right is a `NODE_CONTROL` of kind usage; one that is right and leads nowhere is a `NODE_PEER`.

import { type AgentId, parseAgentId } from '@myelin/identity'
import { addressFaults, parseAddress, splitPeer } from '@myelin/transport'
import type { NodeAgent } from './create-agent.ts'
import { NodeError } from './errors.ts'

/** Names that we gave win over those that peers give themselves. Only trusted agents are called. */
export function targetOf(agent: NodeAgent, to: string): AgentId {
  if (to.startsWith('/')) parsePeer(to)
  const named = agent.trust.list().filter((entry) => entry.name === to)
  if (named.length > 1) {
    const mend = 'use the agent id, or name them apart with: myelin trust add AGENT --name NAME'
    throw peerFault(`${named.length} trusted agents are called "${to}": ${mend}`)
  }
  const id = named[0]?.agent ?? agent.resolve(to)
  if (agent.trust.get(id) === undefined) {
    const problem = `${id} is not trusted, so there can be no session with it`
    throw peerFault(`${problem}; add it with: myelin trust add ${id}`)
  }
  return id
}

/** An agent id, or a multiaddr that ends in one. */
export function parsePeer(written: string): { readonly id: AgentId; readonly address?: string } {
  const isAddress = written.startsWith('/')
  const { address, peer } = isAddress ? splitPeer(written) : { address: '', peer: written }
  const parsed = parseAgentId(peer ?? '')
  if (!parsed.ok) {
    const mend = 'give an agent id (12D3KooW…) or an address that ends in /p2p/<agent id>'
    throw parameterFault(`${quoted(written)} names no agent: ${mend}`)
  }
  if (!isAddress) return { id: parsed.value }
  requireAddress(address)
  return { id: parsed.value, address }
}

export function requireAddress(text: string): void {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw parameterFault(`${quoted(text)} ${addressFaults[parsed.fault]}`)
}

export function requireName(agent: NodeAgent, name: string, id: AgentId): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name) || parseAgentId(name).ok) {
    const rule = '1 to 64 letters, digits, ".", "_" or "-", the first a letter or digit'
    throw parameterFault(`${quoted(name)} cannot be a name: use ${rule}`)
  }
  const other = agent.trust.list().find((entry) => entry.name === name && entry.agent !== id)
  if (other === undefined) return
  throw peerFault(`${other.agent} is called "${name}" already; choose another name`)
}

/** A role that no rule mentions gives nothing: as a word for "no rights" it would be a trap. */
export function requireRoles({ roleNames }: NodeAgent, roles: readonly string[]): void {
  const unknown = roles.find((role) => !roleNames.includes(role))
  if (unknown === undefined) return
  throw parameterFault(`there is no role ${quoted(unknown)}; use one of ${roleNames.join(', ')}`)
}

export function parameterFault(message: string): NodeError {
  return new NodeError('NODE_CONTROL', message, { kind: 'usage' })
}

export function peerFault(message: string): NodeError {
  return new NodeError('NODE_PEER', message, { kind: 'usage' })
}

export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}
