// The small side of the model-based test: what was asked of a session, in plain data, and what follows from it
// for everything that can be seen. `invariants` hold after every single step, `completeness` whenever all has
// been delivered and read.

import assert from 'node:assert/strict'
import { type Priority, priorities } from '@myelin/session'
import { type Link, other, type Side, type StreamEnd, sides, type World } from './model-world.ts'

/** One direction of a stream: what its writer and its reader did. */
export interface Direction {
  sent: number
  isFinished: boolean
  isReset: boolean
  /** The reader wants no more. */
  isStopped: boolean
}

export interface StreamModel {
  readonly id: number
  readonly opener: Side
  /** By writer. */
  readonly directions: Record<Side, Direction>
}

export interface Posted {
  readonly kind: 'message' | 'request'
  readonly payload: Uint8Array
}

export interface RequestModel {
  readonly deadlineMs: number
  /** Set when its receiver answered while its session was open. */
  answer?: { readonly payload: Uint8Array } | { readonly failure: number }
}

/** What was asked of one session. */
export class Model {
  readonly streams = new Map<number, StreamModel>()
  /** By sender. A priority is a line of its own. */
  readonly posted: Record<Side, Record<Priority, Posted[]>> = { near: lines(), far: lines() }
  readonly requests: Record<Side, RequestModel[]> = { near: [], far: [] }
  readonly closedBy = new Set<Side>()
  /** By sender: how many drains there must have been, after posts that said "wait". */
  readonly drainsDue: Record<Side, number> = { near: 0, far: 0 }
  isLost = false
  /** Time has passed since a close, so that its patience may have ended. */
  isImpatient = false

  /** Streams of which some direction is not over. */
  get liveStreams(): StreamModel[] {
    return [...this.streams.values()].filter(
      ({ directions: { near, far } }) => !isOver(near) || !isOver(far),
    )
  }

  direction(id: number, writer: Side): Direction {
    return (this.streams.get(id) as StreamModel).directions[writer]
  }

  /** Whether the session is open for its owner on `side`. */
  isOpen(link: Link, side: Side): boolean {
    return !this.closedBy.has(side) && link.ended[side].length === 0
  }
}

function lines(): Record<Priority, Posted[]> {
  return { normal: [], low: [], high: [], critical: [] }
}

export function newDirection(): Direction {
  return { sent: 0, isFinished: false, isReset: false, isStopped: false }
}

/** The byte at an offset of a stream's direction; no two places within 64 KiB look alike. */
export function byteAt(id: number, writer: Side, offset: number): number {
  const mixed = Math.imul(offset + 1, 0x9e3779b1) ^ (id * 0x85eb + (writer === 'near' ? 0 : 77))
  return (mixed ^ (mixed >>> 15)) & 0xff
}

/** What holds at every moment. */
export function invariants(model: Model, { link, clock }: World, windowBytes: number): void {
  assert.deepEqual(link.faults, [])
  for (const side of sides) {
    checkEnd(model, link, side)
    checkMessages(model, link, side)
    const { stats } = link.session[side]
    // Beyond the window only what is being reassembled: one message of each priority and of each kind.
    const heldMax = windowBytes + 8 * largestBytes
    assert.ok(stats.heldBytes >= 0 && stats.heldBytes <= heldMax, `${stats.heldBytes} bytes held`)
    assert.ok(stats.queuedBytes >= 0)
    const waiting = link.asked[side].filter(({ outcome }) => outcome.code === undefined).length
    assert.equal(stats.requestsPending, waiting, `requests of ${side} that wait`)
    checkRequests(model, link, side, clock.monotonicMs())
    for (const [id, end] of link.ends[side]) checkReading(model, link, { side, id, end })
  }
}

export const largestBytes = 300_000

function checkEnd(model: Model, link: Link, side: Side): void {
  const [code, ...more] = link.ended[side]
  assert.deepEqual(more, [], `${side} was told twice that its session ended`)
  assert.equal(link.session[side].isOpen, model.isOpen(link, side), `${side} is open`)
  if (code === undefined) return
  assert.ok(
    model.isLost || model.closedBy.size > 0,
    `the session of ${side} ended by itself: ${code}`,
  )
  const isOwnWish = model.closedBy.has(side)
  const mayBeLost = !isOwnWish && (model.isLost || model.isImpatient)
  const mayBeClosed = isOwnWish || model.closedBy.size > 0
  const allowed = [
    ...(mayBeLost ? ['SESSION_LOST'] : []),
    ...(mayBeClosed ? ['SESSION_CLOSED'] : []),
  ]
  assert.ok(allowed.includes(code), `${side} ended with ${code}, not ${allowed}`)
}

/** What arrived is, in each priority, a prefix of what was sent: in order, once, unaltered. */
function checkMessages(model: Model, link: Link, side: Side): void {
  for (const priority of priorities) {
    const posted = model.posted[other(side)][priority]
    const arrived = link.arrived[side].filter((arrival) => arrival.priority === priority)
    assert.ok(arrived.length <= posted.length, `${side} got more than was sent`)
    arrived.forEach((arrival, i) => {
      const { kind, payload } = posted[i] as Posted
      assert.equal(arrival.kind, kind)
      assert.ok(Buffer.compare(arrival.payload, payload) === 0, `${priority} message ${i} differs`)
    })
  }
}

