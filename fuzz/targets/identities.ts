// What says who somebody is: peer records, agent ids, join tokens, and the files of an agent's home. Signatures
// and checksums would stop nearly every mutation, so there are twins that make them right again afterwards.

import assert from 'node:assert/strict'
import {
  base64urlDecode,
  base64urlEncode,
  concatBytes,
  equalBytes,
  kib,
  type Store,
  utf8Decode,
  utf8Encode,
} from '@myelin/base'
import { derivePassphraseKey, sha256, xchacha20Poly1305 } from '@myelin/crypto'
import {
  AgentKeys,
  agentIdOf,
  createPeerRecord,
  decodeJoinToken,
  decodePeerRecord,
  encodeJoinToken,
  IdentityError,
  JoinTokenBook,
  loadAgentKeys,
  type PeerRecord,
  parseAgentId,
  publicKeyOf,
  saveAgentKeys,
  TrustStore,
} from '@myelin/identity'
import { type FuzzTarget, SeededRandom } from '@myelin/testkit'
import { boundsWith, texts } from './bounds.ts'

const nowMs = 1_700_000_000_000
const keys = AgentKeys.generate(new SeededRandom('the agent of the identity targets'))
const signatureBytes = 64
const recordDomain = utf8Encode('myelin peer record 1')
const tokenPrefix = 'myelin-join-'
const checksumBytes = 4

function sampleRecords(): Uint8Array[] {
  const plain = { sequence: 1, nowMs, staticKey: keys.staticKey.publicKey }
  const addresses = ['/ip4/127.0.0.1/tcp/4001', '/dns4/example.org/tcp/1', '/memory/a']
  const kem = { algorithm: 'ml-kem-768', publicKey: new Uint8Array(1184).fill(3) } as const
  return [
    createPeerRecord(keys, plain),
    createPeerRecord(keys, { ...plain, name: 'älice', addresses }),
    createPeerRecord(keys, { ...plain, name: 'a'.repeat(64), keys: [kem] }),
  ].map((record) => record.encoded)
}

/** Made anew from what was read: the same bytes, since there is one encoding of a record. */
function assertOneEncoding(record: PeerRecord): void {
  const { sequence, issuedMs, expiresMs, staticKey, name, addresses } = record
  const again = createPeerRecord(keys, {
    sequence,
    nowMs: issuedMs,
    lifetimeMs: expiresMs - issuedMs,
    staticKey,
    name,
    addresses,
    keys: record.keys,
  })
  assert.ok(equalBytes(again.encoded, record.encoded), 'one record has two encodings')
}

const peerRecord: FuzzTarget = {
  name: 'peer-record',
  bounds: boundsWith(),
  samples: sampleRecords,
  cost: 4,
  decode: (input) => {
    const decoded = decodePeerRecord(input)
    if (!decoded.ok) return undefined
    assert.equal(decoded.value.agent, keys.agent, 'forged')
    assertOneEncoding(decoded.value)
    return input.length
  },
}

const signedPeerRecord: FuzzTarget = {
  name: 'peer-record-signed',
  bounds: boundsWith(),
  samples: () => sampleRecords().map((record) => record.slice(0, -signatureBytes)),
  cost: 10,
  decode: (input) => {
    const signature = keys.sign(concatBytes(recordDomain, input))
    const decoded = decodePeerRecord(concatBytes(input, signature))
    if (!decoded.ok) return undefined
    assertOneEncoding(decoded.value)
    return input.length
  },
}

const agentId: FuzzTarget = {
  name: 'agent-id',
  bounds: boundsWith({ inputBytesMax: 256 }),
  samples: () =>
    texts(keys.agent, agentIdOf(new Uint8Array(32)), agentIdOf(new Uint8Array(32).fill(255))),
  tokens: texts('12D3KooW', '1111', '0OIl', 'zzzz'),
  decode: (input) => {
    const text = Buffer.from(input).toString('latin1')
    const parsed = parseAgentId(text)
    if (!parsed.ok) return undefined
    assert.equal(agentIdOf(publicKeyOf(parsed.value)), text, 'one agent has two ids')
    return input.length
  },
}

function sampleTokens(): string[] {
  const token = {
    issuer: keys.agent,
    staticKey: keys.staticKey.publicKey,
    expiresMs: nowMs,
    secret: new Uint8Array(32).fill(5),
    addresses: ['/ip4/127.0.0.1/tcp/4001', '/dns6/exämple/tcp/2'],
  }
  return [encodeJoinToken(token), encodeJoinToken({ ...token, addresses: [] })]
}

function assertOneToken(text: string): number | undefined {
  const decoded = decodeJoinToken(text)
  if (!decoded.ok) return undefined
  assert.equal(encodeJoinToken(decoded.value), text, 'one token has two texts')
  return text.length
}

const joinToken: FuzzTarget = {
  name: 'join-token',
  bounds: boundsWith({ inputBytesMax: 10 * kib, outputBytesMax: 8 * kib }),
  samples: () => texts(...sampleTokens()),
  tokens: texts(tokenPrefix, '=', '-_'),
  decode: (input) => assertOneToken(Buffer.from(input).toString('latin1')),
}

const checkedJoinToken: FuzzTarget = {
  name: 'join-token-checked',
  bounds: boundsWith({ outputBytesMax: 8 * kib }),
  samples: () =>
    sampleTokens().map((text) => {
      const bytes = base64urlDecode(text.slice(tokenPrefix.length)) ?? new Uint8Array(0)
      return bytes.slice(0, -checksumBytes)
    }),
  decode: (input) => {
    const body = concatBytes(input, sha256(input).subarray(0, checksumBytes))
    return assertOneToken(tokenPrefix + base64urlEncode(body))
  },
}

