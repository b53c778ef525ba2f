// A generator of handwritten-like digits, so that a swarm can train without any data file. Each
// digit is drawn as a person would: a style of its class, a shaky hand, a slanted page, a pen of
// some width, then a scanner with noise. Digit i of a seed draws from random stream i alone, so any
// range can be made without the rest.

import type { Dataset } from './dataset.ts'
import { appendStroke, blur, createPolyline, drawLine, type Polyline } from './digit-raster.ts'
import { digitStyles, type Style } from './digit-styles.ts'
import { demand } from './errors.ts'
import { datasetExamplesMax, digitClasses, digitPixels, digitSide } from './limits.ts'
import { SeededRandom } from './seeded-random.ts'

export interface DigitsOptions {
  /** Safe integer from 0. The same seed gives the same digits everywhere. */
  readonly seed: number
  /** Digits to make. */
  readonly count: number
  /**
   * Number of the first digit; default 0. `{ start: 5, count: 3 }` are digits 5, 6 and 7 of the
   * seed.
   */
  readonly start?: number
}

/**
 * How far the hand strays. Standard deviations unless said otherwise; tuned as defaults.ts
 * explains.
 */
const hand = {
  /** Of each control point, in hundredths of the box. */
  pointJitter: 3.8,
  /** Amplitude of the smooth warp over the whole digit, in hundredths. */
  warp: 4.5,
  rotationRadians: 0.17,
  shear: 0.22,
  /** Of the logarithm of width and of height. */
  scale: 0.12,
  /** In pixels. */
  shift: 1.1,
  /** Radius of the pen in pixels, least and most. */
  radiusMin: 0.65,
  radiusMax: 1.75,
} as const

/** What the scanner adds. */
const scanner = {
  blurMin: 0.04,
  blurMax: 0.2,
  /** Standard deviation of the noise on inked pixels, out of 1. */
  noise: 0.09,
  /** Ink below this (out of 1) is paper, which keeps most pixels exactly 0. */
  floor: 0.06,
  /** Share of digits with a stray mark. */
  clutterShare: 0.12,
} as const

/** Width and height in pixels of the box that a digit of scale 1 fills: MNIST's 20 of 28. */
const boxPixels = 20
const strokePointsMax = 32
const polylinePointsMax = 512

/** Makes `count` digits with uniformly random classes; about 30 µs each. */
export function generateDigits(options: DigitsOptions): Dataset {
  const { seed, count, start = 0 } = options
  const isCount = Number.isInteger(count) && count > 0 && count <= datasetExamplesMax
  demand(isCount, 'LEARNING_OPTION_INVALID', `${count} digits: ask for 1 to ${datasetExamplesMax}`)
  const isStart = Number.isInteger(start) && start >= 0
  demand(isStart, 'LEARNING_OPTION_INVALID', `the start ${start} is not an integer from 0`)
  const images = new Uint8Array(count * digitPixels)
  const labels = new Uint8Array(count)
  const desk = createDesk()
  for (let i = 0; i < count; i += 1) {
    const random = new SeededRandom(seed, start + i)
    labels[i] = random.below(digitClasses)
    drawDigit(desk, random, labels[i]!)
    scan(desk.ink, random, images.subarray(i * digitPixels, (i + 1) * digitPixels))
  }
  return { images, labels, count }
}

/** The buffers that all digits of one call share. */
interface Desk {
  readonly ink: Float64Array
  readonly spare: Float64Array
  readonly points: Float64Array
  readonly line: Polyline
}

function createDesk(): Desk {
  return {
    ink: new Float64Array(digitPixels),
    spare: new Float64Array(digitPixels),
    points: new Float64Array(2 * strokePointsMax),
    line: createPolyline(polylinePointsMax),
  }
}

function drawDigit(desk: Desk, random: SeededRandom, label: number): void {
  const { ink, spare, line } = desk
  const styles = digitStyles[label]!
  const style = styles[random.below(styles.length)]!
  ink.fill(0)
  traceStyle(desk, random, style)
  warp(line, random)
  placeOnPage(line, random)
  const radius = random.between(hand.radiusMin, hand.radiusMax)
  drawLine(ink, line, radius * random.between(0.8, 1.15), radius * random.between(0.8, 1.15))
  if (random.unit() < scanner.clutterShare) drawClutter(desk, random)
  blur(ink, spare, random.between(scanner.blurMin, scanner.blurMax))
}

