// Does a comparison, or the opening of a record, tell by its time where two byte strings differ? The method of dudect (Reparaz, Balasch and
// Verbauwhede, "Dude, is my code constant time?", 2017): two classes of inputs in random order, Welch's t-test on
// their times, after cropping the slowest measurements at several thresholds. |t| below 4.5 is no evidence of a
// leak; a real one grows with the square root of the number of measurements.
//
//   npm run dudect                     the product's comparison, the check of a tag by ChaCha20-Poly1305 (in
//                                      WebAssembly where that is to be had), and a naive one that must be caught
//   npm run dudect -- --samples 2000000
//
// Times depend on the machine and what else runs on it: this is a command to run and read, not a test.

import { parseArgs } from 'node:util'
import { aeadTagBytes, chacha20Poly1305, equalConstantTime, hasWasmAead } from '@myelin/crypto'

const leakFrom = 4.5
/** Where the naive comparison must at least be, for the measurement to count. */
const seenFrom = 10
const croppings = 20
/** Measurements before the count, in which the functions get compiled. */
const warmUp = 50_000
const batchSize = 1_000

type Compare = (a: Uint8Array, b: Uint8Array) => boolean

/** What must never be used for secrets: stops at the first difference. */
const naive: Compare = (a, b) => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false
  return true
}

/** Opens a record whose tag is wrong where the guess is. */
function tagCheck(): Compare {
  const [key, nonce, ad] = [new Uint8Array(32).fill(7), new Uint8Array(12), new Uint8Array(10)]
  const sealed = chacha20Poly1305.seal(key, nonce, new Uint8Array(100), ad)
  const tag = sealed.slice(-aeadTagBytes)
  const at = sealed.length - aeadTagBytes
  return (secret, guess) => {
    for (let i = 0; i < aeadTagBytes; i += 1)
      sealed[at + i] = (tag[i] as number) ^ (secret[i] as number) ^ (guess[i] as number)
    return chacha20Poly1305.open(key, nonce, sealed, ad) !== undefined
  }
}

interface Classes {
  readonly name: string
  /** The byte at which the guess of each class differs; `bytes` for all of them. */
  position(isFixed: boolean, bytes: number): number
}

// All guesses are wrong: whether a guess was right is no secret, and the answer itself takes its time.
const random = (bound: number) => Math.floor(Math.random() * bound)
const classes: readonly Classes[] = [
  { name: 'first byte or any', position: (fixed, bytes) => (fixed ? 0 : random(bytes)) },
  { name: 'first byte or last', position: (fixed, bytes) => (fixed ? 0 : bytes - 1) },
  { name: 'all bytes or one', position: (fixed, bytes) => (fixed ? bytes : random(bytes)) },
]

/** Count, mean and spread, one value at a time (Welford). */
class Moments {
  count = 0
  mean = 0
  #squares = 0

  add(value: number): void {
    this.count += 1
    const distance = value - this.mean
    this.mean += distance / this.count
    this.#squares += distance * (value - this.mean)
  }

  get variance(): number {
    return this.#squares / Math.max(1, this.count - 1)
  }
}

function welch(a: Moments, b: Moments): number {
  const spread = a.variance / a.count + b.variance / b.count
  return spread === 0 ? 0 : (a.mean - b.mean) / Math.sqrt(spread)
}

/** The largest |t| over all croppings. */
function measure(compare: Compare, pair: Classes, bytes: number, samples: number): number {
  const times = new Float64Array(samples)
  const isFixed = new Uint8Array(samples)
  const secret = Uint8Array.from({ length: bytes }, () => random(256))
  const batch = new Batch(secret)
  for (let i = -warmUp; i < samples; i += 1) {
    const at = (i + warmUp) % batchSize
    if (at === 0) batch.draw(pair)
    const guess = batch.guesses[at] as Uint8Array
    const startNs = process.hrtime.bigint()
    const isEqual = compare(secret, guess)
    const endNs = process.hrtime.bigint()
    if (isEqual) throw new Error('the comparison is wrong')
    if (i < 0) continue
    times[i] = Number(endNs - startNs)
    isFixed[i] = batch.isFixed[at] as number
  }
  return largestT(times, isFixed)
}

/**
 * Guesses that were made before any of them is measured, each in memory of its own: what was written just before
 * would come from the store buffer, and a random number drawn for one class alone would show in its times.
 */
class Batch {
  readonly guesses: Uint8Array[]
  readonly isFixed = new Uint8Array(batchSize)
  readonly #secret: Uint8Array

  constructor(secret: Uint8Array) {
    this.#secret = secret
    const memory = new Uint8Array(batchSize * secret.length)
    this.guesses = Array.from({ length: batchSize }, (_, i) =>
      memory.subarray(i * secret.length, (i + 1) * secret.length),
    )
  }

  draw({ position }: Classes): void {
    const secret = this.#secret
    this.guesses.forEach((guess, i) => {
      this.isFixed[i] = random(2)
      const at = position(this.isFixed[i] === 1, secret.length)
      guess.set(secret)
      for (let j = 0; j < guess.length; j += 1)
        if (j === at || at === guess.length) guess[j] = (secret[j] as number) ^ (1 + random(255))
    })
  }
}

function largestT(times: Float64Array, isFixed: Uint8Array): number {
  const sorted = times.slice().sort()
  let largest = 0
  for (let crop = 0; crop < croppings; crop += 1) {
    // dudect's thresholds: dense towards the slowest, where only noise lives; the first keeps everything.
    const share = crop === 0 ? 1 : 1 - 0.5 ** ((10 * (crop + 1)) / croppings)
    const limit = sorted[Math.ceil(share * sorted.length) - 1] as number
    const [fixed, other] = [new Moments(), new Moments()]
    times.forEach((time, i) => {
      if (time <= limit) (isFixed[i] === 1 ? fixed : other).add(time)
    })
    if (fixed.count > 1_000 && other.count > 1_000)
      largest = Math.max(largest, Math.abs(welch(fixed, other)))
  }
  return largest
}

const { values } = parseArgs({
  options: { samples: { type: 'string', default: '1000000' } },
})
const samples = Number(values.samples)
if (!Number.isSafeInteger(samples) || samples < 10_000) {
  console.error('dudect: --samples takes a whole number from 10000')
  process.exit(2)
}

let isConstant = true
let isSeen = false

function judge(what: string, compare: Compare, pair: Classes, bytes: number): void {
  const ours = measure(compare, pair, bytes, samples)
  const control = measure(naive, pair, bytes, samples)
  const verdict = ours < leakFrom ? 'constant' : 'LEAKS'
  console.log(
    `${what}, ${pair.name}: |t| ${ours.toFixed(2)} (${verdict}); naive ${control.toFixed(1)}`,
  )
  isConstant &&= ours < leakFrom
  isSeen ||= control > seenFrom
}

for (const bytes of [16, 32])
  for (const pair of classes) judge(`${bytes} bytes`, equalConstantTime, pair, bytes)
const engine = hasWasmAead() ? 'in WebAssembly' : 'of OpenSSL'
for (const pair of classes) judge(`a tag ${engine}`, tagCheck(), pair, aeadTagBytes)
if (!isSeen) console.error('dudect: the naive comparison was not caught either; measure more')
process.exit(isConstant && isSeen ? 0 : 1)
