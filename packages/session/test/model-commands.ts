// What can be done to a session, each as a command of fast-check: it acts on the real thing, notes in the model
// what was asked, and checks what the call itself must answer.

import assert from 'node:assert/strict'
import { type Priority, priorities, type SessionStream } from '@myelin/session'
import fc from 'fast-check'
import {
  byteAt,
  completeness,
  type Direction,
  invariants,
  largestBytes,
  Model,
  newDirection,
  nothingWaits,
} from './model.ts'
import {
  codeOf,
  type Link,
  other,
  type Side,
  type StreamEnd,
  sides,
  type World,
} from './model-world.ts'

/** What the commands work on. The model is replaced with each session. */
export interface Scene {
  readonly world: World
  readonly windowBytes: number
  model: Model
}

const requestTimeoutMs = 60_000
const streamsMax = 4

export async function runCommands(
  scene: Scene,
  commands: Iterable<fc.AsyncCommand<object, Scene>>,
): Promise<void> {
  await fc.asyncModelRun(() => ({ model: {}, real: scene }), commands)
  // The end of every run: whatever state it left, all that is promised comes true.
  await settleAll(scene)
}

type Act = (scene: Scene) => void | Promise<void>

class Command implements fc.AsyncCommand<object, Scene> {
  readonly #text: string
  readonly #act: Act

  constructor(text: string, act: Act) {
    this.#text = text
    this.#act = act
  }

  check(): boolean {
    return true
  }

  async run(_: object, scene: Scene): Promise<void> {
    await this.#act(scene)
    // What is due in this turn happens; what the wire holds stays there.
    await scene.world.deliver(0)
    invariants(scene.model, scene.world, scene.windowBytes)
  }

  toString(): string {
    return this.#text
  }
}

const side = fc.constantFrom(...sides)
const size = fc.oneof(
  { weight: 4, arbitrary: fc.nat(200) },
  { weight: 4, arbitrary: fc.nat(20_000) },
  { weight: 1, arbitrary: fc.constantFrom(0, 65_535, 70_000, 140_000, largestBytes) },
)
const priority = fc.constantFrom(...priorities)
const which = fc.nat(streamsMax - 1)

/** `name(arguments)` as a command. */
function command<Values extends unknown[]>(
  name: string,
  values: { [Key in keyof Values]: fc.Arbitrary<Values[Key]> },
  act: (scene: Scene, ...values: Values) => void | Promise<void>,
): fc.Arbitrary<Command> {
  return (fc.tuple(...(values as fc.Arbitrary<unknown>[])) as fc.Arbitrary<unknown[]>).map(
    (given) => new Command(`${name}(${given.join(', ')})`, (s) => act(s, ...(given as Values))),
  )
}

/** With how often each is drawn. A session that ends soon would leave the rest without an effect. */
const weighted: readonly (readonly [weight: number, arbitrary: fc.Arbitrary<Command>])[] = [
  [4, command('open', [side], open)],
  [10, command('write', [side, which, size], write)],
  [4, command('finish', [side, which], (scene, at, nth) => withEnd(scene, at, nth, finish))],
  [2, command('reset', [side, which], (scene, at, nth) => withEnd(scene, at, nth, reset))],
  [3, command('stop', [side, which], (scene, at, nth) => withEnd(scene, at, nth, stop))],
  [6, command('post', [side, size, priority], post)],
  [4, command('request', [side, size, priority], request)],
  [5, command('reply', [side, fc.nat(3), size, fc.boolean()], reply)],
  [1, command('ping', [side], ping)],
  [6, command('pauseReading', [side], ({ world }, at) => world.setReading(at, false))],
  [3, command('resumeReading', [side], ({ world }, at) => world.setReading(at, true))],
  [3, command('stallWire', [side], ({ world }, at) => world.link.raw[at].pause())],
  [2, command('freeWire', [side], ({ world }, at) => world.link.raw[at].resume())],
  [6, command('deliver', [fc.nat(4)], ({ world }, steps) => world.deliver(steps))],
  [4, command('deliverAll', [], ({ world }) => world.deliver())],
  [5, command('settleAll', [], settleAll)],
  [2, command('advance', [fc.constantFrom(100, 2_500, 61_000)], advance)],
  [1, command('close', [side], close)],
  [1, command('lose', [side], lose)],
  [4, command('reconnect', [], reconnect)],
]

