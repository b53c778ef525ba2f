import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BuiltInName, builtInTypes, type MessageType } from '@myelin/wire'
import { builtInNames, encodePayload, payloadLine, showPayload, showValue } from '../src/payload.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const builtIn = { isCustom: false }

test('the payload of data and echo is its bytes, and nothing where none is given', () => {
  assert.deepEqual(encodePayload('data', bytes('hello'), builtIn), bytes('hello'))
  assert.deepEqual(encodePayload('echo', undefined, builtIn), new Uint8Array())
})

test('every built-in type is considered, and its example is right', () => {
  assert.deepEqual([...builtInNames].sort(), Object.keys(builtInTypes).sort())
  for (const name of builtInNames) {
    const example = exampleOf(name)
    if (example === undefined) continue
    const payload = encodePayload(name, bytes(example), builtIn)
    const codec = builtInTypes[name as BuiltInName] as MessageType
    assert.ok(codec.decode(payload).ok, name)
    const shown = showPayload(name, payload)
    assert.deepEqual([shown.encoding, shown.payload], ['json', JSON.parse(example)])
  }
})

/** As the fault of a missing payload tells it; undefined for types that need none. */
function exampleOf(name: string): string | undefined {
  try {
    encodePayload(name, undefined, builtIn)
    return undefined
  } catch (error) {
    return /such as '(.*)'$/.exec((error as Error).message)?.[1]
  }
}

test('bytes within a JSON payload are base64, in either alphabet', () => {
  for (const body of ['+/8=', '-_8']) {
    const written = JSON.stringify({ action: 'a', body })
    const payload = encodePayload('coordination', bytes(written), builtIn)
    const decoded = builtInTypes.coordination.decode(payload)
    assert.deepEqual(decoded.ok && decoded.value.body, Uint8Array.of(0xfb, 0xff))
  }
})

test('a wrong payload is a fault of the command line that shows what would be right', () => {
  const faults: readonly (readonly [string, string | undefined, RegExp])[] = [
    [
      'status-update',
      undefined,
      /^PAYLOAD is missing: status-update takes JSON such as '\{"state"/,
    ],
    ['status-update', 'ready', /^the payload of status-update is no JSON object; write it such as/],
    ['status-update', '[]', /is no JSON object/],
    ['status-update', '{"state":"sleepy"}', /state must be one of idle, ready.*write it such as/],
    [
      'coordination',
      '{"action":"a","body":"*"}',
      /"body" holds bytes: write them in base64; write/,
    ],
    ['discovery', '{"action":"query","records":[1]}', /"records" holds bytes/],
    ['dta', 'x', /^unknown message type "dta"; use --custom/],
    ['toString', 'x', /^unknown message type "toString"/],
  ]
  for (const [type, written, message] of faults) {
    const call = () =>
      encodePayload(type, written === undefined ? undefined : bytes(written), builtIn)
    assert.throws(call, { code: 'CLI_USAGE', message })
  }
})

test('a type of one’s own takes bytes', () => {
  assert.deepEqual(encodePayload('my-type', bytes('x'), { isCustom: true }), bytes('x'))
  assert.deepEqual(showPayload('my-type', bytes('x')), { payload: 'x', encoding: 'text' })
})

test('a ping needs no payload: it makes a nonce of its own', () => {
  const decoded = builtInTypes.ping.decode(encodePayload('ping', undefined, builtIn))
  assert.equal(decoded.ok && decoded.value.nonce.length, 8)
})

test('bytes that are text are shown as text, all others in base64', () => {
  assert.deepEqual(showValue(bytes('zwei\nZeilen ä')), {
    payload: 'zwei\nZeilen ä',
    encoding: 'text',
  })
  assert.deepEqual(showValue(Uint8Array.of(0xff, 0)), { payload: '/wA=', encoding: 'base64' })
  assert.deepEqual(showValue(bytes('\u001b[31m')), { payload: 'G1szMW0=', encoding: 'base64' })
  assert.equal(payloadLine(showValue(Uint8Array.of(0xff))), 'base64:/w==')
})

test('what does not fit its type is shown as the bytes that it is', () => {
  assert.deepEqual(showPayload('ping', bytes('hm')), { payload: 'hm', encoding: 'text' })
})
