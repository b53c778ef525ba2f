// What strangers and peers may feed to datagrams: any bytes as control message or content, any order of events for
// the addresses of a peer. Nothing throws, nothing grows, and no unproved address gets more than three times its bytes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TokenBucket } from '@myelin/guard'
import { SeededRandom, verifies } from '@myelin/testkit'
import fc from 'fast-check'
import {
  type DatagramControl,
  decodeControl,
  encodeControl,
} from '../src/datagrams/control-codec.ts'
import { addressFrames, messagesFrame, readChannelContent } from '../src/datagrams/frames.ts'
import { pathsMax } from '../src/datagrams/limits.ts'
import { Paths } from '../src/datagrams/paths.ts'
import { isGroupAddress, toldRoutes } from '../src/datagrams/told-routes.ts'

verifies('R016')

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const type = fc.constantFrom('data', 'status-update', 'a-b-c')
const terms = {
  channel: bytes(8),
  salt: bytes(16),
  bytesMax: fc.integer({ min: 256, max: 65_507 }),
  addresses: fc.array(fc.constantFrom('/ip4/192.0.2.1/udp/1', '/ip6/::1/udp/2', 'é'), {
    maxLength: 4,
  }),
}
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const control: fc.Arbitrary<DatagramControl> = fc.oneof(
  fc.record({ kind: fc.constant('open' as const), type, ...terms }),
  fc.record({ kind: fc.constant('accept' as const), ...terms }),
  fc.record({ kind: fc.constant('close' as const), channel: bytes(8) }),
  fc.record({ kind: fc.constant('join' as const), name: type, isListener: fc.boolean() }),
  fc.record({
    kind: fc.constant('welcome' as const),
    group: bytes(8),
    generation: u32,
    sender: fc.option(fc.integer({ min: 0, max: 0xffff_fffe }), { nil: undefined }),
    suite: fc.constantFrom('chacha20-poly1305' as const, 'aes-256-gcm' as const),
    secret: bytes(32),
    bytesMax: terms.bytesMax,
    type,
    address: fc.constant('/ip4/239.1.1.1/udp/5'),
  }),
  fc.record({
    kind: fc.constant('rekey' as const),
    group: bytes(8),
    generation: u32,
    secret: bytes(32),
    graceMs: fc.integer({ min: 0, max: 5_000 }),
  }),
  fc.record({ kind: fc.constant('leave' as const), group: bytes(8) }),
)

test('a control message survives the wire; cut short, longer or changed it is read or refused', () => {
  fc.assert(
    fc.property(control, fc.nat(), fc.nat(255), (message, at, value) => {
      const encoded = encodeControl(message)
      assert.deepEqual(decodeControl(encoded), { ok: true, value: { ...message } })
      assert.equal(decodeControl(encoded.subarray(0, at % encoded.length)).ok, false)
      assert.equal(decodeControl(Uint8Array.of(...encoded, 0)).ok, false)
      const changed = encoded.slice()
      changed[at % encoded.length] = value
      const read = decodeControl(changed)
      if (read.ok) assert.deepEqual(encodeControl(read.value), changed)
    }),
  )
})

test('no bytes make a decoder throw', () => {
  const kind = fc.integer({ min: 0, max: 9 })
  fc.assert(
    fc.property(kind, fc.uint8Array({ maxLength: 90 }), (first, rest) => {
      const any = Uint8Array.of(first, ...rest)
      decodeControl(any)
      const content = readChannelContent(any)
      if (!content.ok) return
      const { answer, challenge, messages } = content.value
      assert.ok(answer === undefined || answer.length === 8)
      assert.ok(challenge === undefined || challenge.length === 8)
      assert.ok((messages ?? []).every((message) => message.length < any.length))
    }),
    { numRuns: 3_000 },
  )
})

test('the frames of a channel are read as they were written', () => {
  fc.assert(
    fc.property(bytes(8), bytes(8), fc.boolean(), (answer, challenge, hasMessages) => {
      const messages = hasMessages ? messagesFrame(Uint8Array.of(1, 7, 0)) : new Uint8Array(0)
      const frames = Uint8Array.of(...addressFrames({ answer, challenge }), ...messages)
      const list = [Uint8Array.of(7), new Uint8Array(0)]
      const value = { answer, challenge, messages: hasMessages ? list : undefined }
      assert.deepEqual(readChannelContent(frames), { ok: true, value })
    }),
  )
})

