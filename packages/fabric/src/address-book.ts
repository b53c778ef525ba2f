// Where peers are: addresses, and the static key from a peer's record, which makes the next handshake XK.

import { type AgentId, type PeerRecord, parseAgentId } from '@myelin/identity'
import { splitPeer } from '@myelin/transport'
import type { PeerTarget } from './agent.ts'
import { FabricError } from './errors.ts'
import { knownPeersMax } from './limits.ts'

export interface KnownPeer {
  readonly agent: AgentId
  readonly addresses: readonly string[]
  readonly staticKey?: Uint8Array | undefined
  readonly name?: string | undefined
}

export class AddressBook {
  readonly #peers = new Map<AgentId, KnownPeer>()

  get(agent: AgentId): KnownPeer | undefined {
    return this.#peers.get(agent)
  }

  /** Adds what is known; addresses given now come first, older ones stay behind them. */
  learn(peer: KnownPeer): void {
    const old = this.#peers.get(peer.agent)
    const addresses = [...new Set([...peer.addresses, ...(old?.addresses ?? [])])].slice(0, 16)
    this.#peers.delete(peer.agent)
    if (this.#peers.size >= knownPeersMax)
      this.#peers.delete(this.#peers.keys().next().value as AgentId)
    this.#peers.set(peer.agent, {
      agent: peer.agent,
      addresses,
      staticKey: peer.staticKey ?? old?.staticKey,
      name: peer.name ?? old?.name,
    })
  }

  /** What a session proved. The peer's own name is kept only where we have none for it. */
  learnRecord(record: PeerRecord): void {
    const name =
      this.#peers.get(record.agent)?.name ?? (record.name === '' ? undefined : record.name)
    this.learn({
      agent: record.agent,
      addresses: record.addresses,
      staticKey: record.staticKey,
      name,
    })
  }

  /** The static key turned out to be an old one. */
  forgetStaticKey(agent: AgentId): void {
    const known = this.#peers.get(agent)
    if (known !== undefined) this.#peers.set(agent, { ...known, staticKey: undefined })
  }

  /** Throws `FABRIC_PEER_UNKNOWN` with what would be right. */
  resolve(target: PeerTarget): AgentId {
    if (target.startsWith('/')) return this.#resolveAddress(target)
    const parsed = parseAgentId(target)
    if (parsed.ok) return parsed.value
    const named = [...this.#peers.values()].filter((peer) => peer.name === target)
    if (named.length === 1 && named[0] !== undefined) return named[0].agent
    const fault = named.length === 0 ? 'no peer has this name' : 'several peers have this name'
    throw new FabricError(
      'FABRIC_PEER_UNKNOWN',
      `"${target}": ${fault}; give an agent id or an address with /p2p/`,
      { kind: 'usage' },
    )
  }

  #resolveAddress(target: string): AgentId {
    const { address, peer } = splitPeer(target)
    const parsed = peer === undefined ? undefined : parseAgentId(peer)
    if (!parsed?.ok) {
      throw new FabricError(
        'FABRIC_PEER_UNKNOWN',
        `${target} does not say who is there; end it in /p2p/<agent id>`,
        { kind: 'usage' },
      )
    }
    this.learn({ agent: parsed.value, addresses: [address] })
    return parsed.value
  }
}
