import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pinFault, readPins } from '../src/tls-pins.ts'
import { TicketCache, TicketKeeper } from '../src/tls-tickets.ts'

const ticket = (name: string) => ({ session: Buffer.from(name), pin: `pin of ${name}` })
const pin = (byte: number) => Buffer.alloc(32, byte).toString('base64')

test('a ticket is taken once, and the address used longest ago gives way', () => {
  const cache = new TicketCache(2)
  cache.put('a', ticket('a'))
  cache.put('b', ticket('b'))
  cache.put('a', ticket('newer a'))
  cache.put('c', ticket('c'))
  assert.equal(cache.size, 2)
  assert.equal(cache.take('b'), undefined)
  assert.deepEqual(cache.take('a'), ticket('newer a'))
  assert.deepEqual(cache.take('a'), ticket('a'))
  assert.equal(cache.take('a'), undefined)
  assert.equal(cache.size, 1)
})

test('an address keeps its four newest tickets', () => {
  const cache = new TicketCache(1)
  for (const name of ['1', '2', '3', '4', '5', '6']) cache.put('a', ticket(name))
  const taken = [1, 2, 3, 4, 5].map(() => cache.take('a')?.session.toString())
  assert.deepEqual(taken, ['6', '5', '4', '3', undefined])
})

test('a connection leaves no ticket before its peer is known to be right', () => {
  const cache = new TicketCache()
  const keeper = new TicketKeeper(cache, 'a')
  keeper.keep(Buffer.from('early'))
  assert.equal(cache.size, 0)
  keeper.admit(pin(1))
  assert.deepEqual(cache.take('a'), { session: Buffer.from('early'), pin: pin(1) })
  keeper.keep(Buffer.from('late'))
  assert.deepEqual(cache.take('a'), { session: Buffer.from('late'), pin: pin(1) })
})

test('a key that is not among the pins, or that nobody saw, is a fault', () => {
  const pins = readPins([pin(1), pin(2)])
  assert.equal(pinFault(pins, pin(2)), undefined)
  assert.match(pinFault(pins, pin(3)) ?? '', /not among the pins/)
  assert.match(pinFault(pins, undefined) ?? '', /cannot be checked/)
  assert.equal(pinFault(undefined, undefined), undefined)
})
