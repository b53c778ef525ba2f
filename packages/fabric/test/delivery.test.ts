import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hexEncode, silentLogger } from '@myelin/base'
import { systemRandom } from '@myelin/base/system'
import { SecurityLog } from '@myelin/guard'
import { AgentKeys } from '@myelin/identity'
import { type IncomingMessage, SessionError } from '@myelin/session'
import { VirtualClock, verifies } from '@myelin/testkit'
import {
  decodeDelivery,
  decodeDeliveryAck,
  encodeDelivery,
  encodeSync,
  encodeVoid,
  numberDelivery,
} from '../src/delivery-codec.ts'
import { DeliveryReceiver } from '../src/delivery-receiver.ts'
import { DeliverySender } from '../src/delivery-sender.ts'
import type { Deliverable } from '../src/dispatcher.ts'
import {
  deliveryMemoryMs,
  deliveryTtlMs,
  deliveryWindowMax,
  incarnationsMax,
} from '../src/limits.ts'
import type { Link } from '../src/links.ts'

verifies('R090', 'R091', 'R092')

const peer = AgentKeys.generate(systemRandom).agent
const payload = new Uint8Array([1, 2, 3])

/** A session that keeps what is posted. */
function fakeLink() {
  const posted: { type: string; bytes: Uint8Array }[] = []
  const state = { isOpen: true, hasRoom: true, isFull: false, closes: 0 }
  const session = {
    peer: { agent: peer },
    get isOpen() {
      return state.isOpen
    },
    post: (type: string, bytes: Uint8Array) => {
      if (state.isFull) throw new SessionError('SESSION_QUEUE_FULL', 'full')
      posted.push({ type, bytes: bytes.slice() })
      return state.hasRoom
    },
    close: async () => {
      state.isOpen = false
      state.closes += 1
    },
  }
  const gate = { metered: () => true }
  return { link: { session, gate } as unknown as Link, posted, state }
}

function sending(options = {}) {
  const clock = new VirtualClock()
  let current: ReturnType<typeof fakeLink> | undefined
  const kept = { now: 0, ever: 0 }
  const sender = new DeliverySender({
    clock,
    random: systemRandom,
    options,
    link: () => (current?.state.isOpen === true ? current.link : undefined),
    keep: () => {
      kept.now += 1
      kept.ever += 1
      return {
        [Symbol.dispose]: () => {
          kept.now -= 1
        },
      }
    },
    requireAllowed: (_link, type) => {
      if (type === 'forbidden') throw new Error('may not')
    },
  })
  const open = () => {
    current = fakeLink()
    sender.pump(peer)
    return current
  }
  /** What is posted on a session, decoded: the kind and the number of each. */
  const numbers = ({ posted }: ReturnType<typeof fakeLink>) =>
    posted.map(({ bytes }) => {
      const frame = decodeDelivery(bytes)
      assert.ok(frame.ok)
      return `${frame.value.kind} ${frame.value.sequence}`
    })
  const incarnationOf = ({ posted }: ReturnType<typeof fakeLink>) => {
    const frame = decodeDelivery(posted[0]?.bytes ?? new Uint8Array(0))
    assert.ok(frame.ok)
    return frame.value.incarnation
  }
  return { clock, sender, open, numbers, incarnationOf, kept }
}

test('what is not acknowledged is sent again in the next session, in its order, after the lowest number', async () => {
  const { sender, open, numbers, incarnationOf, kept } = sending()
  const sent = [0, 1, 2, 3].map(() => sender.send(peer, 'data', payload, {}))
  assert.deepEqual(kept, { now: 1, ever: 1 })
  const first = open()
  assert.deepEqual(numbers(first), ['sync 0', 'message 0', 'message 1', 'message 2', 'message 3'])
  const incarnation = incarnationOf(first)
  // 0 and 2 are done: 2 keeps its place, for a receiver that has forgotten it.
  assert.ok(
    sender.acknowledged(peer, {
      incarnation,
      ranges: [
        [0, 1],
        [2, 3],
      ],
      failures: [],
    }),
  )
  await Promise.all([sent[0], sent[2]])
  first.state.isOpen = false
  const second = open()
  assert.deepEqual(numbers(second), ['sync 1', 'message 1', 'void 2', 'message 3'])
  const failures = [{ sequence: 3, code: 7, text: 'not on Sundays' }]
  sender.acknowledged(peer, { incarnation, ranges: [[1, 2]], failures })
  await sent[1]
  await assert.rejects(sent[3] as Promise<void>, {
    code: 'FABRIC_HANDLER_REFUSED',
    message: /not on Sundays/,
  })
  assert.deepEqual([sender.pending, kept.now], [{ messages: 0, bytes: 0 }, 0])
})

