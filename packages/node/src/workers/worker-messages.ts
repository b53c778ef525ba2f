// What an agent's main thread and its workers tell each other. Both are this package, so nothing is checked again.

import type { PeerInfo, Traffic } from '@myelin/fabric'
import type { Policy } from '@myelin/guard'
import type { AgentId, TrustEntry } from '@myelin/identity'
import type { PartialConfiguration } from '../config-settings.ts'

/** What a worker is started with. */
export interface WorkerStart {
  readonly index: number
  readonly count: number
  /** Address of the user's module. */
  readonly module: string
  readonly configuration: Omit<PartialConfiguration, 'tls'>
  readonly policy: Policy | undefined
  readonly passphrase: string | undefined
  /** Documents of the home: keys and trust, and no join tokens. */
  readonly documents: ReadonlyMap<string, Uint8Array>
}

export interface TrustChange {
  readonly kind: 'trust'
  readonly agent: AgentId
  /** Undefined: trusted no more. */
  readonly entry: TrustEntry | undefined
}

export type ToWorker =
  | TrustChange
  | { readonly kind: 'status'; readonly number: number }
  | { readonly kind: 'close'; readonly drainMs: number }

export interface WorkerStatus {
  readonly traffic: Traffic
  readonly peers: readonly PeerInfo[]
}

export type FromWorker =
  | TrustChange
  | { readonly kind: 'ready'; readonly addresses: readonly string[] }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'status'; readonly number: number; readonly status: WorkerStatus }