export const commands: fc.Arbitrary<Command>[] = weighted.flatMap(([weight, arbitrary]) =>
  Array.from({ length: weight }, () => arbitrary),
)

function open({ model, world }: Scene, at: Side): void {
  const { link } = world
  if (model.liveStreams.length >= streamsMax) return
  const stream = attempt(model, link, at, () => link.session[at].openStream('stream'))
  if (stream === undefined) return
  const directions = { near: newDirection(), far: newDirection() }
  model.streams.set(stream.id, { id: stream.id, opener: at, directions })
  world.adopt(at, stream, link)
}

/** Runs what only an open session does; on another it must throw what ended it. */
function attempt<Value>(model: Model, link: Link, at: Side, act: () => Value): Value | undefined {
  if (model.isOpen(link, at)) return act()
  assert.throws(act, { code: link.ended[at][0] ?? 'SESSION_CLOSED' })
  return undefined
}

interface End {
  readonly at: Side
  readonly end: StreamEnd
  readonly stream: SessionStream
  /** What this side writes, and what it reads. */
  readonly out: Direction
  readonly into: Direction
  readonly isSessionOver: boolean
}

/** The `nth` stream that is not over, or the last that is, where this side knows it. */
function withEnd(scene: Scene, at: Side, nth: number, act: (end: End) => void): void {
  const { model, world } = scene
  const live = model.liveStreams
  const id = (live.length > 0 ? live[nth % live.length] : [...model.streams.values()].at(-1))?.id
  const end = id === undefined ? undefined : world.link.ends[at].get(id)
  if (id === undefined || end === undefined) return
  const [out, into] = [model.direction(id, at), model.direction(id, other(at))]
  const isSessionOver = world.link.ended[at].length > 0
  act({ at, end, stream: end.stream, out, into, isSessionOver })
}

function write(scene: Scene, at: Side, nth: number, bytes: number): void {
  withEnd(scene, at, nth, ({ end, stream, out, isSessionOver }) => {
    const chunk = Uint8Array.from({ length: bytes }, (_, i) => byteAt(stream.id, at, out.sent + i))
    let isBelowMark: boolean
    try {
      isBelowMark = stream.write(chunk)
    } catch (error) {
      const isShut = out.isFinished || out.isReset || out.isStopped
      const allowed = [
        ...(isShut ? ['SESSION_STREAM_STATE'] : []),
        ...(isSessionOver ? scene.world.link.ended[at] : []),
      ]
      assert.ok(allowed.includes(codeOf(error)), `a write to stream ${stream.id}: ${error}`)
      return
    }
    assert.ok(!isSessionOver && !out.isFinished && !out.isReset, 'a write to what is over')
    out.sent += bytes
    if (isBelowMark) return
    end.waiting += 1
    const woken = () => {
      end.waiting -= 1
    }
    stream.drained().then(woken, woken)
  })
}

function finish({ stream, out, isSessionOver }: End): void {
  stream.finish()
  if (!isSessionOver && !out.isReset) out.isFinished = true
}

function reset({ stream, out, isSessionOver }: End): void {
  stream.reset(7)
  if (!isSessionOver) out.isReset = true
}

function stop({ stream, end, into }: End): void {
  stream.stop(7)
  end.isAbandoned = true
  into.isStopped = true
}

function payloadOf(number: number, bytes: number): Uint8Array {
  const payload = new Uint8Array(Math.max(4, bytes)).map((_, i) => (i * 7 + number) & 0xff)
  new DataView(payload.buffer).setUint32(0, number)
  return payload
}

function post({ model, world }: Scene, at: Side, bytes: number, line: Priority): void {
  const { link } = world
  const payload = payloadOf(model.posted[at][line].length, bytes)
  const drains = link.drains[at]
  const isBelowMark = attempt(model, link, at, () =>
    link.session[at].post('data', payload, { priority: line }),
  )
  if (isBelowMark === undefined) return
  model.posted[at][line].push({ kind: 'message', payload: payload.slice() })
  if (!isBelowMark) model.drainsDue[at] = drains + 1
}

