// AgentId: an Ed25519 public key, written as its libp2p peer id. libp2p peer-ids spec: the key's protobuf
// (KeyType 1 = Ed25519, 32 bytes) is short, so the id is the identity multihash of it, in base58btc.

import { type Brand, equalBytes, err, ok, type Result } from '@myelin/base'
import { base58 } from '@scure/base'
import { IdentityError } from './errors.ts'

/** The text form, `12D3KooW…`. Equal agents have equal texts, so it serves as a map key. */
export type AgentId = Brand<string, 'AgentId'>

export type AgentIdFault = 'agent_id_base58' | 'agent_id_key_type'

// Multihash identity (00), length 36 · protobuf field 1 varint 1 (Ed25519) · field 2, 32 bytes.
const prefix = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)
const publicKeyBytes = 32
/** Base58 of 38 bytes is 52 characters; longer text is refused before it is decoded. */
const agentIdTextMax = 64

/** The id of a 32-byte Ed25519 public key. */
export function agentIdOf(publicKey: Uint8Array): AgentId {
  if (publicKey.length !== publicKeyBytes) {
    throw new IdentityError(
      'IDENTITY_AGENT_ID',
      'an agent id is made of a 32-byte Ed25519 public key',
      { kind: 'usage' },
    )
  }
  const bytes = new Uint8Array(prefix.length + publicKeyBytes)
  bytes.set(prefix)
  bytes.set(publicKey, prefix.length)
  return base58.encode(bytes) as AgentId
}

export function parseAgentId(text: string): Result<AgentId, AgentIdFault> {
  const publicKey = decode(text)
  if (typeof publicKey === 'string') return err(publicKey)
  return ok(text as AgentId)
}

/** The 32-byte Ed25519 public key of an id. A new copy. */
export function publicKeyOf(agent: AgentId): Uint8Array {
  const publicKey = decode(agent)
  if (typeof publicKey === 'string') {
    throw new IdentityError(
      'IDENTITY_AGENT_ID',
      `"${agent}" is not an agent id: expected 12D3KooW…`,
      { kind: 'usage' },
    )
  }
  return publicKey
}

/** `12D3KooWAbC…xyz` for people; never for comparison. */
export function shortAgentId(agent: AgentId): string {
  return `${agent.slice(8, 14)}…${agent.slice(-4)}`
}

function decode(text: string): Uint8Array | AgentIdFault {
  if (text.length > agentIdTextMax) return 'agent_id_base58'
  let bytes: Uint8Array
  try {
    bytes = base58.decode(text)
  } catch {
    return 'agent_id_base58'
  }
  if (bytes.length !== prefix.length + publicKeyBytes) return 'agent_id_key_type'
  if (!equalBytes(bytes.subarray(0, prefix.length), prefix)) return 'agent_id_key_type'
  return bytes.slice(prefix.length)
}
