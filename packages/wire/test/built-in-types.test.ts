import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, encode } from '@msgpack/msgpack'
import { verifies } from '@myelin/testkit'
import {
  type BuiltInName,
  type BuiltInPayloads,
  builtInMessageTypes,
  builtInTypes,
} from '@myelin/wire'
import fc from 'fast-check'

const body = new Uint8Array([1, 2, 3])

const samples: { readonly [Name in BuiltInName]: readonly BuiltInPayloads[Name][] } = {
  data: [body, new Uint8Array(0)],
  echo: [body],
  ping: [{ nonce: new Uint8Array(8).fill(7) }],
  pong: [{ nonce: new Uint8Array(8).fill(7) }],
  heartbeat: [{ sequence: 0, sentMs: 1_763_640_000_000 }],
  'task-assignment': [
    { taskId: 't1', kind: 'train', round: 3, parameters: {}, body: new Uint8Array(0) },
    {
      taskId: 't1',
      kind: 'train',
      round: 3,
      deadlineMs: 1_763_640_000_000,
      parameters: { rate: 0.01, epochs: 5, optimizer: 'adam', shuffle: true },
      body,
    },
  ],
  'status-update': [
    { state: 'idle' },
    {
      state: 'busy',
      taskId: 't1',
      progress: 0.5,
      metrics: { loss: 0.25, accuracy: 1 },
      detail: 'é',
    },
  ],
  'neural-update': [
    {
      model: 'mnist',
      round: 1,
      kind: 'gradients',
      examples: 600,
      loss: 0.5,
      shapes: [[2, 3], [], [1]],
      data: new Uint8Array(32),
    },
    { model: 'm', round: 0, kind: 'delta', examples: 0, shapes: [], data: new Uint8Array(0) },
  ],
  coordination: [
    { action: 'vote', term: 4, body },
    { action: 'vote', body },
  ],
  discovery: [
    { action: 'query', records: [] },
    { action: 'announce', records: [body, body] },
  ],
}

const names = Object.keys(samples) as BuiltInName[]

test('the types of both documents are there under numbers that never change', () => {
  verifies('R033', 'R137')
  const numbers = names.map((name) => [name, builtInTypes[name].id])
  assert.deepEqual(Object.fromEntries(numbers), {
    data: 1,
    echo: 2,
    ping: 3,
    pong: 4,
    heartbeat: 5,
    'task-assignment': 16,
    'status-update': 17,
    'neural-update': 32,
    coordination: 48,
    discovery: 49,
  })
  const types = builtInMessageTypes()
  assert.deepEqual(types.names.toSorted(), names.toSorted())
  for (const name of names) assert.equal(types.getById(builtInTypes[name].id), types.get(name))
})

test('every payload survives the wire', () => {
  verifies('R033', 'R137')
  const types = builtInMessageTypes()
  for (const name of names) {
    for (const payload of samples[name]) {
      const type = types.get(name)
      assert.ok(type)
      assert.deepEqual(type.decode(type.encode(payload)), { ok: true, value: payload }, name)
    }
  }
})

test('payloads are MessagePack maps with names in snake_case', () => {
  verifies('R033')
  const bytes = builtInTypes['task-assignment'].encode({
    taskId: 't1',
    kind: 'train',
    round: 3,
    deadlineMs: 2 ** 40,
    parameters: { epochs: 5 },
    body,
  })
  assert.deepEqual(decode(bytes), {
    task_id: 't1',
    kind: 'train',
    round: 3,
    deadline_ms: 2 ** 40,
    parameters: { epochs: 5 },
    body,
  })
})

test('bytes within a payload are views on the input', () => {
  verifies('R008')
  const bytes = builtInTypes.coordination.encode({ action: 'vote', body })
  const decoded = builtInTypes.coordination.decode(bytes)
  assert.ok(decoded.ok)
  assert.equal(decoded.value.body.buffer, bytes.buffer)
  assert.equal(builtInTypes.data.encode(body), body)
  assert.deepEqual(builtInTypes.data.decode(body), { ok: true, value: body })
})

const task = { task_id: 't', kind: 'k', round: 0, parameters: {}, body: new Uint8Array(0) }
const neural = { model: 'm', round: 0, kind: 'delta', examples: 1, shapes: [[1]], data: body }

