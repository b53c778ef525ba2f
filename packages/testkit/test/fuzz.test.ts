// The fuzzer against decoders with planted faults: each kind must be found, named and reproducible.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  describeFailure,
  type FuzzBounds,
  type FuzzTarget,
  fuzzTarget,
  judge,
  mutator,
  parseRegression,
  SeededRandom,
  verifies,
} from '@myelin/testkit'

verifies('R104')

const bounds: FuzzBounds = {
  msMax: 50,
  inputBytesMax: 256,
  outputBytesMax: 64,
  allocatedBytesMax: 2 ** 22,
}

/** A u16 length and so many bytes behind it. */
const sample = Uint8Array.of(0, 4, 10, 20, 30, 40)

function planted(decode: FuzzTarget['decode'], extra: Partial<FuzzTarget> = {}): FuzzTarget {
  return { name: 'planted', samples: () => [sample], decode, bounds, ...extra }
}

const lengthOf = (input: Uint8Array) => ((input[0] ?? 0) << 8) | (input[1] ?? 0)

test('a correct decoder survives, and some inputs of both fates reach it', async () => {
  const decode = (input: Uint8Array) =>
    input.length - 2 === lengthOf(input) ? Math.min(64, input.length) : undefined
  const report = await fuzzTarget(planted(decode), { runs: 5_000, seed: 1 })
  assert.deepEqual(report.failures, [])
  assert.equal(report.runs, 5_000)
  assert.equal(report.samplesAccepted, 1)
  assert.ok(report.accepted > 100 && report.accepted < 4_900, `${report.accepted} accepted`)
})

test('a throw at a lying length is found, and its input throws again', async () => {
  const target = planted((input) => {
    // The planted fault: the length is believed.
    const last = new DataView(input.buffer).getUint8(1 + lengthOf(input))
    return last === 0 ? undefined : 1
  })
  const report = await fuzzTarget(target, { runs: 2_000, seed: 1 })
  const failure = report.failures.find(({ kind }) => kind === 'throw')
  assert.ok(failure !== undefined)
  assert.match(failure.detail, /RangeError/)
  const hex = /input ([0-9a-f]*)/.exec(describeFailure('planted', failure))?.[1] ?? ''
  const again = await judge(target, parseRegression(hex) ?? new Uint8Array(1))
  assert.equal(again.failure?.kind, 'throw')
})

test('an error of the declared kind is a refusal, any other is a failure', async () => {
  class Declared extends Error {}
  const decode = (input: Uint8Array) => {
    if (input.length < 2) throw new Declared('too short')
    if (lengthOf(input) === 0xffff) throw new Error('not declared')
    return 1
  }
  const permits = (error: unknown) => error instanceof Declared
  const { failures } = await fuzzTarget(planted(decode, { permits }), { runs: 2_000, seed: 2 })
  assert.equal(failures.length, 1)
  assert.match(failures[0]?.detail ?? '', /not declared/)
})

test('a rejection counts like a throw', async () => {
  const decode = async (input: Uint8Array) => {
    if (input[1] === 0x80) throw new Error('planted')
    return undefined
  }
  const { failures } = await fuzzTarget(planted(decode), { runs: 2_000, seed: 3 })
  assert.match(failures[0]?.detail ?? '', /planted/)
})

test('an input that takes too long each time is found, one that took long once is not', async () => {
  const wait = (ms: number) => {
    for (const start = performance.now(); performance.now() - start < ms; );
    return undefined
  }
  const slow = planted((input) => (input.length === 3 ? wait(40) : undefined), {
    bounds: { ...bounds, msMax: 2 },
  })
  const { failures } = await fuzzTarget(slow, { runs: 500, seed: 4 })
  assert.deepEqual(
    failures.map(({ kind }) => kind),
    ['slow'],
  )
  let isFirst = true
  const once = planted(
    () => {
      const ms = isFirst ? 40 : 0
      isFirst = false
      return wait(ms)
    },
    { bounds: { ...bounds, msMax: 2 } },
  )
  assert.equal((await judge(once, sample)).failure, undefined)
})

test('memory taken for a mere announcement is found, though it is freed at once', async () => {
  const decode = (input: Uint8Array) => {
    const announced = new Uint8Array(lengthOf(input) * 256)
    return announced.length > input.length ? undefined : 1
  }
  const { failures } = await fuzzTarget(planted(decode), { runs: 2_000, seed: 5 })
  assert.equal(failures[0]?.kind, 'allocation')
})

test('output beyond its bound is found', async () => {
  const { failures } = await fuzzTarget(planted(lengthOf), { runs: 2_000, seed: 6 })
  assert.equal(failures[0]?.kind, 'output')
})

test('one seed makes one run, and a decoder cannot spoil the samples', async () => {
  const run = async (seed: number) => {
    const seen: string[] = []
    const decode = (input: Uint8Array) => {
      seen.push(Buffer.from(input).toString('hex'))
      input.fill(7)
      return undefined
    }
    await fuzzTarget(planted(decode), { runs: 300, seed })
    return seen
  }
  const first = await run(7)
  assert.deepEqual(await run(7), first)
  assert.notDeepEqual(await run(8), first)
  assert.deepEqual([...sample], [0, 4, 10, 20, 30, 40])
})

test('mutated inputs keep their bound, and tokens find their way in', () => {
  const token = new TextEncoder().encode('MAGIC')
  const { mutate } = mutator(new SeededRandom(9), { tokens: [token], inputBytesMax: 100 })
  const other = new Uint8Array(90).fill(3)
  let withToken = 0
  for (let i = 0; i < 5_000; i += 1) {
    const input = mutate([sample, other])
    assert.ok(input.length <= 100)
    if (Buffer.from(input).includes('MAGIC')) withToken += 1
  }
  assert.ok(withToken > 50, `${withToken} hold the token`)
})

test('a regression file is hex with comments', () => {
  assert.deepEqual(parseRegression('# why\n00 ff\n10 # end\n'), Uint8Array.of(0, 255, 16))
  assert.equal(parseRegression('xyz'), undefined)
})
