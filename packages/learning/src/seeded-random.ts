// A seeded random generator for data, shuffling and initialisation: the same seed gives the same
// run on every machine. NOT cryptographic: four outputs give away the state. Keys and nonces use
// the `Random` port.
//
// xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2018),
// its state filled by SplitMix64 (Steele, Lea and Flood, 2014), as its authors advise.

import { demand } from './errors.ts'

const mask64 = (1n << 64n) - 1n
const goldenGamma = 0x9e3779b97f4a7c15n

/** Output `index` (from 0) of SplitMix64 with `seed`: a counter, so any output costs the same. */
export function splitMix64(seed: bigint, index: bigint): bigint {
  let z = (seed + (index + 1n) * goldenGamma) & mask64
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask64
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask64
  return z ^ (z >> 31n)
}

/** Fast, reproducible and predictable randomness. For simulations and training only. */
export class SeededRandom {
  #a = 1
  #b = 2
  #c = 3
  #d = 4
  #spareNormal = Number.NaN

  /**
   * `seed` and `stream` are safe integers from 0. Streams of one seed do not overlap in practice,
   * so item i of a series can draw from stream i and be made alone.
   */
  constructor(seed: number, stream = 0) {
    const isValid = Number.isSafeInteger(seed) && seed >= 0
    demand(isValid, 'LEARNING_OPTION_INVALID', `the seed ${seed} is not an integer from 0`)
    const isStream = Number.isSafeInteger(stream) && stream >= 0
    demand(isStream, 'LEARNING_OPTION_INVALID', `the stream ${stream} is not an integer from 0`)
    const low = splitMix64(BigInt(seed), 2n * BigInt(stream))
    const high = splitMix64(BigInt(seed), 2n * BigInt(stream) + 1n)
    this.setState(
      Number(low & 0xffffffffn),
      Number(low >> 32n),
      Number(high & 0xffffffffn),
      // All zeros is the one state the generator cannot leave.
      Number(high >> 32n) || 1,
    )
  }

  /** Sets the four 32-bit words of the state; at least one must not be zero. */
  setState(a: number, b: number, c: number, d: number): void {
    const isAlive = (a | b | c | d) !== 0
    demand(
      isAlive,
      'LEARNING_OPTION_INVALID',
      'the state is all zeros: set one word to another value',
    )
    this.#a = a | 0
    this.#b = b | 0
    this.#c = c | 0
    this.#d = d | 0
    this.#spareNormal = Number.NaN
  }

  /** A uniform integer from 0 to 2^32 - 1. */
  u32(): number {
    const b = this.#b
    const product = Math.imul(b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9)
    const c = this.#c ^ this.#a
    const d = this.#d ^ b
    this.#b = b ^ c
    this.#a ^= d
    this.#c = c ^ (b << 9)
    this.#d = (d << 11) | (d >>> 21)
    return result >>> 0
  }

  /** A uniform number from 0 (included) to 1 (excluded), with 32 random bits. */
  unit(): number {
    return this.u32() / 0x1_0000_0000
  }

  /** A uniform number from `low` to `high`. */
  between(low: number, high: number): number {
    return low + (high - low) * this.unit()
  }

  /**
   * A uniform integer from 0 to `bound` - 1. The bias of at most bound / 2^32 does not matter here.
   */
  below(bound: number): number {
    return Math.floor(this.unit() * bound)
  }

  /** A normal number with mean 0 and variance 1 (Box and Muller 1958). */
  normal(): number {
    const spare = this.#spareNormal
    if (!Number.isNaN(spare)) {
      this.#spareNormal = Number.NaN
      return spare
    }
    // 1 - unit() is never 0, so its logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - this.unit()))
    const angle = 2 * Math.PI * this.unit()
    this.#spareNormal = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  /** Shuffles `items` in place (Fisher and Yates; Durstenfeld 1964). */
  shuffle(items: Uint32Array): void {
    for (let i = items.length - 1; i > 0; i -= 1) {
      const j = this.below(i + 1)
      const item = items[i]!
      items[i] = items[j]!
      items[j] = item
    }
  }
}
