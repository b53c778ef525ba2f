// Who may stand in the doorway, and who has to go (R067).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock, verifies } from '@myelin/testkit'
import { addressOf, type Caller, Doorway } from '../src/doorway.ts'
import {
  greetingsOfQuietAddressMax,
  greetingsPerSecondMax,
  greetingsReservedPerSecond,
} from '../src/limits.ts'

verifies('R067')

const from = (host: string, port = 4001) => ({ remoteAddress: `/ip4/${host}/tcp/${port}` })

function doorway({ silentMax = 4, pendingMax = 4 } = {}) {
  const clock = new VirtualClock()
  return { clock, door: new Doorway({ clock, silentMax, pendingMax }) }
}

const isGone = ({ signal }: Caller) => signal.aborted

test('the oldest silent caller of the address that has most makes room for a newcomer', () => {
  const { door } = doorway()
  const honest = door.enter(from('192.0.2.1'))
  const flood = [1, 2, 3].map((port) => door.enter(from('198.51.100.7', port)))
  const newcomer = door.enter(from('192.0.2.2'))
  assert.deepEqual([honest, ...flood, newcomer].map(isGone), [false, true, false, false, false])
  assert.deepEqual(door.counts, { silent: 4, greeted: 0, admitted: 0, evicted: 1, refused: 0 })
})

test('who has greeted makes room before who has proved itself, and hears why', () => {
  const { door } = doorway({ pendingMax: 2 })
  const [proved, greeted, newcomer] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((host) =>
    door.enter(from(host)),
  ) as [Caller, Caller, Caller]
  assert.equal(proved.greet(), undefined)
  proved.admit()
  assert.equal(greeted.greet(), undefined)
  assert.equal(newcomer.greet(), undefined)
  assert.deepEqual([proved, greeted, newcomer].map(isGone), [false, true, false])
  assert.equal((greeted.signal.reason as { code: string }).code, 'SESSION_BUSY')
  // It does not come back by finishing its step.
  greeted.admit()
  assert.equal(door.counts.admitted, 1)
})

test('handshakes of one address come only so fast, and quiet addresses have a share of their own', async () => {
  const { clock, door } = doorway({ silentMax: 10_000, pendingMax: 10_000 })
  const common = greetingsPerSecondMax - greetingsReservedPerSecond
  const loud = Array.from({ length: 1000 }, (_, port) => door.enter(from('198.51.100.7', port)))
  const heard = loud.filter((caller) => caller.greet() === undefined)
  assert.equal(heard.length, common)
  assert.equal(door.counts.refused, 1000 - common)
  const quiet = Array.from({ length: greetingsOfQuietAddressMax + 2 }, (_, port) =>
    door.enter(from('192.0.2.1', port)).greet(),
  )
  assert.equal(quiet.filter((code) => code === undefined).length, greetingsOfQuietAddressMax)
  assert.equal(quiet.at(-1), 'SESSION_BUSY')
  await clock.advance(1_000)
  assert.equal(door.enter(from('198.51.100.7')).greet(), undefined)
})

test('whoever leaves gives the place back, once', () => {
  const { door } = doorway({ silentMax: 1 })
  const first = door.enter(from('192.0.2.1'))
  first.leave()
  first.leave()
  const second = door.enter(from('192.0.2.1'))
  assert.deepEqual([first, second].map(isGone), [false, false])
  assert.equal(door.counts.evicted, 0)
  assert.equal(door.counts.silent, 1)
})

test('closing sends everybody away', () => {
  const { door } = doorway()
  const callers = [door.enter(from('192.0.2.1')), door.enter(from('192.0.2.2'))]
  callers[0]?.greet()
  door.close('over')
  assert.ok(callers.every(isGone))
})

test('one who has a network of IPv6 has one address', () => {
  const one = addressOf('/ip6/2001:db8:1:2:3:4:5:6/tcp/1')
  assert.equal(addressOf('/ip6/2001:db8:1:2::9/tcp/2'), one)
  assert.notEqual(addressOf('/ip6/2001:db8:1:3::9/tcp/2'), one)
  assert.equal(addressOf('/ip6/::ffff:192.0.2.1/tcp/2'), addressOf('/ip6/::ffff:192.0.2.1/tcp/3'))
  assert.notEqual(
    addressOf('/ip6/::ffff:192.0.2.1/tcp/2'),
    addressOf('/ip6/::ffff:192.0.2.2/tcp/2'),
  )
  assert.equal(addressOf('/unix/%2Frun%2Fa.sock'), addressOf('/unix/%2Frun%2Fb.sock'))
})