function checkRequests(model: Model, link: Link, side: Side, nowMs: number): void {
  link.asked[side].forEach(({ outcome: { code, value } }, i) => {
    const { answer, deadlineMs } = model.requests[side][i] as RequestModel
    if (code === undefined) {
      assert.ok(nowMs < deadlineMs, `request ${i} of ${side} waits beyond its time`)
    } else if (code === 'answered') {
      assert.ok(answer !== undefined && 'payload' in answer, `nobody answered request ${i}`)
      assert.ok(Buffer.compare(value as Uint8Array, answer.payload) === 0, 'another answer')
    } else if (code === 'SESSION_REQUEST_FAILED') {
      assert.ok(answer !== undefined && 'failure' in answer, `nobody failed request ${i}`)
    } else if (code === 'SESSION_REQUEST_TIMEOUT') assert.ok(nowMs >= deadlineMs, 'too early')
    else assert.equal(code, link.ended[side][0], 'a request ends as its session did')
  })
}

function checkReading(
  model: Model,
  link: Link,
  { side, id, end }: { readonly side: Side; readonly id: number; readonly end: StreamEnd },
): void {
  const { reading } = end
  const direction = model.direction(id, other(side))
  const what = `stream ${id} at ${side}`
  assert.ok(reading.isIntact, `${what}: altered bytes`)
  assert.ok(reading.bytes <= direction.sent, `${what}: more bytes than were written`)
  if (reading.end === undefined) return
  if (reading.end === 'done') {
    const isWhole = direction.isFinished && reading.bytes === direction.sent
    assert.ok(isWhole || direction.isStopped || isUnheard(model, link, id), `${what}: ended early`)
  } else if (reading.end === 'SESSION_STREAM_RESET') {
    assert.ok(direction.isReset, `${what}: nobody reset it`)
  } else assert.equal(reading.end, link.ended[side][0], `${what}: ended otherwise than its session`)
}

/** The opener abandoned it before it had left. */
function isUnheard(model: Model, link: Link, id: number): boolean {
  const { opener, directions } = model.streams.get(id) as StreamModel
  return directions[opener].isReset && !link.ends[other(opener)].has(id)
}

/** What holds when all is delivered and read, and the session is open on both sides: nothing is missing. */
export function completeness(model: Model, { link }: World): void {
  const [near, far] = [link.session.near.stats, link.session.far.stats]
  assert.deepEqual([near.rekeysReceived, far.rekeysReceived], [far.rekeysSent, near.rekeysSent])
  for (const side of sides) {
    const { stats } = link.session[side]
    assert.equal(stats.heldBytes, 0, `${side} holds bytes that nobody will release`)
    assert.equal(stats.queuedBytes, 0, `${side} holds bytes back`)
    assert.ok(link.drains[side] >= model.drainsDue[side], `${side} waits for a drain in vain`)
    assert.deepEqual(
      link.pings[side].filter((ping) => ping.outcome === undefined),
      [],
      'a lost pong',
    )
    const arrived = link.arrived[other(side)].length
    const posted = Object.values(model.posted[side]).flat().length
    assert.equal(arrived, posted, `messages of ${side} are missing`)
    link.asked[side].forEach(({ outcome }, i) => {
      const isAnswered = model.requests[side][i]?.answer !== undefined
      assert.ok(
        !isAnswered || outcome.code !== undefined,
        `the answer to ${side}'s ${i} is missing`,
      )
    })
    assert.equal(stats.streamsOpen, countOpen(model, link), `streams that ${side} holds`)
    for (const [id, end] of link.ends[side]) checkWhole(model, link, { side, id, end })
  }
}

function isOver({ isFinished, isReset, isStopped }: Direction): boolean {
  return isFinished || isReset || isStopped
}

function countOpen(model: Model, link: Link): number {
  return model.liveStreams.filter(({ id }) => !isUnheard(model, link, id)).length
}

function checkWhole(
  model: Model,
  link: Link,
  { side, id, end }: { readonly side: Side; readonly id: number; readonly end: StreamEnd },
): void {
  const what = `stream ${id} at ${side}`
  const direction = model.direction(id, other(side))
  const { isFinished, isReset, isStopped, sent } = direction
  assert.equal(end.waiting, 0, `${what}: a writer waits for nothing`)
  const own = model.direction(id, side)
  const isClosed = (isOver(own) && isOver(direction)) || isUnheard(model, link, id)
  assert.equal(end.closed, isClosed ? 'closed' : undefined, `${what}: closed`)
  if (isReset || isStopped) {
    assert.ok(end.reading.end !== undefined || isUnheard(model, link, id), `${what}: never ended`)
  } else {
    assert.equal(end.reading.bytes, sent, `${what}: bytes are missing`)
    const isEnded = isFinished || isUnheard(model, link, id)
    assert.equal(end.reading.end, isEnded ? 'done' : undefined, `${what}: its end`)
  }
}

/** What holds when a session is over on both sides and its readers have read on: nothing waits for it. */
export function nothingWaits({ link }: World): void {
  for (const side of sides) {
    const { stats } = link.session[side]
    assert.deepEqual([stats.requestsPending, stats.queuedBytes], [0, 0])
    for (const { outcome } of link.asked[side]) assert.ok(outcome.code !== undefined)
    for (const ping of link.pings[side]) assert.ok(ping.outcome !== undefined)
    for (const end of link.ends[side].values()) {
      assert.ok(end.reading.end !== undefined && end.closed !== undefined && end.waiting === 0)
    }
  }
}
