import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemRandom } from '@myelin/base/system'
import { Keeper, type PeerEvent } from '@myelin/fabric'
import { AgentKeys } from '@myelin/identity'
import { VirtualClock, verifies } from '@myelin/testkit'
import { connectAttemptMs, stableSessionMs } from '../src/limits.ts'

verifies('R087')

const peer = AgentKeys.generate(systemRandom).agent
/** The largest word: each wait is its bound, 100 ms · 2^(attempt-1), but for a rounding. */
const random = { fill: <Target extends Uint8Array>(target: Target) => target.fill(0xff) as Target }

type Connect = (signal: AbortSignal) => Promise<void>
type Reconnecting = Extract<PeerEvent, { kind: 'reconnecting' }>

/** A keeper whose attempts end as the test says. */
function scene(connect: Connect) {
  const clock = new VirtualClock()
  const told: Reconnecting[] = []
  const state = { attempts: 0, isOpen: false, givenUp: 0 }
  const keeper = new Keeper({
    connect: async (_peer, signal) => {
      state.attempts += 1
      await connect(signal)
      state.isOpen = true
    },
    isOpen: () => state.isOpen,
    clock,
    random,
    tell: (event) => {
      if (event.kind === 'reconnecting') told.push(event)
      else if (event.kind === 'given-up') state.givenUp += 1
    },
  })
  const end = () => {
    state.isOpen = false
    keeper.ended(peer, 'SESSION_LOST', 'gone')
  }
  return { clock, keeper, state, told, end }
}

const refused = async () => {
  throw new Error('nobody listens')
}

test('an unreachable peer is tried again and again, in waits that grow to 30 s', async () => {
  const { clock, keeper, state, told } = scene(refused)
  keeper.keep(peer)
  await clock.advance(0)
  assert.equal(state.attempts, 1)
  await clock.advance(99)
  assert.equal(state.attempts, 1)
  await clock.advance(1)
  assert.equal(state.attempts, 2)
  await clock.advance(600_000)
  const waits = told.map(({ retryMs }) => retryMs)
  assert.deepEqual(waits.slice(0, 5), [100, 200, 400, 800, 1600])
  assert.deepEqual(waits.slice(-2), [30_000, 30_000])
  for (const { wasConnected, reason, code } of told)
    assert.deepEqual([wasConnected, code, reason], [false, 'UNKNOWN', 'nobody listens'])
  keeper.close()
})

test('a lost session is replaced; one that lived long starts the waits anew', async () => {
  const { clock, keeper, state, told, end } = scene(async () => {})
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
    told.map(({ code, retryMs, wasConnected }) => [code, retryMs, wasConnected]),
    [100, 200, 400, 100].map((retryMs) => ['SESSION_LOST', retryMs, true]),
  )
  keeper.close()
})

test('an attempt that hangs is given up', async () => {
  let wasAborted = false
  const { clock, keeper, state, told } = scene((signal) => {
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
  assert.equal(told[0]?.code, 'BASE_DEADLINE')
  keeper.close()
})

test('a peer that two hold is called once, and left alone when both have let go', async () => {
  const { clock, keeper, state, end } = scene(async () => {})
  const options = {}
  const [one, other] = [keeper.keep(peer, options), keeper.keep(peer, options)]
  await clock.advance(0)
  assert.deepEqual([state.attempts, keeper.agents], [1, [peer]])
  one[Symbol.dispose]()
  one[Symbol.dispose]()
  end()
  await clock.advance(1000)
  assert.equal(state.attempts, 2)
  other[Symbol.dispose]()
  end()
  await clock.advance(100_000)
  assert.deepEqual([state.attempts, keeper.agents, clock.timersPending], [2, [], 0])
})

test('with attemptsMax the peer is given up, with one word, unless somebody is more patient', async () => {
  const { clock, keeper, state } = scene(refused)
  keeper.keep(peer, { attemptsMax: 3 })
  await clock.advance(600_000)
  assert.deepEqual([state.attempts, state.givenUp, keeper.isKept(peer)], [3, 1, false])
  keeper.keep(peer, { attemptsMax: 1 })
  keeper.keep(peer, { attemptsMax: 2 })
  await clock.advance(600_000)
  assert.deepEqual([state.attempts, state.givenUp, keeper.isKept(peer)], [5, 2, false])
})
