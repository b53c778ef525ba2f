// The pure parts of a session, each by itself: credit, outbox, reassembly, type names, negotiation.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock, verifies } from '@myelin/testkit'
import { builtInTypes, messageFlags } from '@myelin/wire'
import fc from 'fast-check'
import { ReceiveCredit, SendCredit } from '../src/credit.ts'
import { closeCodes, codeOfNumber, explanations, type SessionErrorCode } from '../src/errors.ts'
import * as limits from '../src/limits.ts'
import {
  type Abilities,
  chooseFrom,
  defaultAbilities,
  handshakePatterns,
  isOffered,
  offerOf,
  patternOfNumber,
  protocolVersions,
} from '../src/negotiation.ts'
import { Outbox, priorityNumbers, type QueuedMessage } from '../src/outbox.ts'
import { Reassembly } from '../src/reassembly.ts'
import { TypeNames } from '../src/type-names.ts'
import { AdaptiveWindow, RoundTrips } from '../src/window.ts'

const { more, response } = messageFlags

test('credit is a limit on all that was ever sent, and only rises', () => {
  verifies('R023')
  const credit = new SendCredit()
  assert.equal(credit.available, 0)
  credit.raise(100)
  credit.use(70)
  credit.raise(50)
  assert.equal(credit.available, 30)
  credit.raise(200)
  assert.equal(credit.available, 130)
})

test('a sender that keeps to announced limits is never refused, and a window is never exceeded', () => {
  verifies('R023')
  const steps = fc.array(fc.record({ send: fc.nat(2_000), take: fc.nat(2_000) }), {
    maxLength: 200,
  })
  fc.assert(
    fc.property(
      fc.integer({ min: 16, max: 4_096 }),
      steps,
      fc.boolean(),
      (start, schedule, grows) => {
        const window = windowOf(start, 4 * start, grows)
        const [sender, receiver] = [new SendCredit(), new ReceiveCredit(window)]
        sender.raise(start)
        let held = 0
        for (const { send, take } of schedule) {
          const bytes = Math.min(send, sender.available)
          sender.use(bytes)
          assert.ok(receiver.receive(bytes))
          held += bytes
          assert.equal(receiver.heldBytes, held)
          assert.ok(held <= window.bytes)
          assert.ok(window.bytes <= (grows ? 4 : 1) * start)
          const taken = Math.min(take, held)
          held -= taken
          sender.raise(receiver.release(taken))
        }
        // Once all is taken the sender can go on: no deadlock, whatever the order.
        sender.raise(receiver.release(held))
        assert.ok(sender.available > 0)
        assert.equal(receiver.receive(sender.available + 1), false)
      },
    ),
  )
})

test('a window that was widened for a message narrows again', () => {
  const credit = new ReceiveCredit(windowOf(1_000, 1_000, false))
  assert.ok(credit.receive(900))
  assert.equal(credit.extend(900), 1_900)
  assert.ok(credit.receive(900))
  assert.equal(credit.extend(-900), 0)
  assert.equal(credit.release(0), 0)
  assert.equal(credit.receive(101), false)
})

/** Grows at each grant, or never. */
function windowOf(bytes: number, bytesMax: number, grows: boolean): AdaptiveWindow {
  let nowMs = 0
  const clock = new VirtualClock()
  clock.monotonicMs = () => {
    nowMs += 5
    return nowMs
  }
  const trips = new RoundTrips(clock, 1_000_000)
  if (grows) trips.add(5)
  return new AdaptiveWindow(trips, bytes, bytesMax)
}

function queued(flags: number, length: number): QueuedMessage {
  return { flags, typeId: 1, id: 0, timestamp: 0, payload: new Uint8Array(length), offset: 0 }
}

const flagsOf = (priority: keyof typeof priorityNumbers) =>
  priorityNumbers[priority] << messageFlags.priorityShift

test('the outbox gives out by priority, and in order within one', () => {
  const outbox = new Outbox()
  const order = ['low', 'normal', 'critical', 'normal', 'high', 'low', 'critical'] as const
  const messages = order.map((priority, i) => ({ ...queued(flagsOf(priority), 1), id: i }))
  for (const message of messages) assert.ok(outbox.push(message, (message.flags >> 4) & 3))
  const left: number[] = []
  for (let next = outbox.peek(false); next !== undefined; next = outbox.peek(false)) {
    left.push(next.id)
    outbox.advance(next, 1)
  }
  assert.deepEqual(left, [2, 6, 4, 1, 3, 0, 5])
  assert.ok(outbox.isEmpty)
  assert.equal(outbox.bytes, 0)
})

test('the outbox gives out urgent messages alone when asked, and a half sent one stays', () => {
  const outbox = new Outbox()
  const bulk = queued(flagsOf('normal'), 100)
  outbox.push(bulk, 0)
  assert.equal(outbox.peek(true), undefined)
  outbox.advance(bulk, 60)
  const urgent = queued(flagsOf('critical'), 1)
  outbox.push(urgent, 3)
  assert.equal(outbox.peek(true), urgent)
  outbox.advance(urgent, 1)
  assert.equal(outbox.peek(false), bulk)
  assert.equal(bulk.offset, 60)
  outbox.advance(bulk, 40)
  assert.ok(outbox.isEmpty)
})

