import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryStore, systemRandom } from '@myelin/base/system'
import { type AgentId, AgentKeys } from '@myelin/identity'
import { PeerMemory } from '@myelin/node'
import { rememberedPeersMax } from '../src/control-limits.ts'

const agent = (): AgentId => AgentKeys.generate(systemRandom).agent
const addresses = ['/ip4/192.0.2.1/tcp/4001']

test('what is remembered is there after the next opening', async () => {
  const store = memoryStore()
  const memory = await PeerMemory.open(store)
  const [bob, carol] = [agent(), agent()]
  const staticKey = systemRandom.fill(new Uint8Array(32))
  await memory.remember({ agent: bob, addresses, staticKey, name: 'bob' }, { isJoined: true })
  await memory.remember({ agent: carol, addresses: ['/memory/carol'] })
  const again = await PeerMemory.open(store)
  assert.deepEqual(again.list(), memory.list())
  assert.deepEqual(again.get(bob)?.staticKey, staticKey)
  assert.equal(again.get(carol)?.isJoined, false)
})

test('a peer that was joined stays so, and one without an address is not kept', async () => {
  const memory = await PeerMemory.open(memoryStore())
  const [bob, carol] = [agent(), agent()]
  await memory.remember({ agent: bob, addresses }, { isJoined: true })
  await memory.remember({ agent: bob, addresses: ['/memory/bob'], name: 'bob' })
  assert.deepEqual(memory.get(bob)?.isJoined, true)
  assert.deepEqual(memory.get(bob)?.addresses, ['/memory/bob'])
  await memory.remember({ agent: carol, addresses: [] })
  assert.equal(memory.get(carol), undefined)
  assert.equal(await memory.forget(bob), true)
  assert.equal(await memory.forget(bob), false)
})

test('news that is none writes nothing', async () => {
  const store = memoryStore()
  let writes = 0
  const put = (key: string, value: Uint8Array) => {
    writes += 1
    return store.put(key, value)
  }
  const counted = { ...store, put }
  const memory = await PeerMemory.open(counted)
  const bob = agent()
  await memory.remember({ agent: bob, addresses })
  await memory.remember({ agent: bob, addresses: [...addresses] })
  assert.equal(writes, 1)
})

test('a full memory forgets whom it heard of longest ago, and whom it joined last of all', async () => {
  const store = memoryStore()
  const entries = Array.from({ length: rememberedPeersMax }, (_, i) => ({
    agent: agent(),
    addresses,
    isJoined: i === 0,
  }))
  await store.put('peers.json', new TextEncoder().encode(JSON.stringify(entries)))
  const memory = await PeerMemory.open(store)
  await memory.remember({ agent: agent(), addresses })
  assert.equal(memory.list().length, rememberedPeersMax)
  assert.notEqual(memory.get(entries[0]?.agent as AgentId), undefined)
  assert.equal(memory.get(entries[1]?.agent as AgentId), undefined)
})

test('a damaged file is refused with what is wrong and how to mend it', async () => {
  const entry = { agent: agent(), addresses, isJoined: false }
  const damages: readonly (readonly [string, RegExp])[] = [
    ['{', /it is not JSON; restore it, or delete it/],
    ['{}', /it is not a list/],
    ['[1]', /entry 0 is malformed/],
    [JSON.stringify([entry, { ...entry, agent: 'bob' }]), /entry 1 is malformed/],
    [JSON.stringify([{ ...entry, staticKey: 'AAAA' }]), /entry 0 is malformed/],
    [JSON.stringify([{ ...entry, addresses: [1] }]), /entry 0 is malformed/],
  ]
  for (const [text, message] of damages) {
    const store = memoryStore()
    await store.put('peers.json', new TextEncoder().encode(text))
    await assert.rejects(PeerMemory.open(store), { code: 'NODE_HOME', message })
  }
})
