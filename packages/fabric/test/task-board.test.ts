import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TaskBoard } from '@myelin/fabric'
import type { AgentId } from '@myelin/identity'
import { verifies } from '@myelin/testkit'
import type { TaskAssignment } from '@myelin/wire'
import fc from 'fast-check'

verifies('R078')

const [anna, bert, carl] = ['anna', 'bert', 'carl'] as unknown as [AgentId, AgentId, AgentId]
const task = (taskId: string, deadlineMs?: number): TaskAssignment => ({
  taskId,
  kind: 'train',
  round: 0,
  ...(deadlineMs === undefined ? {} : { deadlineMs }),
  parameters: {},
  body: new Uint8Array(0),
})

test('tasks are handed out in order, one per worker, and done once reported', () => {
  const board = new TaskBoard()
  board.add(task('a'))
  board.add(task('b'))
  assert.equal(board.assign(anna, 0)?.taskId, 'a')
  assert.equal(board.assign(bert, 0)?.taskId, 'b')
  assert.equal(board.assign(carl, 0), undefined)
  assert.equal(board.report(anna, 'a'), 'accepted')
  assert.equal(board.isSettled, false)
  assert.equal(board.report(bert, 'b'), 'accepted')
  assert.equal(board.isSettled, true)
})

test('a worker that asks again gets the same task again', () => {
  const board = new TaskBoard()
  board.add(task('a'))
  board.add(task('b'))
  assert.equal(board.assign(anna, 0)?.taskId, 'a')
  assert.equal(board.assign(anna, 0)?.taskId, 'a')
  assert.deepEqual(board.counts, { pending: 1, assigned: 1, done: 0, failed: 0 })
})

test('the task of a lost worker goes to another, and the first report wins', () => {
  const board = new TaskBoard()
  board.add(task('a'))
  board.assign(anna, 0)
  assert.deepEqual(board.workerLost(anna), ['a'])
  assert.equal(board.assign(bert, 0)?.taskId, 'a')
  assert.equal(board.report(anna, 'a'), 'accepted')
  assert.equal(board.report(bert, 'a'), 'duplicate')
  assert.equal(board.reassigned, 1)
})

test('a task past its deadline goes to another', () => {
  const board = new TaskBoard()
  board.add(task('a', 100))
  board.assign(anna, 50)
  assert.equal(board.nextDeadlineMs, 150)
  assert.deepEqual(board.expire(149), [])
  assert.deepEqual(board.expire(150), ['a'])
  assert.equal(board.assign(bert, 150)?.taskId, 'a')
})

test('only workers that had a task can report it, and only its holder can spoil it', () => {
  const board = new TaskBoard()
  board.add(task('a'))
  assert.equal(board.report(anna, 'a'), 'not-assigned')
  board.assign(anna, 0)
  assert.equal(board.report(bert, 'a'), 'not-assigned')
  assert.equal(board.report(anna, 'zzz'), 'not-assigned')
  board.reject(bert, 'a')
  assert.equal(board.counts.assigned, 1)
  board.reject(anna, 'a')
  assert.equal(board.counts.pending, 1)
})

test('a task that everyone fails is given up, not handed out for ever', () => {
  const board = new TaskBoard({ attemptsMax: 3 })
  board.add(task('a'))
  for (let i = 0; i < 3; i += 1) {
    board.assign(anna, 0)
    board.reject(anna, 'a')
  }
  assert.deepEqual(board.counts, { pending: 0, assigned: 0, done: 0, failed: 1 })
  assert.equal(board.isSettled, true)
})

test('whatever happens, no task is done twice, lost, or held by two workers', () => {
  const workers = [anna, bert, carl]
  const step = fc.tuple(
    fc.constantFrom('assign', 'report', 'lost', 'reject', 'expire'),
    fc.nat(2),
    fc.nat(3),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const board = new TaskBoard({ attemptsMax: 1000 })
      const ids = ['a', 'b', 'c', 'd']
      for (const id of ids) board.add(task(id, 10))
      const accepted: string[] = []
      const held = new Map<AgentId, string>()
      let nowMs = 0
      for (const [action, w, t] of steps) {
        const [worker, id] = [workers[w] as AgentId, ids[t] as string]
        nowMs += 3
        if (action === 'assign') {
          const given = board.assign(worker, nowMs)
          if (given !== undefined) held.set(worker, given.taskId)
        } else if (action === 'report') {
          if (board.report(worker, id) === 'accepted') accepted.push(id)
        } else if (action === 'lost') board.workerLost(worker)
        else if (action === 'reject') board.reject(worker, id)
        else board.expire(nowMs)
        const { pending, assigned, done, failed } = board.counts
        assert.equal(pending + assigned + done + failed, 4)
        assert.ok(assigned <= 3)
      }
      assert.equal(new Set(accepted).size, accepted.length)
      assert.equal(board.counts.done, accepted.length)
    }),
  )
})
