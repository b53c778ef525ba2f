import assert from 'node:assert/strict'
import { test } from 'node:test'
import { controlTokenBytesMax } from '../src/control-limits.ts'
import { parseControlRequest, parseControlResponse } from '../src/control-protocol.ts'

const bytes = (value: unknown) =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))

/** The id that the fault is about, and its words. */
function faultOf(line: unknown): readonly [number | null, string] {
  const parsed = parseControlRequest(bytes(line))
  assert.ok(!parsed.ok, `accepted: ${JSON.stringify(line)}`)
  return [parsed.fault.id, parsed.fault.problem]
}

test('a request is taken with its parameters, which may be left out where there are none', () => {
  const send = { id: 7, method: 'send', params: { to: 'bob', type: 'data', payload: 'aGk' } }
  assert.deepEqual(parseControlRequest(bytes(send)), { ok: true, value: send })
  const peers = parseControlRequest(bytes({ id: 0, method: 'peers' }))
  assert.deepEqual(peers, { ok: true, value: { id: 0, method: 'peers', params: {} } })
})

test('a line that is no request is a fault without an id', () => {
  const nothing = null
  assert.deepEqual(faultOf('{'), [nothing, 'a line must be JSON'])
  assert.deepEqual(faultOf('[]'), [nothing, 'a line must be a JSON object'])
  assert.deepEqual(faultOf('"x"'), [nothing, 'a line must be a JSON object'])
  const invalid = parseControlRequest(Uint8Array.of(0xff))
  assert.deepEqual(invalid, { ok: false, fault: { id: null, problem: 'a line must be UTF-8' } })
  for (const id of [undefined, null, '1', -1, 1.5, 2 ** 53])
    assert.deepEqual(faultOf({ id, method: 'peers' }), [
      nothing,
      'id must be a whole number from 0 to 2^53-1',
    ])
})

test('an unknown method, member or parameter is a fault that names it', () => {
  assert.match(faultOf({ id: 1, method: 'stop' })[1], /^method must be one of status, peers, /)
  assert.match(faultOf({ id: 1, method: 'toString' })[1], /^method must be one of /)
  assert.deepEqual(faultOf({ id: 1, method: 'peers', jsonrpc: '2.0' }), [
    1,
    '"jsonrpc" is no member of a request',
  ])
  assert.deepEqual(faultOf({ id: 1, method: 'peers', params: [] }), [1, 'params must be an object'])
  const extra = { id: 1, method: 'trust-remove', params: { agent: 'a', force: true } }
  assert.deepEqual(faultOf(extra), [1, 'trust-remove takes no parameter "force"'])
  const own = '{"id":1,"method":"peers","params":{"__proto__":1}}'
  assert.deepEqual(faultOf(own), [1, 'peers takes no parameter "__proto__"'])
})

test('a missing parameter and one out of bounds are faults', () => {
  const send = { to: 'bob', type: 'data', payload: 'aGk' }
  const faults: readonly (readonly [string, object, RegExp])[] = [
    ['send', { ...send, to: undefined }, /^send: to must be text of 1 to 1024 bytes$/],
    ['send', { ...send, to: 'x'.repeat(1025) }, /^send: to must be/],
    ['send', { ...send, payload: 'aGk=' }, /^send: payload must be base64url$/],
    ['send', { ...send, timeoutMs: 0 }, /^send: timeoutMs must be a whole number of ms from 1 to/],
    ['request', { ...send, isCustom: 'yes' }, /^request: isCustom must be a boolean$/],
    ['invite', { roles: 'member' }, /^invite: roles must be a list of at most 16: /],
    ['invite', { roles: Array(17).fill('member') }, /^invite: roles must be a list/],
    ['invite', { lifetimeMs: 31 * 86_400_000 }, /^invite: lifetimeMs must be/],
    ['join', { token: 'x'.repeat(controlTokenBytesMax + 1) }, /^join: token must be text/],
  ]
  for (const [method, params, pattern] of faults)
    assert.match(faultOf({ id: 1, method, params })[1], pattern)
})

test('a response is a result or an error, and anything else is nothing', () => {
  assert.deepEqual(parseControlResponse(bytes({ id: 1, result: { a: 1 } })), {
    id: 1,
    result: { a: 1 },
  })
  const error = { code: 'X', message: 'y', kind: 'usage' }
  assert.deepEqual(parseControlResponse(bytes({ id: null, error })), { id: null, error })
  const odd = parseControlResponse(bytes({ id: 1, error: { ...error, kind: 'other' } }))
  assert.deepEqual(odd, { id: 1, error: { ...error, kind: 'protocol' } })
  for (const line of ['', '[]', '{}', '{"id":"1","result":1}', '{"id":1,"error":"no"}'])
    assert.equal(parseControlResponse(bytes(line)), undefined, line)
})
