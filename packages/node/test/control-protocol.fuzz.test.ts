import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  controlMethods,
  parseControlRequest,
  parseControlResponse,
} from '../src/control-protocol.ts'

const asLine = (value: unknown) => new TextEncoder().encode(JSON.stringify(value) ?? '')

test('no line makes the parsers throw', () => {
  const request = fc.record(
    { id: fc.oneof(fc.nat(), fc.anything()), method: method(), params: params() },
    { requiredKeys: [] },
  )
  const line = fc.oneof(fc.uint8Array(), fc.json().map(asText), request.map(asLine))
  fc.assert(
    fc.property(line, (bytes) => {
      const parsed = parseControlRequest(bytes)
      if (!parsed.ok) assert.equal(typeof parsed.fault.problem, 'string')
      parseControlResponse(bytes)
    }),
  )
})

test('what is accepted has a known method and only parameters of it', () => {
  fc.assert(
    fc.property(fc.record({ id: fc.nat(), method: method(), params: params() }), (request) => {
      const parsed = parseControlRequest(asLine(request))
      if (!parsed.ok) return
      assert.ok(controlMethods.includes(parsed.value.method))
      for (const name of Object.keys(parsed.value.params)) assert.ok(names.includes(name), name)
    }),
  )
})

const names = [
  'to',
  'type',
  'payload',
  'isCustom',
  'timeoutMs',
  'roles',
  'lifetimeMs',
  'addresses',
  'token',
  'agent',
  'name',
]

function method() {
  return fc.oneof(fc.constantFrom(...controlMethods), fc.string())
}

function params() {
  const value = fc.oneof(
    fc.string(),
    fc.nat(),
    fc.boolean(),
    fc.array(fc.string()),
    fc.constant(null),
  )
  return fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), value)
}

function asText(json: string): Uint8Array {
  return new TextEncoder().encode(json)
}
