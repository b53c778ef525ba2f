// Randomness that a seed repeats: sfc32 (Doty-Humphrey, PractRand), seeded through a hash of seed and purpose,
// so that each concern of a simulation has a stream of its own and a new draw in one shifts no other. Not
// for secrets: for tests only.

import type { Random } from '@myelin/base'

export class SeededRandom implements Random {
  readonly seed: string
  #a: number
  #b: number
  #c: number
  #counter = 1

  /** `seed` may be any text or number; equal seeds give equal streams. */
  constructor(seed: string | number | bigint) {
    this.seed = String(seed)
    ;[this.#a, this.#b, this.#c] = mix(this.seed)
    for (let i = 0; i < 15; i += 1) this.u32()
  }

  /** An independent stream for one concern. */
  fork(concern: string): SeededRandom {
    return new SeededRandom(`${this.seed}/${concern}`)
  }

  u32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    this.#c |= 0
    return sum >>> 0
  }

  /** Uniform in [0, 1). */
  fraction(): number {
    return this.u32() / 2 ** 32
  }

  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1))
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.between(0, items.length - 1)] as Item
  }

  /** Exponentially distributed with the given mean. */
  exponential(mean: number): number {
    return -Math.log(1 - this.fraction()) * mean
  }

  fill<Target extends Uint8Array>(target: Target): Target {
    for (let i = 0; i < target.length; i += 1) target[i] = this.u32() & 0xff
    return target
  }
}

/** FNV-1a from three different starts: enough to tell seeds apart. */
function mix(text: string): [number, number, number] {
  const hash = (start: number) => {
    let value = start
    for (const unit of text) value = Math.imul(value ^ (unit.codePointAt(0) as number), 0x01000193)
    return value | 0
  }
  return [hash(0x811c9dc5), hash(0x2c1b3c6d), hash(0x297a2d39)]
}
