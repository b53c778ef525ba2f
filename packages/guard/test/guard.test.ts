import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogFields, Logger } from '@myelin/base'
import { allows, checkPolicy, Guard, type Policy, SecurityLog, TokenBucket } from '@myelin/guard'
import type { AgentId } from '@myelin/identity'
import { VirtualClock, verifies } from '@myelin/testkit'
import fc from 'fast-check'

const agent = '12D3KooWexample' as AgentId
const policy: Policy = {
  reader: { sends: ['echo'], receives: ['status-*'] },
  nobody: { sends: [], receives: [] },
}

function recordingLogger(lines: [string, string, LogFields][]): Logger {
  const logger: Logger = {
    log: (level, event, fields = {}) => void lines.push([level, event, fields]),
    child: () => logger,
  }
  return logger
}

test('permissions are by role and type, and nothing passes by default', () => {
  verifies('R071', 'R072')
  assert.equal(allows(policy, ['reader'], 'sends', 'echo'), true)
  assert.equal(allows(policy, ['reader'], 'sends', 'echoes'), false)
  assert.equal(allows(policy, ['reader'], 'receives', 'status-update'), true)
  assert.equal(allows(policy, ['reader'], 'receives', 'echo'), false)
  assert.equal(allows(policy, ['nobody'], 'sends', 'echo'), false)
  assert.equal(allows(policy, [], 'sends', 'echo'), false)
  assert.equal(allows(policy, ['constructor', '__proto__', 'unknown'], 'sends', 'echo'), false)
  assert.equal(allows(policy, ['nobody', 'reader'], 'sends', 'echo'), true)
})

test('a malformed pattern is refused with the mend', () => {
  const bad = { r: { sends: ['Echo!'], receives: [] } }
  assert.throws(() => checkPolicy(bad), { code: 'GUARD_POLICY', message: /write a type name/ })
})

test('a gate refuses by type, then by rate, and counts each refusal', () => {
  verifies('R076')
  const clock = new VirtualClock()
  const lines: [string, string, LogFields][] = []
  const log = new SecurityLog(clock, recordingLogger(lines))
  const guard = new Guard({ clock, log, policy, rates: { messagesPerSecond: 1, messagesBurst: 2 } })
  const gate = guard.gate(agent, ['reader'])
  assert.equal(gate.incoming('neural-update', 10), 'forbidden')
  assert.deepEqual(
    [gate.incoming('echo', 1), gate.incoming('echo', 1), gate.incoming('echo', 1)],
    ['allowed', 'allowed', 'rate-limited'],
  )
  assert.equal(gate.outgoing('echo'), 'forbidden')
  assert.deepEqual(log.counts, { 'message-forbidden': 1, 'rate-limited': 1, 'send-forbidden': 1 })
  assert.deepEqual(lines[0], [
    'warn',
    'security',
    { kind: 'message-forbidden', severity: 'warning', agent, detail: 'neural-update' },
  ])
})

test('a new session does not fill the bucket again', async () => {
  const clock = new VirtualClock()
  const guard = new Guard({
    clock,
    log: new SecurityLog(clock, recordingLogger([])),
    policy,
    rates: { bytesPerSecond: 10, bytesBurst: 100 },
  })
  assert.equal(guard.gate(agent, ['reader']).incoming('echo', 100), 'allowed')
  assert.equal(guard.gate(agent, ['reader']).incoming('echo', 50), 'rate-limited')
  await clock.advance(5000)
  assert.equal(guard.gate(agent, ['reader']).incoming('echo', 50), 'allowed')
})

test('a peer that repeats itself fills counters, not the log', () => {
  const clock = new VirtualClock()
  const lines: [string, string, LogFields][] = []
  const log = new SecurityLog(clock, recordingLogger(lines))
  for (let i = 0; i < 1000; i += 1)
    log.record({ kind: 'message-forbidden', severity: 'warning', agent })
  assert.equal(log.counts['message-forbidden'], 1000)
  assert.equal(lines.length, 5)
  assert.equal(log.recent().length, 256)
  assert.equal(log.recent().length, 256)
})

test('a bucket never gives more than its burst and its rate allow, whatever the clock does', () => {
  const steps = fc.array(
    fc.tuple(fc.integer({ min: -50, max: 500 }), fc.integer({ min: 1, max: 20 })),
    { maxLength: 200 },
  )
  fc.assert(
    fc.property(steps, (list) => {
      const bucket = new TokenBucket({ perSecond: 100, burst: 50 }, 0)
      let [nowMs, latestMs, taken] = [0, 0, 0]
      for (const [passMs, tokens] of list) {
        nowMs += passMs
        latestMs = Math.max(latestMs, nowMs)
        if (bucket.take(tokens, nowMs)) taken += tokens
        assert.ok(taken <= 50 + latestMs / 10 + 1e-6)
      }
    }),
  )
})

test('the wait for tokens is long enough and no longer', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, 0)
  assert.equal(bucket.take(5, 0), true)
  assert.equal(bucket.waitMs(1, 0), 100)
  assert.equal(bucket.take(1, 99), false)
  assert.equal(bucket.take(1, 100), true)
  assert.equal(bucket.waitMs(6, 100), Number.POSITIVE_INFINITY)
})
