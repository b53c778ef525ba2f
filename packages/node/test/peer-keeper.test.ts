import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLogger } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import { AgentKeys } from '@myelin/identity'
import { PeerKeeper } from '@myelin/node'
import { verifies } from '@myelin/testkit'

verifies('R040')

const peer = AgentKeys.generate(systemRandom).agent

test('a peer is kept once, and dropped once', () => {
  const calls: string[] = []
  const agent = {
    keep: (to: string) => {
      calls.push(`keep ${to}`)
      return { [Symbol.dispose]: () => void calls.push(`drop ${to}`) }
    },
  }
  const keeper = new PeerKeeper({ agent, logger: silentLogger })
  keeper.keep(peer)
  keeper.keep(peer)
  assert.deepEqual([calls, keeper.agents], [[`keep ${peer}`], [peer]])
  keeper.close()
  keeper.drop(peer)
  assert.deepEqual([calls, keeper.agents], [[`keep ${peer}`, `drop ${peer}`], []])
})

test('a peer that cannot be kept does not keep the others from it', () => {
  const agent = {
    keep: () => {
      throw new Error('no address')
    },
  }
  const logged: string[] = []
  const logger = {
    log: (_: unknown, event: string) => void logged.push(event),
    child: () => logger,
  }
  const keeper = new PeerKeeper({ agent, logger })
  keeper.keep(peer)
  assert.deepEqual([keeper.agents, logged], [[], ['peer-unreachable']])
})
