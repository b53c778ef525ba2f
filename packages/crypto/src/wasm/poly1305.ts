// Poly1305 (RFC 8439 §2.5) in limbs of 32 bits, each in an i64. Clamping (§2.5.1) leaves r below 2^28 in each limb, and
// the low two bits of its upper three limbs clear; so a product that reaches 2^130 comes back in the same limbs when
// multiplied with r + r/4 = 5r/4 in place of r, as 2^130 = 5 mod p.
//
// Bounds. After a block h1…h3 < 2^32, h4 < 4 and h0 < 2^32 + 5 · 2^30 < 2^33.2, its carry being left where it is. With a
// block added, each limb is below 2^33.7 and h4 is at most 4. A limb of the product is at most four such products with
// factors below 2^28.4 (one with h0, three with limbs below 2^33), a fifth below 2^31 and a carry: less than 2^63.8, so
// that nothing is lost in 64 bits. What is carried out of h4 is below 2^30 and comes back to h0 five times.
//
// No branch and no address depends on r, s, h or the bytes of the message.

import {
  type Code,
  type FunctionScope,
  i32,
  i64,
  type Local,
  repeat,
  sequence,
} from './assembler.ts'
import { at } from './memory-layout.ts'

const zero = i32.const(0)
const low32 = i64.const(0xffff_ffff)
const low = (value: Code) => i64.and(value, low32)
const carryOf = (value: Code) => i64.shrU(value, i64.const(32))

function sum(first: Code, ...rest: readonly Code[]): Code {
  return rest.reduce((total, next) => i64.add(total, next), first)
}

/** The accumulator and r in variables: loaded, moved on by blocks, stored. */
export class Poly1305 {
  readonly #h: readonly Local[]
  readonly #r: readonly Local[]
  /** 5r/4 of the upper three limbs. */
  readonly #folded: readonly Local[]
  readonly #sums: readonly Local[]
  readonly #carry: Local

  constructor(f: FunctionScope) {
    const some = (count: number) => Array.from({ length: count }, () => f.local('i64'))
    this.#h = some(5)
    this.#r = some(4)
    this.#folded = some(4)
    this.#sums = some(5)
    this.#carry = f.local('i64')
  }

  get load(): Code {
    return sequence(
      ...this.#h.map((limb, index) => limb.set(i64.load(zero, at.h + 8 * index))),
      ...this.#r.map((limb, index) => limb.set(i64.load(zero, at.r + 8 * index))),
      ...this.#folded.map((limb, index) => {
        const r = (this.#r[index] as Local).get
        return limb.set(i64.add(r, i64.shrU(r, i64.const(2))))
      }),
    )
  }

  get store(): Code {
    return sequence(...this.#h.map((limb, index) => i64.store(zero, limb.get, at.h + 8 * index)))
  }

  /** h = (h + block) · r. `top` is 1 at 2^128, or 0 where a short last block brings its own (§2.5). */
  block(from: Code, offset: number, top: Code = i64.const(1)): Code {
    const t = this.#sums.map((limb) => limb.get)
    const r = this.#r.map((limb) => limb.get)
    const folded = this.#folded.map((limb) => limb.get)
    const carry = this.#carry
    /** What limb `i` of the sum gives to limb `to` of the product. */
    const product = (i: number, to: number): Code => {
      const factor = i <= to ? r[to - i] : folded[i === 4 ? to : to - i + 4]
      return i64.mul(t[i] as Code, factor as Code)
    }
    const limb = (to: number) => {
      const indices = to === 0 ? [1, 2, 3, 0] : [4, 3, 2, 1, 0]
      const [first, ...rest] = indices.map((i) => product(i, to)) as [Code, ...Code[]]
      return sum(first, ...rest)
    }
    const h = (index: number) => this.#h[index] as Local
    return sequence(
      ...this.#sums
        .slice(0, 4)
        .map((s, i) => s.set(i64.add(i64.load32U(from, offset + 4 * i), h(i).get))),
      (this.#sums[4] as Local).set(i64.add(h(4).get, top)),
      h(0).set(low(carry.tee(limb(0)))),
      repeat(3, (i) => h(i + 1).set(low(carry.tee(i64.add(limb(i + 1), carryOf(carry.get)))))),
      carry.set(i64.add(i64.mul(t[4] as Code, r[0] as Code), carryOf(carry.get))),
      h(4).set(i64.and(carry.get, i64.const(3))),
      h(0).set(i64.add(h(0).get, i64.mul(i64.shrU(carry.get, i64.const(2)), i64.const(5)))),
    )
  }

  /** §2.5.1: the one-time key at the beginning of the keystream becomes r, clamped, and s; h is 0. */
  static begin(): Code {
    const key = at.keystream
    const clamp = (limb: number) => i64.const(limb === 0 ? 0x0fff_ffff : 0x0fff_fffc)
    return sequence(
      repeat(4, (i) =>
        i64.store(zero, i64.and(i64.load32U(zero, key + 4 * i), clamp(i)), at.r + 8 * i),
      ),
      repeat(2, (i) => i64.store(zero, i64.load(zero, key + 16 + 8 * i), at.s + 8 * i)),
      repeat(5, (i) => i64.store(zero, i64.const(0), at.h + 8 * i)),
    )
  }

  /** The tag: h mod p, plus s mod 2^128. */
  finish(f: FunctionScope): Code {
    const carry = this.#carry
    const h = this.#h.map((limb) => limb.get)
    const quotient = f.local('i64')
    // h reaches p exactly when h + 5 reaches 2^130. It is below 2p, so the quotient is 0 or 1, and taking p away is
    // adding 5 and dropping what is above 2^130.
    return sequence(
      quotient.set(i64.const(5)),
      repeat(4, (i) => quotient.set(carryOf(i64.add(quotient.get, h[i] as Code)))),
      quotient.set(i64.shrU(i64.add(quotient.get, h[4] as Code), i64.const(2))),
      carry.set(i64.mul(quotient.get, i64.const(5))),
      repeat(4, (i) =>
        sequence(
          carry.set(sum(carry.get, h[i] as Code, i64.load32U(zero, at.s + 4 * i))),
          i64.store32(zero, carry.get, at.tag + 4 * i),
          carry.set(carryOf(carry.get)),
        ),
      ),
    )
  }
}
