// Splitting one data set among workers: evenly mixed (IID), or by label, so that each worker knows
// only a few classes (McMahan et al. 2017, section 3). A shard is a list of indexes; no picture is
// copied. Deterministic by seed, so coordinator and workers agree without sending the lists.

import { demand } from './errors.ts'
import { shardCountMax } from './limits.ts'
import { SeededRandom } from './seeded-random.ts'

/** Part `index` (from 0) of `count` parts. */
export interface Shard {
  readonly index: number
  readonly count: number
}

/**
 * Start and end (excluded) of a shard when `examples` items are cut in order; sizes differ by at
 * most one.
 */
export function shardRange(examples: number, shard: Shard): { start: number; end: number } {
  requireShards(examples, shard.count)
  const isIndex = Number.isInteger(shard.index) && shard.index >= 0 && shard.index < shard.count
  demand(isIndex, 'LEARNING_OPTION_INVALID', `no shard ${shard.index} of ${shard.count}`)
  return {
    start: Math.floor((examples * shard.index) / shard.count),
    end: Math.floor((examples * (shard.index + 1)) / shard.count),
  }
}

/** Shuffles all examples by seed and cuts them into `shards` lists that share nothing. */
export function partitionIid(examples: number, shards: number, seed: number): Uint32Array[] {
  requireShards(examples, shards)
  const order = Uint32Array.from({ length: examples }, (_, index) => index)
  new SeededRandom(seed).shuffle(order)
  return cut(order, shards)
}

/**
 * Splits by label: the examples are sorted by label, cut into `shards * classesPerShard` pieces,
 * and each shard is dealt `classesPerShard` of them. A piece may straddle two labels, as in the
 * paper.
 */
export function partitionByLabel(
  labels: Uint8Array,
  shards: number,
  classesPerShard: number,
  seed: number,
): Uint32Array[] {
  const pieces = shards * classesPerShard
  requireShards(labels.length, pieces)
  const random = new SeededRandom(seed)
  const order = Uint32Array.from(labels, (_, index) => index)
  random.shuffle(order)
  order.sort((a, b) => labels[a]! - labels[b]!)
  const sorted = cut(order, pieces)
  const deal = Uint32Array.from({ length: pieces }, (_, index) => index)
  random.shuffle(deal)
  return Array.from({ length: shards }, (_, shard) => {
    const hand = deal.subarray(shard * classesPerShard, (shard + 1) * classesPerShard)
    const lists = Array.from(hand, (piece) => sorted[piece]!)
    const joined = new Uint32Array(lists.reduce((sum, list) => sum + list.length, 0))
    let at = 0
    for (const list of lists) {
      joined.set(list, at)
      at += list.length
    }
    return joined
  })
}

function cut(order: Uint32Array, count: number): Uint32Array[] {
  return Array.from({ length: count }, (_, index) => {
    const { start, end } = shardRange(order.length, { index, count })
    return order.subarray(start, end)
  })
}

function requireShards(examples: number, count: number): void {
  const isCount = Number.isInteger(count) && count > 0 && count <= shardCountMax
  demand(isCount, 'LEARNING_OPTION_INVALID', `${count} shards: use 1 to ${shardCountMax}`)
  const isEnough = Number.isInteger(examples) && examples >= count
  demand(isEnough, 'LEARNING_OPTION_INVALID', `${examples} examples do not fill ${count} shards`)
}