async function request({ model, world }: Scene, at: Side, bytes: number, line: Priority) {
  const { link, clock } = world
  const payload = payloadOf(model.requests[at].length, bytes)
  const answer = link.session[at].request('data', payload, { priority: line })
  if (!model.isOpen(link, at)) {
    await assert.rejects(answer, { code: link.ended[at][0] ?? 'SESSION_CLOSED' })
    return
  }
  const outcome: { code?: string; value?: Uint8Array } = {}
  link.asked[at].push({ outcome })
  model.requests[at].push({ deadlineMs: clock.monotonicMs() + requestTimeoutMs })
  model.posted[at][line].push({ kind: 'request', payload: payload.slice() })
  answer.then(
    (response) => Object.assign(outcome, { code: 'answered', value: response.payload }),
    (error) => Object.assign(outcome, { code: codeOf(error) }),
  )
}

/** Answers the `nth` of the requests that arrived and were not answered; on a session that is over, in vain. */
function reply(
  { model, world }: Scene,
  at: Side,
  nth: number,
  bytes: number,
  isFailure: boolean,
): void {
  const { link } = world
  const waiting = link.requests[at]
  const message = waiting[nth % Math.max(1, waiting.length)]
  if (message === undefined) return
  waiting.splice(waiting.indexOf(message), 1)
  const number = new DataView(message.payload.buffer, message.payload.byteOffset).getUint32(0)
  const asked = model.requests[other(at)][number]
  assert.ok(asked !== undefined && asked.answer === undefined, 'a request that was never sent')
  const payload = payloadOf(number + 100, bytes)
  if (model.isOpen(link, at))
    asked.answer = isFailure ? { failure: 9 } : { payload: payload.slice() }
  const isTaken = isFailure ? message.fail(9, 'no') : message.reply(payload)
  assert.ok(model.isOpen(link, at) || !isTaken, 'an answer was taken by a session that is over')
}

async function ping({ model, world }: Scene, at: Side): Promise<void> {
  const { link } = world
  const answer = attempt(model, link, at, () => link.session[at].ping())
  if (answer === undefined) return
  const pinged: { outcome?: string } = {}
  link.pings[at].push(pinged)
  answer.then(
    () => Object.assign(pinged, { outcome: 'answered' }),
    (error) => Object.assign(pinged, { outcome: codeOf(error) }),
  )
}

async function advance({ model, world }: Scene, ms: number): Promise<void> {
  if (model.closedBy.size > 0) model.isImpatient = true
  await world.clock.advance(ms)
}

function close({ model, world }: Scene, at: Side): void {
  const { link } = world
  const isOver = link.ended[at].length > 0
  void link.session[at].close()
  if (!isOver) model.closedBy.add(at)
}

function lose({ model, world }: Scene, at: Side): void {
  model.isLost = true
  world.link.raw[at].destroy()
}

/** After the end of a session, another one between the same two. */
async function reconnect(scene: Scene): Promise<void> {
  const { world } = scene
  if (sides.some((at) => world.link.ended[at].length === 0)) return
  await settleAll(scene)
  await world.connect()
  scene.model = new Model()
}

/** Everybody reads, every wire carries, until nothing is left to do. */
async function settleAll({ model, world, windowBytes }: Scene): Promise<void> {
  const { link, clock } = world
  for (const at of sides) {
    link.raw[at].resume()
    world.setReading(at, true)
  }
  await world.deliver()
  invariants(model, world, windowBytes)
  if (!model.isLost && model.closedBy.size === 0) {
    completeness(model, world)
    return
  }
  // A close has its patience; then it is over, whatever the other side does.
  model.isImpatient = true
  await clock.advance(2_500)
  await world.deliver()
  for (const at of sides) assert.equal(link.ended[at].length, 1, `the session of ${at} has no end`)
  invariants(model, world, windowBytes)
  nothingWaits(world)
}
