// Expected values: the public test of the Rust crate rand_xoshiro (made with xoshiro128starstar.c
// 1.1), and the published outputs of SplitMix64 for the seed 1234567.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeededRandom, splitMix64 } from '@myelin/learning'

test('the state 1, 2, 3, 4 gives the outputs of the reference xoshiro128**', () => {
  const random = new SeededRandom(0)
  random.setState(1, 2, 3, 4)
  assert.deepEqual(
    Array.from({ length: 10 }, () => random.u32()),
    [
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597,
      4258142804,
    ],
  )
})

test('the seed 1234567 gives the outputs of the reference SplitMix64', () => {
  assert.deepEqual(
    [0n, 1n, 2n, 3n, 4n].map((index) => splitMix64(1234567n, index)),
    [
      6457827717110365317n,
      3203168211198807973n,
      9817491932198370423n,
      4593380528125082431n,
      16408922859458223821n,
    ],
  )
})

test('one stream repeats itself and two streams differ', () => {
  const draw = (seed: number, stream: number) => {
    const random = new SeededRandom(seed, stream)
    return Array.from({ length: 8 }, () => random.u32())
  }
  assert.deepEqual(draw(5, 3), draw(5, 3))
  assert.notDeepEqual(draw(5, 3), draw(5, 4))
  assert.notDeepEqual(draw(5, 3), draw(6, 3))
})

test('normal numbers have mean 0 and variance 1', () => {
  const random = new SeededRandom(11)
  const count = 40_000
  let sum = 0
  let squares = 0
  for (let i = 0; i < count; i += 1) {
    const value = random.normal()
    sum += value
    squares += value * value
  }
  // Five standard errors: 5 / sqrt(n), and 5 sqrt(2 / n).
  assert.ok(Math.abs(sum / count) < 0.025)
  assert.ok(Math.abs(squares / count - 1) < 0.036)
})

test('a shuffle keeps every item', () => {
  const items = Uint32Array.from({ length: 100 }, (_, index) => index)
  new SeededRandom(1).shuffle(items)
  assert.notDeepEqual([...items.slice(0, 5)], [0, 1, 2, 3, 4])
  assert.deepEqual([...items.sort()], [...Array(100).keys()])
})

test('a seed that is no integer from 0 and a dead state are refused', () => {
  for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) {
    assert.throws(() => new SeededRandom(seed), { code: 'LEARNING_OPTION_INVALID' })
  }
  assert.throws(() => new SeededRandom(1, -1), { code: 'LEARNING_OPTION_INVALID' })
  assert.throws(() => new SeededRandom(1).setState(0, 0, 0, 0), { code: 'LEARNING_OPTION_INVALID' })
})
