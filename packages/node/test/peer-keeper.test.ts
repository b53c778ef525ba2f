import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogFields, Logger } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import type { PeerEvent, PeerInfo } from '@myelin/fabric'
import { AgentKeys } from '@myelin/identity'
import { PeerKeeper } from '@myelin/node'
import { VirtualClock, verifies } from '@myelin/testkit'
import { connectAttemptMs, stableSessionMs } from '../src/control-limits.ts'

verifies('R040', 'R087')

const peer = AgentKeys.generate(systemRandom).agent
/** The largest word: each wait is its bound, 100 ms · 2^(attempt-1), but for a rounding. */
const random = { fill: <Target extends Uint8Array>(target: Target) => target.fill(0xff) as Target }

type Connect = (signal: AbortSignal) => Promise<void>

/** An agent whose attempts end as the test says. */
function scene(connect: Connect) {
  const clock = new VirtualClock()
  const watchers = new Set<(event: PeerEvent) => void>()
  const logged: (LogFields & { event: string })[] = []
  const state = { attempts: 0, isOpen: false }
  const logger: Logger = {
    log: (_level, event, fields) => void logged.push({ event, ...fields }),
    child: () => logger,
  }
  const info = { agent: peer } as PeerInfo
  const agent = {
    connect: async (_to: string, { signal }: { signal?: AbortSignal | undefined } = {}) => {
      state.attempts += 1
      await connect(signal as AbortSignal)
      state.isOpen = true
      return info
    },
    peers: () => (state.isOpen ? [info] : []),
    watchPeers: (watcher: (event: PeerEvent) => void) => {
      watchers.add(watcher)
      return { [Symbol.dispose]: () => void watchers.delete(watcher) }
    },
  }
  const end = () => {
    state.isOpen = false
    for (const watcher of watchers)
      watcher({ kind: 'disconnected', agent: peer, code: 'SESSION_LOST', reason: 'gone' })
  }
  return {
    clock,
    keeper: new PeerKeeper({ agent, clock, random, logger }),
    state,
    logged,
    end,
    watchers,
  }
}

const refused = async () => {
  throw new Error('nobody listens')
}

test('an unreachable peer is tried again and again, in waits that grow to 30 s', async () => {
  const { clock, keeper, state, logged } = scene(refused)
  keeper.keep(peer)
  await clock.advance(0)
  assert.equal(state.attempts, 1)
  await clock.advance(99)
  assert.equal(state.attempts, 1)
  await clock.advance(1)
  assert.equal(state.attempts, 2)
  await clock.advance(600_000)
  const waits = logged.map(({ retryMs }) => retryMs)
  assert.deepEqual(waits.slice(0, 5), [100, 200, 400, 800, 1600])
  assert.deepEqual(waits.slice(-2), [30_000, 30_000])
  assert.ok(
    logged.every(
      ({ event, reason }) => event === 'peer-unreachable' && reason === 'nobody listens',
    ),
  )
  keeper.close()
})

test('a lost session is replaced; one that lived long starts the waits anew', async () => {
  const { clock, keeper, state, logged, end } = scene(async () => {})
  keeper.keep(peer)
  for (let i = 0; i < 3; i += 1) {
    await clock.advance(1000)
    end()
  }
  await clock.advance(1000)
  assert.equal(state.attempts, 4)
  await clock.advance(stableSessionMs)
  end()
  await clock.advance(1000)
  assert.equal(state.attempts, 5)
  assert.deepEqual(
    logged.map(({ event, retryMs }) => [event, retryMs]),
    [100, 200, 400, 100].map((retryMs) => ['peer-lost', retryMs]),
  )
  keeper.close()
})

test('an attempt that hangs is given up', async () => {
  let wasAborted = false
  const { clock, keeper, state, logged } = scene((signal) => {
    signal.addEventListener('abort', () => {
      wasAborted = true
    })
    return new Promise(() => {})
  })
  keeper.keep(peer)
  await clock.advance(connectAttemptMs - 1)
  assert.deepEqual([state.attempts, wasAborted], [1, false])
  await clock.advance(1000)
  assert.deepEqual([state.attempts, wasAborted], [2, true])
  assert.equal(logged[0]?.code, 'BASE_DEADLINE')
  keeper.close()
})

test('a peer is kept once, and after drop no attempt is made', async () => {
  const { clock, keeper, state, watchers } = scene(async () => {})
  keeper.keep(peer)
  keeper.keep(peer)
  await clock.advance(0)
  assert.deepEqual([state.attempts, keeper.agents], [1, [peer]])
  keeper.drop(peer)
  await clock.advance(100_000)
  assert.deepEqual([state.attempts, keeper.agents, watchers.size], [1, [], 0])
})
