// Where peers were when we last talked to them, kept in the home: so that a name or an agent id suffices after
// a restart, and an agent finds the swarm again that it joined. Addresses prove nothing, the handshake does;
// so what a peer said of itself may stand here.

import { base64urlDecode, base64urlEncode, type Store, utf8Decode, utf8Encode } from '@myelin/base'
import type { KnownPeer } from '@myelin/fabric'
import { type AgentId, parseAgentId } from '@myelin/identity'
import { rememberedPeersMax } from './control-limits.ts'
import { NodeError } from './errors.ts'

export interface RememberedPeer extends KnownPeer {
  /** We entered its swarm by a join token: a daemon stays connected to it. */
  readonly isJoined: boolean
}

const storePath = 'peers.json'
const addressesMax = 16
const staticKeyBytes = 32

export class PeerMemory {
  readonly #store: Store
  readonly #peers = new Map<AgentId, RememberedPeer>()
  #writing: Promise<void> = Promise.resolve()

  private constructor(store: Store) {
    this.#store = store
  }

  /** Throws `NODE_HOME` for a damaged file. */
  static async open(store: Store): Promise<PeerMemory> {
    const memory = new PeerMemory(store)
    const bytes = await store.get(storePath)
    if (bytes === undefined) return memory
    for (const peer of parsePeers(bytes)) memory.#peers.set(peer.agent, peer)
    return memory
  }

  get(agent: AgentId): RememberedPeer | undefined {
    return this.#peers.get(agent)
  }

  list(): RememberedPeer[] {
    return [...this.#peers.values()]
  }

  /** Adds or replaces; a peer without an address is not worth remembering. Resolves when it is durable. */
  async remember(peer: KnownPeer, { isJoined = false } = {}): Promise<void> {
    if (peer.addresses.length === 0) return
    const old = this.#peers.get(peer.agent)
    const next: RememberedPeer = {
      agent: peer.agent,
      addresses: peer.addresses.slice(0, addressesMax),
      staticKey: peer.staticKey ?? old?.staticKey,
      name: peer.name ?? old?.name,
      isJoined: isJoined || (old?.isJoined ?? false),
    }
    if (old !== undefined && describe(old) === describe(next)) return
    // The one heard of longest ago makes room, those we joined last of all.
    this.#peers.delete(peer.agent)
    if (this.#peers.size >= rememberedPeersMax) this.#dropOne()
    this.#peers.set(peer.agent, next)
    await this.#save()
  }

  /** False where nothing was known. */
  async forget(agent: AgentId): Promise<boolean> {
    if (!this.#peers.delete(agent)) return false
    await this.#save()
    return true
  }

  /** Resolves when no write is under way. */
  async settled(): Promise<void> {
    await this.#writing.catch(() => {})
  }

  #dropOne(): void {
    const oldest =
      this.list().find((peer) => !peer.isJoined)?.agent ?? this.#peers.keys().next().value
    if (oldest !== undefined) this.#peers.delete(oldest)
  }

  #save(): Promise<void> {
    const text = `[\n${this.list().map(describe).join(',\n')}\n]\n`
    const next = this.#writing
      .catch(() => {})
      .then(() => this.#store.put(storePath, utf8Encode(text)))
    this.#writing = next
    return next
  }
}

function describe({ agent, name, addresses, staticKey, isJoined }: RememberedPeer): string {
  const key = staticKey === undefined ? undefined : base64urlEncode(staticKey)
  return JSON.stringify({ agent, name, addresses, staticKey: key, isJoined })
}

function parsePeers(bytes: Uint8Array): RememberedPeer[] {
  let value: unknown
  try {
    value = JSON.parse(utf8Decode(bytes) ?? '')
  } catch (cause) {
    throw damaged('it is not JSON', cause)
  }
  if (!Array.isArray(value)) throw damaged('it is not a list')
  if (value.length > rememberedPeersMax) throw damaged(`it holds more than ${rememberedPeersMax}`)
  return value.map((entry: unknown, index) => {
    const peer = parsePeer(entry)
    if (peer === undefined) throw damaged(`entry ${index} is malformed`)
    return peer
  })
}

function parsePeer(value: unknown): RememberedPeer | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { agent, name, addresses, staticKey, isJoined } = value as Record<string, unknown>
  const parsed = typeof agent === 'string' ? parseAgentId(agent) : undefined
  if (parsed?.ok !== true || typeof isJoined !== 'boolean') return undefined
  if (name !== undefined && typeof name !== 'string') return undefined
  if (!Array.isArray(addresses) || addresses.length > addressesMax) return undefined
  if (!addresses.every((address) => typeof address === 'string')) return undefined
  const key = typeof staticKey === 'string' ? base64urlDecode(staticKey) : undefined
  if (staticKey !== undefined && key?.length !== staticKeyBytes) return undefined
  return { agent: parsed.value, name, addresses, staticKey: key, isJoined }
}

function damaged(fault: string, cause?: unknown): NodeError {
  const message = `${storePath} in the home cannot be used: ${fault}; restore it, or delete it to forget all addresses`
  return new NodeError('NODE_HOME', message, { cause, kind: 'usage' })
}