const address = fc.integer({ min: 0, max: pathsMax + 1 }).map((i) => `/ip4/198.51.100.${i}/udp/1`)
const step = fc.record({
  what: fc.constantFrom('heard', 'newest', 'challenge', 'answer', 'prove', 'forge'),
  address,
  bytes: fc.integer({ min: 36, max: 1_200 }),
  waitMs: fc.constantFrom(...Array<number>(30).fill(5), 50, 1_000, 61_000),
})

test('whatever happens, an unproved address costs at most three times its bytes, and a channel knows few', () => {
  let moves = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 100, maxLength: 400 }), (steps) => {
      let nowMs = 0
      const plenty = new TokenBucket({ perSecond: 1e9, burst: 1e9 }, 0)
      const paths = new Paths({ random: new SeededRandom(1n), nowMs, sharedRate: plenty })
      const [came, went, told] = [
        new Map<string, number>(),
        new Map<string, number>(),
        new Map<string, number>(),
      ]
      const tokens = new Map<string, Uint8Array>()
      const proved = new Set<string>()
      // As a channel does: the peer names its addresses once, before anything comes from them.
      for (const { address: at } of steps.slice(0, 3)) {
        paths.tell({ socket: 0, address: at }, nowMs)
        told.set(at, 0)
      }
      const add = (map: Map<string, number>, to: string, n: number) =>
        map.set(to, (map.get(to) ?? 0) + n)
      for (const { what, address: at, bytes: size, waitMs } of steps) {
        nowMs += waitMs
        const route = { socket: 0, address: at }
        if (what === 'heard' || what === 'newest') {
          add(came, at, size)
          paths.heard(route, size, what === 'newest', nowMs)
        } else if (what === 'challenge') {
          const token = paths.challenge(route, 44, nowMs)
          if (token === undefined) continue
          if ((came.get(at) ?? 0) === 0) add(told, at, 1)
          else add(went, at, 44)
          tokens.set(at, token)
        } else if (what === 'answer') {
          if (paths.mayAnswer(route, 44)) add(went, at, 44)
        } else if (what === 'prove') {
          const token = tokens.get(at)
          if (token === undefined) continue
          paths.answered(token, nowMs)
          proved.add(at)
        } else paths.answered(new Uint8Array(8), nowMs)
        assert.ok(paths.size <= pathsMax)
        const { current } = paths
        if (current !== undefined) assert.ok(proved.has(current.address), 'only what was proved')
      }
      moves += paths.migrations
      for (const [to, out] of went)
        if (!proved.has(to)) assert.ok(out <= 3 * (came.get(to) ?? 0), `${out} bytes to ${to}`)
    }),
    { numRuns: 200 },
  )
  assert.ok(moves > 50, `${moves} moves`)
})

test('addresses that somebody names are those of one machine, or of a group where a group is meant', () => {
  const local = ['/ip4/0.0.0.0/udp/1', '/ip6/::/udp/1']
  const told = (given: string, session = '/ip4/192.0.2.9/tcp/5') =>
    toldRoutes([given], session, local).map((route) => `${route.socket} ${route.address}`)
  assert.deepEqual(told('/ip4/192.0.2.1/udp/7'), ['0 /ip4/192.0.2.1/udp/7'])
  assert.deepEqual(told('/ip6/2001:db8::1/udp/7'), ['1 /ip6/2001:db8::1/udp/7'])
  assert.deepEqual(told('/ip4/0.0.0.0/udp/7'), ['0 /ip4/192.0.2.9/udp/7'])
  assert.deepEqual(told('/ip4/0.0.0.0/udp/7', '/unix/%2Ftmp%2Fx'), ['0 /ip4/127.0.0.1/udp/7'])
  for (const refused of [
    '/ip4/224.0.0.251/udp/5353',
    '/ip4/239.0.0.1/udp/7',
    '/ip6/ff02::1/udp/7',
    '/ip4/255.255.255.255/udp/7',
    '/ip4/192.0.2.1/udp/0',
    '/ip4/192.0.2.1/udp/99999',
    '/ip6/::/udp/7',
    '/dns4/example.org/udp/7',
    '/memory/x',
    '',
  ])
    assert.deepEqual(told(refused), [], refused)
  assert.deepEqual(toldRoutes(Array(9).fill('/ip4/192.0.2.1/udp/7'), '', local).length, 4)

  assert.ok(isGroupAddress('/ip4/239.1.2.3/udp/4001') && isGroupAddress('/ip6/ff15::1/udp/4001'))
  for (const refused of [
    '/ip4/192.0.2.1/udp/7',
    '/ip4/224.0.0.251/udp/5353',
    '/ip6/ff02::1/udp/7',
    '/ip4/x/udp/7',
  ])
    assert.equal(isGroupAddress(refused), false, refused)
})
