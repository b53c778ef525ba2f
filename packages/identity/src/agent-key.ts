// The keys of one agent: the Ed25519 key that is its identity, and the X25519 static key that handshakes use.
// They are apart so that the first can stay in a hardware module and the second can rotate (DESIGN §3.4).

import type { Random } from '@myelin/base'
import { Ed25519KeyPair, X25519KeyPair } from '@myelin/crypto'
import { type AgentId, agentIdOf } from './agent-id.ts'

/** Signs as an agent. What holds the key is the provider's affair: memory, a file, a hardware module. */
export interface AgentSigner {
  readonly agent: AgentId
  readonly publicKey: Uint8Array
  /** An Ed25519 signature, 64 bytes. */
  sign(message: Uint8Array): Uint8Array
}

/** An agent's keys in memory. Disposing wipes both. */
export class AgentKeys implements AgentSigner, Disposable {
  readonly agent: AgentId
  readonly publicKey: Uint8Array
  readonly staticKey: X25519KeyPair
  readonly #signing: Ed25519KeyPair

  constructor(signing: Ed25519KeyPair, staticKey: X25519KeyPair) {
    this.#signing = signing
    this.staticKey = staticKey
    this.publicKey = signing.publicKey
    this.agent = agentIdOf(signing.publicKey)
  }

  static generate(random: Random): AgentKeys {
    return new AgentKeys(Ed25519KeyPair.generate(random), X25519KeyPair.generate(random))
  }

  sign(message: Uint8Array): Uint8Array {
    return this.#signing.sign(message)
  }

  /** The two 32-byte secrets, for sealing into a key file. The caller wipes them. */
  exportSecrets(): { seed: Uint8Array; staticSecret: Uint8Array } {
    return { seed: this.#signing.exportSeed(), staticSecret: this.staticKey.exportSecret() }
  }

  [Symbol.dispose](): void {
    this.#signing[Symbol.dispose]()
    this.staticKey[Symbol.dispose]()
  }
}
