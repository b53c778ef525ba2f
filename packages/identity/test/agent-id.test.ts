import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemRandom } from '@myelin/base/system'
import {
  type AgentId,
  AgentKeys,
  agentIdOf,
  parseAgentId,
  publicKeyOf,
  shortAgentId,
} from '@myelin/identity'
import fc from 'fast-check'

const key = fc.uint8Array({ minLength: 32, maxLength: 32 })

test('every key has one id and every id one key', () => {
  fc.assert(
    fc.property(key, (publicKey) => {
      const agent = agentIdOf(publicKey)
      assert.match(agent, /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/)
      assert.deepEqual(publicKeyOf(agent), publicKey)
      assert.deepEqual(parseAgentId(agent), { ok: true, value: agent })
    }),
  )
})

test('what is not exactly an id is refused with its fault', () => {
  const agent = agentIdOf(new Uint8Array(32).fill(7))
  const faults: Record<string, string> = {
    '': 'agent_id_key_type',
    hello0: 'agent_id_base58',
    [`${agent}0`]: 'agent_id_base58',
    [` ${agent}`]: 'agent_id_base58',
    [`${agent}1`]: 'agent_id_key_type',
    [`1${agent}`]: 'agent_id_key_type',
    [agent.slice(0, -1)]: 'agent_id_key_type',
    [agent.replace('12D3', '12E3')]: 'agent_id_key_type',
    [agent.repeat(2)]: 'agent_id_base58',
    QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N: 'agent_id_key_type',
  }
  for (const [text, fault] of Object.entries(faults))
    assert.deepEqual(parseAgentId(text), { ok: false, fault }, text)
})

test('text of any kind is refused or is an id, and never throws', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 200 }),
      (text) => typeof parseAgentId(text).ok === 'boolean',
    ),
  )
})

test('misuse is told with its mend', () => {
  assert.throws(() => agentIdOf(new Uint8Array(31)), { code: 'IDENTITY_AGENT_ID' })
  assert.throws(() => publicKeyOf('bob' as AgentId), {
    code: 'IDENTITY_AGENT_ID',
    message: /12D3KooW/,
  })
})

test('agents that are made have different keys, and their short names differ', () => {
  const agents = Array.from({ length: 8 }, () => AgentKeys.generate(systemRandom))
  assert.equal(new Set(agents.map(({ agent }) => agent)).size, 8)
  assert.equal(new Set(agents.map(({ agent }) => shortAgentId(agent))).size, 8)
  for (const { agent } of agents) assert.equal(shortAgentId(agent).length, 11)
})

test('keys that are disposed sign no more, and never show themselves', () => {
  const keys = AgentKeys.generate(systemRandom)
  const { seed } = keys.exportSecrets()
  const texts = [JSON.stringify(keys), `${keys}`]
  for (const text of texts) assert.equal(text.includes(Buffer.from(seed).toString('hex')), false)
  keys[Symbol.dispose]()
  assert.throws(() => keys.sign(new Uint8Array(1)))
  assert.throws(() => keys.exportSecrets())
})
