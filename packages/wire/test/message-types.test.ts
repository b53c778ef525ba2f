import assert from 'node:assert/strict'
import { test } from 'node:test'
import { err, ok, utf8Decode, utf8Encode } from '@myelin/base'
import { verifies } from '@myelin/testkit'
import {
  builtInMessageTypes,
  checks,
  type MessageType,
  MessageTypes,
  schemaType,
} from '@myelin/wire'

const note: MessageType<string> = {
  name: 'lab-note',
  id: 64,
  encode: utf8Encode,
  decode: (bytes) => {
    const text = utf8Decode(bytes)
    return text === undefined ? err('note_utf8') : ok(text)
  },
}

test('an application registers a type of its own, uses it and removes it', () => {
  verifies('R013')
  const types = builtInMessageTypes()
  assert.equal(types.get('lab-note'), undefined)
  types.register(note)
  const found = types.get('lab-note')
  assert.ok(found)
  assert.equal(types.getById(64), found)
  assert.deepEqual(found.decode(found.encode('pH 7')), { ok: true, value: 'pH 7' })
  assert.deepEqual(found.decode(new Uint8Array([0xff])), { ok: false, fault: 'note_utf8' })
  assert.equal(types.unregister('lab-note'), true)
  assert.equal(types.get('lab-note'), undefined)
  assert.equal(types.getById(64), undefined)
  assert.equal(types.unregister('lab-note'), false)
  types.register(note)
})

test('a name or number that is taken is refused and changes nothing', () => {
  verifies('R013')
  const types = builtInMessageTypes()
  types.register(note)
  const duplicate = { code: 'WIRE_TYPE_DUPLICATE' }
  assert.throws(() => types.register({ ...note, id: 65 }), duplicate)
  assert.throws(() => types.register({ ...note, name: 'other-note' }), duplicate)
  assert.throws(() => types.register({ ...note, name: 'heartbeat', id: 66 }), duplicate)
  assert.equal(types.getById(65), undefined)
  assert.equal(types.get('other-note'), undefined)
})

test('a name is kebab-case and short, a number is of the applications', () => {
  const types = new MessageTypes()
  const invalid = { code: 'WIRE_TYPE_INVALID' }
  for (const name of ['', 'Note', 'a_b', '-a', 'a-', 'a--b', '1a', 'é', 'a b', 'a'.repeat(65)]) {
    assert.throws(() => types.register({ ...note, name }), invalid, name)
  }
  for (const id of [0, 63, -1, 64.5, 65_536, Number.NaN]) {
    assert.throws(() => types.register({ ...note, id }), invalid, `${id}`)
  }
  assert.deepEqual(types.names, [])
  types.register({ ...note, name: 'a'.repeat(64), id: 65_535 })
  types.register({ name: 'a1-2b', encode: note.encode, decode: note.decode })
  assert.equal(types.names.length, 2)
})

test('built-in types cannot be removed and the registry has a bound', () => {
  const types = builtInMessageTypes({ typesMax: 11 })
  assert.throws(() => types.unregister('ping'), { code: 'WIRE_TYPE_INVALID' })
  types.register(note)
  const full = { code: 'WIRE_TYPES_FULL' }
  assert.throws(() => types.register({ ...note, name: 'one-more', id: 65 }), full)
  types.unregister('lab-note')
  types.register({ ...note, name: 'one-more', id: 65 })
})

test('an application makes a type from a schema', () => {
  const bid = schemaType<{ price: number; itemName?: string }>({
    name: 'bid',
    schema: { price: checks.count, itemName: checks.optional(checks.text(8)) },
    relate: ({ price, itemName }) =>
      price === 0 && itemName !== undefined ? 'bid_worthless' : undefined,
  })
  assert.deepEqual(bid.decode(bid.encode({ price: 3 })), { ok: true, value: { price: 3 } })
  const both = { price: 3, itemName: 'GPU hour' }
  assert.deepEqual(bid.decode(bid.encode(both)), { ok: true, value: both })
  const invalid = { code: 'WIRE_PAYLOAD_INVALID' }
  assert.throws(() => bid.encode({ price: -1 }), invalid)
  assert.throws(() => bid.encode({ price: 1, itemName: 'GPU hours' }), invalid)
  assert.throws(() => bid.encode({ price: 0, itemName: 'x' }), invalid)
})