test('the outbox is full by bytes, and a flood of empty messages fills it too', () => {
  verifies('R023')
  const byBytes = new Outbox()
  let accepted = 0
  while (byBytes.push(queued(0, 1_000_000), 0)) accepted += 1
  assert.equal(accepted, Math.floor(limits.sendQueueBytesMax / 1_000_064))
  const byCount = new Outbox()
  const empty = queued(0, 0)
  accepted = 0
  while (byCount.push(empty, 0)) accepted += 1
  assert.ok(accepted <= 1_000_000)
  byCount.clear()
  assert.equal(byCount.bytes, 0)
  assert.ok(byCount.push(empty, 0))
})

test('a message larger than the whole queue passes when the queue is empty', () => {
  const outbox = new Outbox()
  assert.ok(outbox.push(queued(0, limits.sendQueueBytesMax + 1), 0))
  assert.equal(outbox.push(queued(0, 0), 0), false)
})

const first = (id: number, flags: number, payload: Uint8Array) => ({
  flags,
  typeId: 7,
  id,
  timestamp: 9,
  payload,
})

test('parts are joined in order, whatever their sizes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: 2, maxLength: 20 }),
      (parts) => {
        const reassembly = new Reassembly(2_000)
        assert.equal(reassembly.start(first(1, more, parts[0] as Uint8Array), 1), undefined)
        for (const part of parts.slice(1, -1))
          assert.equal(reassembly.add(more, 1, part, 1), undefined)
        const whole = reassembly.add(0, 1, parts.at(-1) as Uint8Array, 1)
        assert.ok(typeof whole === 'object')
        assert.deepEqual(Buffer.from(whole.payload), Buffer.concat(parts))
        assert.deepEqual(
          [whole.flags, whole.typeId, whole.timestamp, whole.costBytes],
          [0, 7, 9, parts.length],
        )
        assert.equal(reassembly.bytes, 0)
      },
    ),
  )
})

test('a request and a response of one number are two messages', () => {
  const reassembly = new Reassembly(100)
  assert.equal(reassembly.start(first(1, more, Uint8Array.of(1)), 1), undefined)
  assert.equal(reassembly.start(first(1, more | response, Uint8Array.of(2)), 1), undefined)
  const one = reassembly.add(response, 1, Uint8Array.of(3), 1)
  assert.deepEqual(typeof one === 'object' && [...one.payload], [2, 3])
  assert.equal(reassembly.bytes, 1)
})

test('reassembly refuses what no correct sender sends', () => {
  const reassembly = new Reassembly(100)
  assert.equal(reassembly.add(0, 5, Uint8Array.of(1), 1), 'unknown_message')
  assert.equal(reassembly.start(first(1, more, new Uint8Array(60)), 1), undefined)
  assert.equal(reassembly.start(first(1, more, new Uint8Array(1)), 1), 'repeated_message')
  assert.equal(reassembly.add(more, 1, new Uint8Array(41), 1), 'too_large')
})

test('reassembly is bounded in messages, in bytes and in parts', () => {
  verifies('R023')
  const messages = new Reassembly(100)
  for (let id = 0; id < limits.reassembliesMax; id += 1) {
    assert.equal(messages.start(first(id, more, new Uint8Array(0)), 1), undefined)
  }
  assert.equal(messages.start(first(999, more, new Uint8Array(0)), 1), 'too_many')
  const bytes = new Reassembly(100)
  for (let id = 0; id < 4; id += 1)
    assert.equal(bytes.start(first(id, more, new Uint8Array(100)), 1), undefined)
  assert.equal(bytes.start(first(4, more, new Uint8Array(1)), 1), 'too_many')
  const parts = new Reassembly(100)
  assert.equal(parts.start(first(1, more, new Uint8Array(0)), 1), undefined)
  let fault: unknown
  let count = 1
  for (; fault === undefined && count < 1_000_000; count += 1)
    fault = parts.add(more, 1, new Uint8Array(0), 1)
  assert.equal(fault, 'too_many')
  assert.equal(count - 1, limits.reassemblyPartsMax)
  parts.clear()
  assert.equal(parts.start(first(2, more, new Uint8Array(0)), 1), undefined)
})

test('one message of full size for each priority fits into reassembly', () => {
  const reassembly = new Reassembly(limits.messageBytesMax)
  const part = new Uint8Array(limits.messageBytesMax / 4)
  for (let id = 0; id < 4; id += 1) reassembly.start(first(id, more, part), 1)
  for (let round = 0; round < 2; round += 1) {
    for (let id = 0; id < 4; id += 1) assert.equal(reassembly.add(more, id, part, 1), undefined)
  }
  for (let id = 0; id < 4; id += 1) assert.equal(typeof reassembly.add(0, id, part, 1), 'object')
})

