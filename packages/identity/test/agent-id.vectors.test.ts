// Agent ids against the libp2p specifications: peer-ids (key encodings) and tls (a certificate with its peer id).

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { hexDecode, hexEncode } from '@myelin/base'
import { Ed25519KeyPair, X25519KeyPair } from '@myelin/crypto'
import { AgentKeys, agentIdOf, parseAgentId, publicKeyOf } from '@myelin/identity'
import { sharedPath, skipWithout } from '@myelin/testkit'

const skip = skipWithout('vectors/libp2p')

function read<Content>(name: string): Content {
  return JSON.parse(
    readFileSync(join(sharedPath('vectors/libp2p') as string, name), 'utf8'),
  ) as Content
}

/** The protobuf of an Ed25519 public key: type 1, then 32 bytes. */
const protobufHead = '08011220'

test('the peer id of the specification’s Ed25519 certificate is that of its key', { skip }, () => {
  const [first] = read<{ certificate_der_hex: string; peerId: string }[]>('tls-certs.json')
  const hex = first?.certificate_der_hex ?? ''
  const at = hex.indexOf(protobufHead)
  const publicKey = hexDecode(hex.slice(at + 8, at + 8 + 64)) as Uint8Array
  assert.equal(agentIdOf(publicKey), first?.peerId)
  const parsed = parseAgentId(first?.peerId ?? '')
  assert.ok(parsed.ok)
  assert.deepEqual(publicKeyOf(parsed.value), publicKey)
})

test('the specification’s Ed25519 key pair makes an agent with that public key', { skip }, () => {
  const keys = read<Record<string, string>>('keys.json')
  // Type 1, 64 bytes: seed and public key.
  const secret = (keys['ED25519 private key'] ?? '').toLowerCase()
  assert.ok(secret.startsWith('08011240'))
  const expected = (keys['ED25519 public key'] ?? '').toLowerCase()
  const seed = hexDecode(secret.slice(8, 72)) as Uint8Array
  const random = { fill: <Target extends Uint8Array>(target: Target) => target.fill(9) as Target }
  const agent = new AgentKeys(Ed25519KeyPair.fromSeed(seed), X25519KeyPair.generate(random))
  assert.equal(protobufHead + hexEncode(agent.publicKey), expected)
  assert.equal(agent.agent, agentIdOf(agent.publicKey))
  assert.match(agent.agent, /^12D3KooW/)
})

test('peer ids of other kinds of keys are not agent ids', { skip }, () => {
  const certificates = read<{ peerId: string | null }[]>('tls-certs.json')
  const other = certificates.map(({ peerId }) => peerId).find((id) => id?.startsWith('16Uiu2'))
  assert.deepEqual(parseAgentId(other ?? ''), { ok: false, fault: 'agent_id_key_type' })
})
