// The thread of one worker: an agent like any other, with the keys and the trust that it was given, on a port that it
// shares with its siblings.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { describeError, MyelinError } from '@myelin/base'
import { memoryStore } from '@myelin/base/system'
import type { TrustEntry } from '@myelin/identity'
import { tcp } from '@myelin/transport'
import { createAgent, type NodeAgent } from '../create-agent.ts'
import type { AgentWorkerModule } from './agent-workers.ts'
import type { FromWorker, ToWorker, TrustChange, WorkerStart } from './worker-messages.ts'

const port = parentPort as MessagePort
const start = workerData as WorkerStart
const tell = (message: FromWorker) => port.postMessage(message)

try {
  const agent = await open(start)
  port.on('message', (message: ToWorker) => void obey(agent, message))
  agent.trust.watch((id) => tell({ kind: 'trust', agent: id, entry: agent.trust.get(id) }))
  tell({ kind: 'ready', addresses: agent.addresses })
} catch (error) {
  const code = error instanceof MyelinError ? error.code : 'UNKNOWN'
  tell({ kind: 'failed', code, message: describeError(error) })
  port.close()
}

async function open(parts: WorkerStart): Promise<NodeAgent> {
  const { index, count, module, configuration, policy, passphrase, documents } = parts
  const store = memoryStore()
  for (const [key, bytes] of documents) await store.put(key, bytes)
  const { setup } = (await import(module)) as AgentWorkerModule
  return await createAgent({
    ...configuration,
    policy,
    passphrase,
    store,
    transports: [tcp({ reusePort: true })],
    prepare: (agent) => setup(agent, { index, count }),
  })
}

async function obey(agent: NodeAgent, message: ToWorker): Promise<void> {
  if (message.kind === 'trust') {
    await applyTrust(agent, message)
  } else if (message.kind === 'status') {
    const status = { traffic: agent.traffic(), peers: agent.peers() }
    tell({ kind: 'status', number: message.number, status })
  } else {
    await agent.close({ drainMs: message.drainMs })
    port.close()
  }
}

/** Changes go round: one that says what is known already ends here. */
async function applyTrust({ trust }: NodeAgent, { agent, entry }: TrustChange): Promise<void> {
  if (isSameEntry(trust.get(agent), entry)) return
  if (entry === undefined) await trust.remove(agent)
  else await trust.add(entry)
}

function isSameEntry(one: TrustEntry | undefined, other: TrustEntry | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