/** Fills `line` with the strokes of a style, every control point moved a little. */
function traceStyle(desk: Desk, random: SeededRandom, style: Style): void {
  const { points, line } = desk
  line.length = 0
  for (const stroke of style) {
    const count = stroke.length / 2
    for (let i = 0; i < count; i += 1) {
      const isCorner =
        i > 0 && stroke[2 * i] === stroke[2 * i - 2] && stroke[2 * i + 1] === stroke[2 * i - 1]
      points[2 * i] = isCorner
        ? points[2 * i - 2]!
        : stroke[2 * i]! + hand.pointJitter * random.normal()
      points[2 * i + 1] = isCorner
        ? points[2 * i - 1]!
        : stroke[2 * i + 1]! + hand.pointJitter * random.normal()
    }
    appendStroke(line, points, count)
  }
}

/** Bends the digit by two slow waves, one per axis. */
function warp(line: Polyline, random: SeededRandom): void {
  const amplitudeX = hand.warp * random.normal()
  const amplitudeY = hand.warp * random.normal()
  const phaseX = random.between(0, 2 * Math.PI)
  const phaseY = random.between(0, 2 * Math.PI)
  const frequency = random.between(0.02, 0.055)
  for (let i = 0; i < line.length; i += 1) {
    const x = line.xs[i]!
    const y = line.ys[i]!
    line.xs[i] = x + amplitudeX * Math.sin(frequency * y + phaseX)
    line.ys[i] = y + amplitudeY * Math.sin(frequency * x + phaseY)
  }
}

/** Scales, slants, turns and shifts the digit, from hundredths of its box to pixels. */
function placeOnPage(line: Polyline, random: SeededRandom): void {
  const width = (boxPixels / 100) * Math.exp(hand.scale * random.normal())
  const height = (boxPixels / 100) * Math.exp(hand.scale * random.normal())
  const slant = hand.shear * random.normal()
  const angle = hand.rotationRadians * random.normal()
  const cos = Math.cos(angle)
  const sin = Math.sin(angle)
  const centreX = digitSide / 2 + hand.shift * random.normal()
  const centreY = digitSide / 2 + hand.shift * random.normal()
  for (let i = 0; i < line.length; i += 1) {
    const y = (line.ys[i]! - 50) * height
    const x = (line.xs[i]! - 50) * width - slant * y
    line.xs[i] = centreX + cos * x - sin * y
    line.ys[i] = centreY + sin * x + cos * y
  }
}

/** A short stray mark anywhere on the page: a slip of the pen, a piece of a neighbour. */
function drawClutter(desk: Desk, random: SeededRandom): void {
  const { points, line, ink } = desk
  line.length = 0
  points[0] = random.between(0, digitSide)
  points[1] = random.between(0, digitSide)
  points[2] = points[0] + 2.5 * random.normal()
  points[3] = points[1] + 2.5 * random.normal()
  appendStroke(line, points, 2)
  const radius = random.between(0.4, 1)
  drawLine(ink, line, radius, radius)
}

/** Turns ink into grey bytes, with some loss of contrast and noise where there is ink. */
function scan(ink: Float64Array, random: SeededRandom, pixels: Uint8Array): void {
  const contrast = random.between(0.75, 1.25)
  for (let at = 0; at < digitPixels; at += 1) {
    const value = ink[at]!
    if (value <= scanner.floor) continue
    const noisy = value * contrast + scanner.noise * roughNormal(random)
    pixels[at] = noisy <= scanner.floor ? 0 : noisy >= 1 ? 255 : Math.round(noisy * 255)
  }
}

/** Nearly normal with variance 1, from one draw: the sum of four bytes (Irwin and Hall). */
function roughNormal(random: SeededRandom): number {
  const bits = random.u32()
  const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24)
  // Four uniform bytes: mean 510, variance 4 (256² - 1) / 12.
  return (sum - 510) / 147.8
}