/** A store that holds `content` under every key and keeps what is put. */
function storeOf(content: Uint8Array): Store & { content: Uint8Array } {
  return {
    content,
    async get() {
      return this.content
    },
    async put(_key, value) {
      this.content = value
    },
    delete: async () => {},
    list: async () => [],
  }
}

const isIdentityError = (error: unknown) => error instanceof IdentityError
const jsonTokens = texts(
  'null',
  'true',
  '[]',
  '{}',
  '""',
  '"__proto__":',
  '\\u0000',
  ',',
  ':',
  '[[[[',
)

async function sampleTrust(): Promise<Uint8Array[]> {
  const store = storeOf(utf8Encode('[]'))
  const trust = await TrustStore.open(store)
  const entry = { agent: keys.agent, roles: ['peer', 'worker'], addedMs: nowMs }
  await trust.add({ ...entry, source: 'manual', name: 'alice' })
  const other = agentIdOf(new Uint8Array(32).fill(1))
  await trust.add({ ...entry, agent: other, source: 'token', roles: [] })
  return [store.content]
}

const trustStore: FuzzTarget = {
  name: 'trust-store',
  bounds: boundsWith({ allocatedBytesMax: 2048 * kib }),
  samples: sampleTrust,
  tokens: [
    ...jsonTokens,
    ...texts(keys.agent, 'configuration', '"roles"', '"source"', '"addedMs"'),
  ],
  permits: isIdentityError,
  decode: async (input) => {
    const trust = await TrustStore.open(storeOf(input))
    for (const entry of trust.list()) {
      assert.ok(parseAgentId(entry.agent).ok)
      assert.equal(trust.get(entry.agent), entry)
      assert.ok(Array.isArray(entry.roles) && entry.roles.every((role) => typeof role === 'string'))
    }
    // What was read is written so that it reads the same.
    const store = storeOf(utf8Encode('[]'))
    const copy = await TrustStore.open(store)
    for (const entry of trust.list()) await copy.add(entry)
    assert.deepEqual(
      (await TrustStore.open(store)).list(),
      JSON.parse(JSON.stringify(trust.list())),
    )
    return utf8Encode(JSON.stringify(trust.list())).length
  },
}

const tokenBook: FuzzTarget = {
  name: 'join-token-book',
  bounds: boundsWith({ allocatedBytesMax: 2048 * kib }),
  samples: async () => {
    const store = storeOf(utf8Encode('{}'))
    const book = await JoinTokenBook.open(store)
    const common = { issuer: keys.agent, staticKey: keys.staticKey.publicKey, addresses: [] }
    const random = new SeededRandom('tokens')
    await book.issue({ ...common, roles: ['peer'], nowMs, random })
    await book.issue({ ...common, roles: [], nowMs, random })
    return [store.content]
  },
  tokens: [...jsonTokens, ...texts('"roles"', '"expiresMs"', '0'.repeat(64))],
  permits: isIdentityError,
  decode: async (input) => {
    const book = await JoinTokenBook.open(storeOf(input))
    const redeemed = book.redeem(new Uint8Array(32), nowMs)
    if (redeemed.ok) await redeemed.value.durable
    return book.openCount
  },
}

/** argon2id cheap enough to run a million times; what mutations ask for beyond it is not run. */
const cheapCost = { memoryKib: 32, passes: 1, parallelism: 4 }
const costMax = { memoryKib: 256, passes: 4 }
const passphrase = 'correct horse'

async function sampleKeyFiles(): Promise<Uint8Array[]> {
  const random = new SeededRandom('key files')
  const store = storeOf(new Uint8Array(0))
  await saveAgentKeys(keys, { store, random })
  const plain = store.content
  const { seed, staticSecret } = keys.exportSecrets()
  const [salt, nonce] = [new Uint8Array(16).fill(1), new Uint8Array(24).fill(2)]
  const key = derivePassphraseKey(utf8Encode(passphrase), salt, cheapCost)
  const sealed = xchacha20Poly1305.seal(
    key,
    nonce,
    concatBytes(seed, staticSecret),
    utf8Encode(keys.agent),
  )
  const file = {
    format: 'myelin-agent-key',
    version: 1,
    agent: keys.agent,
    secrets: base64urlEncode(concatBytes(nonce, sealed)),
    argon2id: { salt: base64urlEncode(salt), ...cheapCost },
  }
  return [plain, utf8Encode(JSON.stringify(file, null, 2))]
}

/** Mutations that ask argon2id for more than the tests can spend; its bounds are those of identity. */
function isTooDear(input: Uint8Array): boolean {
  try {
    const { memoryKib, passes } = JSON.parse(utf8Decode(input) ?? '').argon2id
    return memoryKib > costMax.memoryKib || passes > costMax.passes
  } catch {
    return false
  }
}

const keyFile: FuzzTarget = {
  name: 'key-file',
  bounds: boundsWith({ allocatedBytesMax: 2048 * kib }),
  samples: sampleKeyFiles,
  tokens: [...jsonTokens, ...texts('"argon2id"', '"salt"', '"passes"', '"version"', '"secrets"')],
  cost: 10,
  permits: isIdentityError,
  decode: async (input) => {
    if (isTooDear(input)) return undefined
    const random = new SeededRandom('unused')
    const loaded = await loadAgentKeys({ store: storeOf(input), passphrase, random })
    assert.equal(loaded?.agent, keys.agent, 'the keys of another')
    loaded?.[Symbol.dispose]()
    return 2 * 32
  },
}

export const identityTargets: readonly FuzzTarget[] = [
  peerRecord,
  signedPeerRecord,
  agentId,
  joinToken,
  checkedJoinToken,
  trustStore,
  tokenBook,
  keyFile,
]