test('a message that is given up before it leaves has no number; one that has left becomes void', async () => {
  const { clock, sender, open, numbers } = sending()
  const early = sender.send(peer, 'data', payload, { ttlMs: 10 })
  const late = sender.send(peer, 'data', payload, { ttlMs: 1000 })
  await Promise.all([assert.rejects(early, { code: 'FABRIC_DELIVERY_TIMEOUT' }), clock.advance(10)])
  const first = open()
  assert.deepEqual(numbers(first), ['sync 0', 'message 0'])
  await Promise.all([
    assert.rejects(late, { code: 'FABRIC_DELIVERY_TIMEOUT', message: /nobody knows/ }),
    clock.advance(1000),
  ])
  first.state.isOpen = false
  const control = new AbortController()
  const other = sender.send(peer, 'data', payload, { signal: control.signal })
  assert.deepEqual(numbers(open()), ['sync 0', 'void 0', 'message 1'])
  control.abort(new Error('called off'))
  await assert.rejects(other, /called off/)
  assert.deepEqual(sender.pending, { messages: 0, bytes: 0 })
})

test('a type that the peer may not be sent fails alone', async () => {
  const { sender, open, numbers } = sending()
  const link = open()
  const refused = sender.send(peer, 'forbidden', payload, {})
  void sender.send(peer, 'data', payload, {}).catch(() => {})
  await assert.rejects(refused, /may not/)
  assert.deepEqual(numbers(link).at(-1), 'message 0')
})

test('a peer that never acknowledges holds a bounded outbox, and a bounded part of it is on its way', async () => {
  const { clock, sender, open } = sending({ outboxMessagesMax: 5000, outboxBytesMax: 1_000_000 })
  const link = open()
  const sent = Array.from({ length: 5000 }, () => sender.send(peer, 'data', payload, {}))
  await assert.rejects(async () => sender.send(peer, 'data', payload, {}), {
    code: 'FABRIC_OUTBOX_FULL',
    message: /raise delivery/,
  })
  assert.equal(link.posted.length, deliveryWindowMax + 1)
  const outcomes = Promise.allSettled(sent)
  await clock.advance(deliveryTtlMs)
  assert.ok((await outcomes).every(({ status }) => status === 'rejected'))
  assert.deepEqual(sender.pending, { messages: 0, bytes: 0 })
  const big = new Uint8Array(1_000_000)
  await assert.rejects(async () => sender.send(peer, 'data', big, {}), {
    code: 'FABRIC_OUTBOX_FULL',
  })
})

test('an acknowledgement of what was not sent is told from a late one', () => {
  const { sender, open, incarnationOf } = sending()
  void sender.send(peer, 'data', payload, {}).catch(() => {})
  const incarnation = incarnationOf(open())
  const none = { ranges: [], failures: [] }
  assert.equal(sender.acknowledged(peer, { ...none, incarnation, ranges: [[0, 2]] }), false)
  const failures = [{ sequence: 1, code: 1, text: '' }]
  assert.equal(sender.acknowledged(peer, { ...none, incarnation, failures }), false)
  assert.equal(sender.pending.messages, 1)
  const other = 'ff'.repeat(8)
  assert.equal(sender.acknowledged(peer, { ...none, incarnation: other, ranges: [[0, 9]] }), true)
  for (let i = 0; i < 2; i += 1)
    assert.equal(sender.acknowledged(peer, { ...none, incarnation, ranges: [[0, 1]] }), true)
  assert.equal(sender.pending.messages, 0)
})

test('a session without room is waited for', () => {
  const { sender, open, numbers } = sending()
  const link = open()
  link.state.hasRoom = false
  for (let i = 0; i < 3; i += 1) void sender.send(peer, 'data', payload, {}).catch(() => {})
  assert.deepEqual(numbers(link), ['sync 0'])
  link.state.isFull = true
  sender.pump(peer, link.link)
  assert.deepEqual(numbers(link), ['sync 0'])
  Object.assign(link.state, { isFull: false, hasRoom: true })
  sender.pump(peer, link.link)
  assert.deepEqual(numbers(link), ['sync 0', 'message 0', 'message 1', 'message 2'])
})