test('a short part does not keep the record alive that it came in', () => {
  const reassembly = new Reassembly(100_000)
  const record = new Uint8Array(64 * 1024).fill(1)
  reassembly.start(first(1, more, record.subarray(10, 20)), 1)
  reassembly.start(first(2, more, record.subarray(0, 40_000)), 1)
  record.fill(2)
  const [short, long] = [
    reassembly.add(0, 1, new Uint8Array(0), 1),
    reassembly.add(0, 2, new Uint8Array(0), 1),
  ]
  assert.ok(typeof short === 'object' && typeof long === 'object')
  assert.equal(short.payload[0], 1, 'a copy')
  assert.equal(long.payload[0], 2, 'a view until the message is whole')
})

const builtIn = new Map(Object.values(builtInTypes).map(({ name, id }) => [name, id]))

test('type names have fixed numbers or are announced once, in bounded number', () => {
  const types = new TypeNames(builtIn)
  assert.equal(types.numberOf('data'), 1)
  assert.equal(types.numberOf('mine'), undefined)
  assert.equal(types.announce('mine'), 64)
  assert.equal(types.numberOf('mine'), 64)
  for (let i = 1; i < limits.typesMax; i += 1) assert.equal(types.announce(`t${i}`), 64 + i)
  assert.equal(types.announce('one-too-many'), undefined)
})

test('the peer defines free numbers once, none of the fixed ones, and not too many', () => {
  const types = new TypeNames(builtIn)
  assert.equal(types.learn(1, 'data'), false)
  assert.equal(types.learn(63, 'x'), false)
  assert.ok(types.learn(64, 'x'))
  assert.equal(types.learn(64, 'y'), false)
  assert.equal(types.nameOf(64), 'x')
  assert.equal(types.nameOf(65), undefined)
  for (let i = 1; i < limits.typesMax; i += 1) assert.ok(types.learn(64 + i, `t${i}`))
  assert.equal(types.learn(60_000, 'one-too-many'), false)
})

test('our numbers and those of the peer are apart', () => {
  const types = new TypeNames(builtIn)
  types.announce('ours')
  types.learn(64, 'theirs')
  assert.equal(types.nameOf(64), 'theirs')
  assert.equal(types.numberOf('ours'), 64)
})

const abilities: fc.Arbitrary<Abilities> = fc
  .record({
    versionMin: fc.integer({ min: 1, max: 5 }),
    more: fc.nat(4),
    suites: fc.shuffledSubarray(['aes-256-gcm', 'chacha20-poly1305'] as const),
    compressions: fc.shuffledSubarray(['zstd', 'lz4', 'none'] as const),
  })
  .map(({ versionMin, more: span, ...rest }) => ({
    versionMin,
    versionMax: versionMin + span,
    ...rest,
  }))

test('a choice is what both sides can, the best of it, and fails only where there is nothing in common', () => {
  verifies('R012', 'R034', 'R035')
  fc.assert(
    fc.property(abilities, abilities, (initiator, responder) => {
      const choice = chooseFrom(offerOf(initiator), responder)
      const versions = [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((v) =>
        [initiator, responder].every(
          ({ versionMin, versionMax }) => v >= versionMin && v <= versionMax,
        ),
      )
      const suites = initiator.suites.filter((suite) => responder.suites.includes(suite))
      if (versions.length === 0) return choice === 'SESSION_VERSION'
      if (suites.length === 0) return choice === 'SESSION_SUITE'
      if (typeof choice === 'string') return false
      const compressions = initiator.compressions.filter((name) =>
        responder.compressions.includes(name),
      )
      assert.deepEqual(choice, {
        version: Math.max(...versions),
        suite: suites[0],
        compression: compressions[0] ?? 'none',
      })
      return isOffered(choice, initiator)
    }),
  )
})

test('offers of a later version that we do not know are passed over', () => {
  verifies('R012')
  const offer = { versionMin: 1, versionMax: 200, suites: [77, 1, 2], compressions: [9, 1] }
  assert.deepEqual(chooseFrom(offer, defaultAbilities), {
    version: 1,
    suite: 'chacha20-poly1305',
    compression: 'lz4',
  })
})

test('the version table has a line for every version that is spoken by default', () => {
  verifies('R035')
  for (
    let version = defaultAbilities.versionMin;
    version <= defaultAbilities.versionMax;
    version += 1
  ) {
    assert.ok((protocolVersions[version]?.features.length ?? 0) > 0)
  }
  assert.deepEqual(
    Object.values(handshakePatterns).map(({ number }) => number),
    [1, 2, 3, 4, 5],
  )
  assert.equal(patternOfNumber(2), 'XXhfs')
  assert.equal(patternOfNumber(6), undefined)
})

test('every code that crosses the wire has one number and an explanation', () => {
  const sent = Object.entries(closeCodes).filter(([, number]) => number !== 0)
  assert.equal(new Set(sent.map(([, number]) => number)).size, sent.length)
  for (const [code, number] of sent) {
    assert.equal(codeOfNumber(number), code)
    assert.ok(explanations[code as SessionErrorCode] !== undefined, code)
  }
  assert.equal(codeOfNumber(0), 'SESSION_PROTOCOL')
  assert.equal(codeOfNumber(4_242), 'SESSION_PROTOCOL')
})
