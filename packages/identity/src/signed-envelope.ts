// The signed envelope (R032): what travels outside a session of its own two agents, signed by its sender.

import { equalBytes, err, ok, type Result } from '@myelin/base'
import { verifyEd25519 } from '@myelin/crypto'
import {
  decodeEnvelope,
  type Envelope,
  type EnvelopeFault,
  encodeEnvelope,
  envelopeSigningBytes,
  type Message,
} from '@myelin/wire'
import type { AgentSigner } from './agent-key.ts'
import { IdentityError } from './errors.ts'

/** Signs and encodes. Throws `IDENTITY_AGENT_ID` where `message.from` is not the signer's public key. */
export function sealEnvelope(message: Message, signer: AgentSigner): Uint8Array {
  if (!equalBytes(message.from, signer.publicKey)) {
    const text = 'an envelope is signed by its sender: set `from` to the public key of the signer'
    throw new IdentityError('IDENTITY_AGENT_ID', text, { kind: 'usage' })
  }
  return encodeEnvelope({ ...message, signature: signer.sign(envelopeSigningBytes(message)) })
}

/** Decodes and verifies; the payload is a view of `bytes`. */
export function openEnvelope(
  bytes: Uint8Array,
): Result<Envelope, EnvelopeFault | 'envelope_signature'> {
  const decoded = decodeEnvelope(bytes)
  if (!decoded.ok) return decoded
  const envelope = decoded.value
  const isGenuine = verifyEd25519(envelope.from, envelopeSigningBytes(envelope), envelope.signature)
  return isGenuine ? ok(envelope) : err('envelope_signature')
}
