// The trust store: which agents may have a session with us, and in which roles. An allow-list: who is not in
// it is refused. Kept in memory, written through to the Store on every change.

import type { Store } from '@myelin/base'
import { type AgentId, parseAgentId } from './agent-id.ts'
import { IdentityError } from './errors.ts'
import { rolesPerAgentMax, trustedAgentsMax } from './limits.ts'
import { StoredDocument } from './stored-document.ts'

export interface TrustEntry {
  readonly agent: AgentId
  /** What we call the agent; not what it calls itself. */
  readonly name?: string
  readonly roles: readonly string[]
  /** How it came here. */
  readonly source: 'manual' | 'token' | 'configuration'
  readonly addedMs: number
}

/** Told once a change is durable, with what the agent was trusted in before. */
export type TrustWatcher = (agent: AgentId, before: TrustEntry | undefined) => void

const storePath = 'trust.json'

export class TrustStore {
  readonly #entries = new Map<AgentId, TrustEntry>()
  readonly #document: StoredDocument
  readonly #watchers = new Set<TrustWatcher>()

  private constructor(document: StoredDocument) {
    this.#document = document
  }

  /** Opens the store; a damaged file throws `IDENTITY_TRUST` rather than trusting nobody or everybody. */
  static async open(store: Store): Promise<TrustStore> {
    const document = new StoredDocument(store, storePath)
    const trust = new TrustStore(document)
    const found = await document.read()
    if (found !== undefined) {
      for (const entry of parseEntries(found.value)) trust.#entries.set(entry.agent, entry)
    }
    return trust
  }

  get size(): number {
    return this.#entries.size
  }

  /** Undefined: not trusted. */
  get(agent: AgentId): TrustEntry | undefined {
    return this.#entries.get(agent)
  }

  list(): TrustEntry[] {
    return [...this.#entries.values()]
  }

  /** Adds or replaces; resolves when it is durable. */
  async add(entry: TrustEntry): Promise<void> {
    if (!this.#entries.has(entry.agent) && this.#entries.size >= trustedAgentsMax) {
      throw new IdentityError(
        'IDENTITY_TRUST',
        `the trust store is full (${trustedAgentsMax} agents); remove some`,
      )
    }
    if (entry.roles.length > rolesPerAgentMax) {
      throw new IdentityError('IDENTITY_TRUST', `an agent has at most ${rolesPerAgentMax} roles`, {
        kind: 'usage',
      })
    }
    const before = this.#entries.get(entry.agent)
    this.#entries.set(entry.agent, entry)
    await this.#document.write(this.list())
    this.#tell(entry.agent, before)
  }

  /** False where the agent was not trusted anyway. */
  async remove(agent: AgentId): Promise<boolean> {
    const before = this.#entries.get(agent)
    if (!this.#entries.delete(agent)) return false
    try {
      await this.#document.write(this.list())
    } finally {
      // Whether it is on disk or not: here and now the agent is not trusted.
      this.#tell(agent, before)
    }
    return true
  }

  /** Tells of every agent that is added, changed or removed from now on. */
  watch(watcher: TrustWatcher): Disposable {
    this.#watchers.add(watcher)
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) }
  }

  #tell(agent: AgentId, before: TrustEntry | undefined): void {
    for (const watcher of this.#watchers) watcher(agent, before)
  }
}

function parseEntries(value: unknown): TrustEntry[] {
  if (!Array.isArray(value)) throw damaged('it is not a JSON list')
  if (value.length > trustedAgentsMax)
    throw damaged(`it holds more than ${trustedAgentsMax} agents`)
  return value.map((entry, index) => {
    if (!isTrustEntry(entry)) throw damaged(`entry ${index} is malformed`)
    return entry
  })
}

function isTrustEntry(value: unknown): value is TrustEntry {
  if (typeof value !== 'object' || value === null) return false
  const { agent, name, roles, source, addedMs } = value as Record<string, unknown>
  return (
    typeof agent === 'string' &&
    parseAgentId(agent).ok &&
    (name === undefined || typeof name === 'string') &&
    Array.isArray(roles) &&
    roles.length <= rolesPerAgentMax &&
    roles.every((role) => typeof role === 'string') &&
    (source === 'manual' || source === 'token' || source === 'configuration') &&
    typeof addedMs === 'number'
  )
}

function damaged(fault: string): IdentityError {
  return new IdentityError(
    'IDENTITY_TRUST',
    `${storePath} cannot be used: ${fault}; restore it or delete it to trust nobody`,
    { kind: 'usage' },
  )
}