const refused: readonly (readonly [BuiltInName, unknown, string])[] = [
  ['task-assignment', [task], 'payload_not_a_map'],
  ['task-assignment', { ...task, extra: 1 }, 'unknown_field'],
  ['task-assignment', { ...task, taskId: 't' }, 'unknown_field'],
  ['task-assignment', { ...task, task_id: '' }, 'task_id_invalid'],
  ['task-assignment', { ...task, task_id: 'x'.repeat(257) }, 'task_id_invalid'],
  ['task-assignment', { ...task, task_id: 'é'.repeat(129) }, 'task_id_invalid'],
  ['task-assignment', { ...task, round: -1 }, 'round_invalid'],
  ['task-assignment', { ...task, round: 0.5 }, 'round_invalid'],
  ['task-assignment', { ...task, deadline_ms: null }, 'deadline_ms_invalid'],
  ['task-assignment', { ...task, parameters: [] }, 'parameters_invalid'],
  ['task-assignment', { ...task, parameters: { a: null } }, 'parameters_invalid'],
  ['task-assignment', { ...task, parameters: { a: Number.NaN } }, 'parameters_invalid'],
  ['task-assignment', { ...task, parameters: new Date(0) }, 'parameters_invalid'],
  ['task-assignment', { ...task, body: 'text' }, 'body_invalid'],
  ['task-assignment', { kind: 'k', round: 0, parameters: {}, body }, 'task_id_missing'],
  ['status-update', {}, 'state_missing'],
  ['status-update', { state: 'asleep' }, 'state_invalid'],
  ['status-update', { state: 'busy', progress: 1.01 }, 'progress_invalid'],
  ['status-update', { state: 'busy', progress: -0.01 }, 'progress_invalid'],
  ['status-update', { state: 'busy', metrics: { loss: '0' } }, 'metrics_invalid'],
  ['neural-update', neural, 'data_length_invalid'],
  ['neural-update', { ...neural, shapes: [[2 ** 52, 2 ** 52]] }, 'data_length_invalid'],
  ['neural-update', { ...neural, shapes: [[-1]] }, 'shapes_invalid'],
  ['neural-update', { ...neural, shapes: [[1, 1, 1, 1, 1, 1, 1, 1, 1]] }, 'shapes_invalid'],
  ['neural-update', { ...neural, kind: 'noise' }, 'kind_invalid'],
  ['neural-update', { ...neural, loss: Number.POSITIVE_INFINITY }, 'loss_invalid'],
  ['coordination', { action: 'vote' }, 'body_missing'],
  ['coordination', { action: 'vote', term: 2 ** 53, body }, 'term_invalid'],
  ['discovery', { action: 'shout', records: [] }, 'action_invalid'],
  ['discovery', { action: 'query', records: [new Uint8Array(0)] }, 'records_invalid'],
  ['discovery', { action: 'query', records: [new Uint8Array(65_537)] }, 'records_invalid'],
  ['discovery', { action: 'query', records: new Array(65).fill(body) }, 'records_invalid'],
  ['heartbeat', { sequence: 1 }, 'sent_ms_missing'],
  ['ping', { nonce: new Uint8Array(7) }, 'nonce_invalid'],
  ['pong', { nonce: new Uint8Array(9) }, 'nonce_invalid'],
]

test('each bad field is refused by its name', () => {
  verifies('R033', 'R137')
  for (const [name, value, fault] of refused) {
    const decoded = builtInTypes[name].decode(encode(value))
    assert.deepEqual(decoded, { ok: false, fault }, `${name} ${JSON.stringify(value)}`)
  }
})

test('what the receiver would refuse, the sender is told before it sends', () => {
  const invalid = { code: 'WIRE_PAYLOAD_INVALID' }
  assert.throws(() => builtInTypes.ping.encode({ nonce: new Uint8Array(4) }), invalid)
  const update = { model: 'm', round: 0, kind: 'delta', examples: 1, shapes: [[4]] } as const
  const mutable = { ...update, shapes: [[4]], data: new Uint8Array(15) }
  assert.throws(() => builtInTypes['neural-update'].encode(mutable), invalid)
  assert.throws(() => builtInTypes.data.encode('text' as unknown as Uint8Array), invalid)
  const heartbeat = { sequence: 1 } as { sequence: number; sentMs: number }
  assert.throws(() => builtInTypes.heartbeat.encode(heartbeat), /sentMs must be a whole number/)
})

test('any bytes decode to a payload that encodes again, or to a fault', () => {
  verifies('R033')
  const damaged = fc
    .tuple(fc.constantFrom(...names), fc.nat(), fc.nat(255))
    .map(([name, at, byte]) => {
      const payload = samples[name][0] as never
      const bytes = builtInTypes[name].encode(payload).slice()
      if (bytes.length > 0) bytes[at % bytes.length] = byte
      return [name, bytes] as const
    })
  const arbitrary = fc.tuple(fc.constantFrom(...names), fc.uint8Array({ maxLength: 40 }))
  fc.assert(
    fc.property(fc.oneof(damaged, arbitrary), ([name, bytes]) => {
      const decoded = builtInTypes[name].decode(bytes)
      if (decoded.ok) builtInTypes[name].encode(decoded.value as never)
      else assert.match(decoded.fault, /^[a-z0-9_]+$/)
    }),
    { numRuns: 2000 },
  )
})
