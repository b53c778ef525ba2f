// One agent on several threads: they share keys, trust and the port, and each has sessions of its own.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { threadId } from 'node:worker_threads'
import {
  type AgentWorkers,
  createAgent,
  type NodeAgent,
  registerBytes,
  startAgentWorkers,
} from '@myelin/node'
import { verifies } from '@myelin/testkit'
import { types } from './worker-module.ts'

const module = new URL('./worker-module.ts', import.meta.url)
const listen = ['/ip4/127.0.0.1/tcp/0']
const nothing = new Uint8Array(0)

interface Where {
  readonly index: number
  readonly count: number
  readonly threadId: number
}

/** A client that the workers trust, and that knows where they are. */
async function client(workers: AgentWorkers): Promise<NodeAgent> {
  const agent = await createAgent({ trust: [{ agent: workers.id }] })
  for (const type of types) registerBytes(agent, type)
  await workers.trust.add({ agent: agent.id, roles: ['member'], source: 'manual', addedMs: 0 })
  agent.learn({ agent: workers.id, addresses: workers.addresses.map(withoutPeer) })
  return agent
}

const withoutPeer = (address: string) => address.replace(/\/p2p\/.*/, '')

async function where(agent: NodeAgent, workers: AgentWorkers): Promise<Where> {
  const { payload } = await agent.request(workers.id, 'where', nothing)
  return JSON.parse(new TextDecoder().decode(payload as Uint8Array)) as Where
}

const isRefused = (agent: NodeAgent, workers: AgentWorkers) =>
  agent.connect(workers.id).then(
    () => false,
    ({ code }) => code === 'SESSION_NOT_TRUSTED',
  )

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10))
}

test('workers share an identity and a port, and the sessions are spread over their threads', async () => {
  verifies('R085')
  await using workers = await startAgentWorkers({ module, workers: 2, listen })
  assert.equal(workers.count, 2)
  assert.equal(new Set(workers.addresses).size, 1)
  const clients: NodeAgent[] = []
  const seen = new Map<number, Where>()
  // The system deals connections out by a hash of the client's port: 64 on one side are as likely as 2^-63.
  for (let i = 0; i < 64 && seen.size < 2; i += 1) {
    const agent = await client(workers)
    clients.push(agent)
    const place = await where(agent, workers)
    seen.set(place.index, place)
    const large = new Uint8Array(100_000).fill(i)
    assert.deepEqual((await agent.request(workers.id, 'echo', large)).payload, large)
  }
  assert.deepEqual([...seen.keys()].sort(), [0, 1])
  const threads = [...seen.values()].map((place) => place.threadId)
  assert.equal(new Set([...threads, threadId]).size, 3)
  const peers = await workers.peers()
  assert.equal(peers.length, clients.length)
  assert.deepEqual([...new Set(peers.map(({ worker }) => worker))].sort(), [0, 1])
  const { messagesReceived } = await workers.traffic()
  assert.equal(messagesReceived, 2 * clients.length)
  for (const agent of clients) await agent.close()
})

test('who is trusted no more loses its sessions in every worker, whoever said so', async () => {
  verifies('R085')
  await using workers = await startAgentWorkers({ module, workers: 2, listen })
  const [one, other] = [await client(workers), await client(workers)]
  for (const agent of [one, other]) await where(agent, workers)
  await workers.trust.remove(one.id)
  await until(async () => one.peers().length === 0)
  await assert.rejects(one.connect(workers.id), { code: 'SESSION_NOT_TRUSTED' })
  // Said in a worker: the main thread and the others learn of it.
  await other.request(workers.id, 'forget', nothing).catch(() => {})
  await until(async () => workers.trust.get(other.id) === undefined)
  // The news is on its way to the others: in the end each refuses, whichever answers.
  for (let refusals = 0; refusals < 8; )
    refusals = (await isRefused(other, workers)) ? refusals + 1 : 0
  for (const agent of [one, other]) await agent.close()
})

test('a worker that dies is told of, the others go on, and closing ends them', async () => {
  const workers = await startAgentWorkers({ module, workers: 2, listen })
  const agents: NodeAgent[] = []
  const indexes = new Set<number>()
  while (indexes.size < 2) {
    const agent = await client(workers)
    agents.push(agent)
    indexes.add((await where(agent, workers)).index)
  }
  const [first] = agents as [NodeAgent]
  const victim = (await where(first, workers)).index
  first.send(workers.id, 'die', nothing).catch(() => {})
  await assert.rejects(workers.done, {
    code: 'NODE_WORKER',
    message: new RegExp(`^worker ${victim} `),
  })
  const survivor = agents.at(-1) as NodeAgent
  assert.notEqual((await where(survivor, workers)).index, victim)
  for (const agent of agents) await agent.close()
  await workers.close()
})

test('what cannot work is refused with its reason, and leaves no thread', async () => {
  const wrong = startAgentWorkers({ module, workers: 0, listen })
  await assert.rejects(wrong, { code: 'NODE_CONFIGURATION' })
  const unshared = startAgentWorkers({ module, listen: ['/ip4/127.0.0.1/tcp/0/ws'] })
  await assert.rejects(unshared, { code: 'NODE_CONFIGURATION', message: /cannot share/ })
  const missing = startAgentWorkers({ module: new URL('./nowhere.ts', module), workers: 2, listen })
  await assert.rejects(missing, { code: 'NODE_WORKER', message: /nowhere/ })
})
