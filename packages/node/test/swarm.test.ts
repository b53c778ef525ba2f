import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '@myelin/base'
import { memoryStore, systemClock, systemRandom } from '@myelin/base/system'
import {
  defaultPlan,
  runSwarmCoordinator,
  runSwarmWorker,
  type SwarmEvent,
  testDigits,
} from '@myelin/learning'
import { createAgent } from '@myelin/node'

const plan = { ...defaultPlan, workers: 3, rounds: 2, examples: 600, epochs: 1, testExamples: 200 }
const ports = { clock: systemClock, random: systemRandom, logger: silentLogger }

test('three workers train one network over sessions', async () => {
  await using chief = await createAgent({ name: 'chief', listen: ['/memory/chief'] })
  const stop = new AbortController()
  const working: Promise<void>[] = []
  for (let i = 0; i < 3; i += 1) {
    const worker = await createAgent({ name: `worker-${i}` })
    const coordinator = await worker.join(await chief.issueJoinToken({ roles: ['worker'] }), {
      roles: ['coordinator'],
    })
    working.push(
      runSwarmWorker({ agent: worker, coordinator, signal: stop.signal, ...ports }).finally(() =>
        worker.close(),
      ),
    )
  }
  const events: SwarmEvent[] = []
  const outcome = await runSwarmCoordinator({
    agent: chief,
    plan,
    test: testDigits(plan),
    store: memoryStore(),
    signal: stop.signal,
    onEvent: (event) => events.push(event),
    ...ports,
  })
  stop.abort()
  await Promise.all(working)
  assert.equal(outcome.rounds.length, 2)
  assert.ok(outcome.accuracy > 0.3, `accuracy ${outcome.accuracy}`)
  assert.equal(events.filter((event) => event.kind === 'update-accepted').length, 6)
})
