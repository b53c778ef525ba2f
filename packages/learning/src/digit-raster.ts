// The pen and the paper of the digit generator: strokes to polylines, polylines to grey pixels.
// Pure; works in buffers that the caller keeps, so a digit allocates nothing.

import { digitPixels, digitSide } from './limits.ts'

/** Points of all strokes of one digit, before and after they are moved to pixel coordinates. */
export interface Polyline {
  readonly xs: Float64Array
  readonly ys: Float64Array
  /** 1 where the pen comes down: no line leads to this point. */
  readonly isStart: Uint8Array
  length: number
}

/** Line pieces per span of a smooth stroke: enough for 28 pixels. */
const piecesPerSpan = 5

export function createPolyline(capacity: number): Polyline {
  return {
    xs: new Float64Array(capacity),
    ys: new Float64Array(capacity),
    isStart: new Uint8Array(capacity),
    length: 0,
  }
}

/**
 * Appends the Catmull-Rom curve through `count` points (pairs in `points`). A point equal to the
 * one before it is a corner: the curves on its two sides know nothing of each other.
 */
export function appendStroke(line: Polyline, points: Float64Array, count: number): void {
  append(line, points[0]!, points[1]!, 1)
  for (let i = 0; i + 1 < count; i += 1) {
    const x1 = points[2 * i]!
    const y1 = points[2 * i + 1]!
    const x2 = points[2 * i + 2]!
    const y2 = points[2 * i + 3]!
    if (x1 === x2 && y1 === y2) continue
    const before = i > 0 ? i - 1 : i
    const after = i + 2 < count ? i + 2 : i + 1
    // Cubic Hermite with tangents (p2 - p0) / 2 and (p3 - p1) / 2.
    const tangentX1 = (x2 - points[2 * before]!) / 2
    const tangentY1 = (y2 - points[2 * before + 1]!) / 2
    const tangentX2 = (points[2 * after]! - x1) / 2
    const tangentY2 = (points[2 * after + 1]! - y1) / 2
    for (let piece = 1; piece <= piecesPerSpan; piece += 1) {
      const t = piece / piecesPerSpan
      const h2 = t * t * (3 - 2 * t)
      const h1 = 1 - h2
      const g1 = t * (1 - t) * (1 - t)
      const g2 = t * t * (t - 1)
      append(
        line,
        h1 * x1 + h2 * x2 + g1 * tangentX1 + g2 * tangentX2,
        h1 * y1 + h2 * y2 + g1 * tangentY1 + g2 * tangentY2,
        0,
      )
    }
  }
}

function append(line: Polyline, x: number, y: number, isStart: number): void {
  if (line.length === line.xs.length) return
  line.xs[line.length] = x
  line.ys[line.length] = y
  line.isStart[line.length] = isStart
  line.length += 1
}

/**
 * Draws the line (in pixels) into `ink` (0 to 1), with a pen whose radius goes from `radiusStart`
 * to `radiusEnd`.
 */
export function drawLine(
  ink: Float64Array,
  line: Polyline,
  radiusStart: number,
  radiusEnd: number,
): void {
  const last = Math.max(1, line.length - 1)
  for (let i = 1; i < line.length; i += 1) {
    if (line.isStart[i] === 1) continue
    const radius = radiusStart + ((radiusEnd - radiusStart) * i) / last
    drawSegment(ink, line.xs[i - 1]!, line.ys[i - 1]!, line.xs[i]!, line.ys[i]!, radius)
  }
}

function drawSegment(
  ink: Float64Array,
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  radius: number,
): void {
  const reach = radius + 1
  const left = Math.max(0, Math.floor(Math.min(x1, x2) - reach))
  const right = Math.min(digitSide - 1, Math.ceil(Math.max(x1, x2) + reach))
  const top = Math.max(0, Math.floor(Math.min(y1, y2) - reach))
  const bottom = Math.min(digitSide - 1, Math.ceil(Math.max(y1, y2) + reach))
  const dx = x2 - x1
  const dy = y2 - y1
  const lengthSquared = dx * dx + dy * dy
  const inverse = lengthSquared > 0 ? 1 / lengthSquared : 0
  for (let y = top; y <= bottom; y += 1) {
    for (let x = left; x <= right; x += 1) {
      const px = x + 0.5 - x1
      const py = y + 0.5 - y1
      const along = Math.min(1, Math.max(0, (px * dx + py * dy) * inverse))
      const ex = px - along * dx
      const ey = py - along * dy
      // Coverage of the pixel falls from 1 to 0 over one pixel around the pen's edge:
      // anti-aliasing.
      const coverage = Math.min(1, radius + 0.5 - Math.sqrt(ex * ex + ey * ey))
      const at = y * digitSide + x
      if (coverage > ink[at]!) ink[at] = coverage
    }
  }
}

/**
 * Smooths `ink` in place with the kernel (w, 1 - 2w, w) along both axes. `spare` holds as many
 * pixels.
 */
export function blur(ink: Float64Array, spare: Float64Array, w: number): void {
  const centre = 1 - 2 * w
  for (let at = 0; at < digitPixels; at += 1) {
    const x = at % digitSide
    const left = x > 0 ? ink[at - 1]! : 0
    const right = x < digitSide - 1 ? ink[at + 1]! : 0
    spare[at] = centre * ink[at]! + w * (left + right)
  }
  for (let at = 0; at < digitPixels; at += 1) {
    const up = at >= digitSide ? spare[at - digitSide]! : 0
    const down = at < digitPixels - digitSide ? spare[at + digitSide]! : 0
    ink[at] = centre * spare[at]! + w * (up + down)
  }
}