function receiving() {
  const clock = new VirtualClock()
  const log = new SecurityLog(clock, silentLogger)
  const dispatched: Deliverable[] = []
  const away = fakeLink()
  const state = { released: 0, link: away }
  const receiver = new DeliveryReceiver({
    clock,
    log,
    link: () => (state.link.state.isOpen ? state.link.link : undefined),
    dispatch: (message) => void dispatched.push(message),
  })
  const take = (bytes: Uint8Array, via = state.link) => {
    const release = () => {
      state.released += 1
    }
    const carrier = { payload: bytes, timestampMs: 1, priority: 'normal', release }
    receiver.receive(carrier as unknown as IncomingMessage, peer, via.link)
  }
  const message = (id: Uint8Array, sequence: number, floor = 0) => {
    const frame = encodeDelivery(id, 'data', payload)
    numberDelivery(frame, sequence, floor)
    take(frame)
  }
  const acks = () =>
    state.link.posted.map(({ bytes }) => {
      const ack = decodeDeliveryAck(bytes)
      assert.ok(ack.ok)
      return ack.value
    })
  return { clock, log, receiver, dispatched, state, take, message, acks }
}

const me = new Uint8Array(8).fill(1)

test('a message that comes again is not run again, even while it runs, and is acknowledged when it has', async () => {
  const { clock, receiver, dispatched, state, message, acks } = receiving()
  message(me, 0)
  message(me, 0)
  assert.equal(dispatched.length, 1)
  await clock.advance(0)
  assert.deepEqual(acks(), [])
  state.link = fakeLink()
  message(me, 0)
  dispatched[0]?.release()
  await clock.advance(0)
  assert.deepEqual(acks(), [{ incarnation: hexEncode(me), ranges: [[0, 1]], failures: [] }])
  message(me, 0)
  await clock.advance(0)
  assert.deepEqual([dispatched.length, acks().length], [1, 2])
  assert.deepEqual(receiver.counts, { delivered: 1, duplicates: 3 })
  assert.equal(state.released, 4)
})

test('the outcomes of one turn go in one acknowledgement, failures with their reason', async () => {
  const { clock, dispatched, message, acks } = receiving()
  for (let i = 0; i < 100; i += 1) message(me, i)
  dispatched[50]?.fail(7, 'not this one')
  for (const each of dispatched) each.release()
  await clock.advance(0)
  const failures = [{ sequence: 50, code: 7, text: 'not this one' }]
  assert.deepEqual(acks(), [
    {
      incarnation: hexEncode(me),
      ranges: [
        [0, 50],
        [51, 100],
      ],
      failures,
    },
  ])
})

test('an acknowledgement that finds the queue full is sent when there is room', async () => {
  const { clock, receiver, dispatched, state, message, acks } = receiving()
  message(me, 0)
  state.link.state.isFull = true
  dispatched[0]?.release()
  await clock.advance(0)
  assert.deepEqual(acks(), [])
  state.link.state.isFull = false
  receiver.drained(peer)
  assert.equal(acks().length, 1)
})

test('numbers far ahead, gaps and nonsense end the session and are not remembered', () => {
  const floods: ((scene: ReturnType<typeof receiving>) => void)[] = [
    ({ message }) => message(me, 1000, 999),
    ({ message }) => message(me, 2, 1),
    ({ take }) => take(new Uint8Array(5)),
    ({ take }) => take(encodeVoid(me, 3, 1)),
  ]
  for (const flood of floods) {
    const scene = receiving()
    scene.message(me, 0)
    flood(scene)
    assert.equal(scene.state.link.state.closes, 1)
    assert.deepEqual(scene.log.counts, { 'delivery-invalid': 1 })
    assert.deepEqual(scene.receiver.remembered, { senders: 1, messages: 1 })
    assert.equal(scene.dispatched.length, 1)
  }
})

test('a floor that jumps costs nothing, however far', () => {
  const { receiver, take, message, dispatched } = receiving()
  for (let i = 0; i < 10; i += 1) message(me, i)
  take(encodeSync(me, 2 ** 52))
  assert.deepEqual(receiver.remembered, { senders: 1, messages: 0 })
  message(me, 2 ** 52, 2 ** 52)
  assert.equal(dispatched.length, 11)
})

test('of one sender few incarnations are remembered, none that still runs is forgotten, and all end in time', async () => {
  const { clock, receiver, dispatched, state, message } = receiving()
  const id = (n: number) => new Uint8Array(8).fill(n)
  for (let n = 0; n < 100; n += 1) {
    await clock.advance(1)
    message(id(n), 0)
    dispatched.at(-1)?.release()
  }
  assert.equal(receiver.remembered.messages, incarnationsMax)
  for (let n = 100; n < 100 + incarnationsMax; n += 1) message(id(n), 0)
  assert.equal(state.link.state.closes, 0)
  message(id(200), 0)
  assert.equal(state.link.state.closes, 1)
  for (const each of dispatched) each.release()
  await clock.advance(deliveryMemoryMs + 1)
  state.link = fakeLink()
  message(id(201), 0)
  assert.deepEqual(receiver.remembered, { senders: 1, messages: 1 })
})
