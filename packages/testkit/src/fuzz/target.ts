// What is fuzzed, and what one input may cost. A target is a decoder with its samples; its `decode` is a pure
// function of the input, so that the input alone reproduces a failure.

import { getHeapStatistics } from 'node:v8'

export interface FuzzBounds {
  /** For one input. */
  readonly msMax: number
  /** No input is longer, samples aside. */
  readonly inputBytesMax: number
  /** What `decode` may return. */
  readonly outputBytesMax: number
  /** What decoding may take from the heap and the array buffers, garbage counted, freed or not. */
  readonly allocatedBytesMax: number
}

/** Bytes of output, or undefined where the input was refused. */
export type Decoded = number | undefined

export interface FuzzTarget {
  readonly name: string
  /** Valid inputs to start from. Called once, when the target's turn comes. */
  samples(): readonly Uint8Array[] | Promise<readonly Uint8Array[]>
  /** Reads one input, and throws where something does not hold that must. */
  decode(input: Uint8Array): Decoded | Promise<Decoded>
  /** Magic numbers, keywords and delimiters of the format. */
  readonly tokens?: readonly Uint8Array[]
  readonly bounds: FuzzBounds
  /** True for an error that refuses the input as documented. Where absent nothing may be thrown. */
  permits?(error: unknown): boolean
  /** How many times dearer than the cheap ones: the test suite divides its runs by it. */
  readonly cost?: number
}

export type FuzzFailureKind = 'throw' | 'slow' | 'output' | 'allocation'

export interface FuzzFailure {
  readonly kind: FuzzFailureKind
  readonly detail: string
  readonly input: Uint8Array
}

export interface Judgement {
  readonly isAccepted: boolean
  readonly ms: number
  readonly allocatedBytes: number
  readonly failure: FuzzFailure | undefined
}

/**
 * A cost must show in all of so many further attempts, and time in those is the processor's for this thread:
 * others use the machine too.
 */
const confirmations = 3

const elapsedMs = () => performance.now()
const busyMs = () => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** Runs one input and judges what it did and what it cost. */
export async function judge(target: FuzzTarget, input: Uint8Array): Promise<Judgement> {
  const attempt = attemptOnce(target, input)
  return confirm(target, input, attempt instanceof Promise ? await attempt : attempt)
}

interface Attempt {
  readonly decoded: Decoded
  readonly thrown: { readonly error: unknown } | undefined
  readonly ms: number
  readonly allocatedBytes: number
}

/** The same without a promise where the target needs none: for the many inputs that do nothing wrong. */
export function judgeNow(target: FuzzTarget, input: Uint8Array): Judgement | Promise<Judgement> {
  const attempt = attemptOnce(target, input)
  if (attempt instanceof Promise) return attempt.then((settled) => confirm(target, input, settled))
  return suspect(target, attempt) === undefined
    ? innocent(attempt)
    : confirm(target, input, attempt)
}

function attemptOnce(
  target: FuzzTarget,
  input: Uint8Array,
  timeMs: () => number = elapsedMs,
): Attempt | Promise<Attempt> {
  // A decoder may keep or change what it is given; the failure report must not show that.
  const given = input.slice()
  const heapBefore = usedBytes()
  const startedMs = timeMs()
  const done = (decoded: Decoded, thrown?: { readonly error: unknown }): Attempt => {
    const ms = timeMs() - startedMs
    return { decoded, thrown, ms, allocatedBytes: usedBytes() - heapBefore }
  }
  try {
    const decoded = target.decode(given)
    if (!(decoded instanceof Promise)) return done(decoded)
    return decoded.then(
      (value) => done(value),
      (error: unknown) => done(undefined, { error }),
    )
  } catch (error) {
    return done(undefined, { error })
  }
}

function innocent({ decoded, ms, allocatedBytes }: Attempt): Judgement {
  return { isAccepted: decoded !== undefined, ms, allocatedBytes, failure: undefined }
}

async function confirm(target: FuzzTarget, input: Uint8Array, first: Attempt): Promise<Judgement> {
  let last = first
  let kind = suspect(target, first)
  for (let i = 0; i < confirmations && (kind === 'slow' || kind === 'allocation'); i += 1) {
    last = await attemptOnce(target, input, busyMs)
    kind = suspect(target, last)
  }
  if (kind === undefined) return innocent(last)
  const failure = { kind, detail: describe(target, kind, last), input }
  return { ...innocent(last), failure }
}

function suspect(target: FuzzTarget, attempt: Attempt): FuzzFailureKind | undefined {
  const { msMax, outputBytesMax, allocatedBytesMax } = target.bounds
  const { decoded, thrown, ms, allocatedBytes } = attempt
  if (thrown !== undefined && target.permits?.(thrown.error) !== true) return 'throw'
  if (decoded !== undefined && decoded > outputBytesMax) return 'output'
  if (ms > msMax) return 'slow'
  return allocatedBytes > allocatedBytesMax ? 'allocation' : undefined
}

function describe(target: FuzzTarget, kind: FuzzFailureKind, attempt: Attempt): string {
  const { msMax, outputBytesMax, allocatedBytesMax } = target.bounds
  const { decoded, thrown, ms, allocatedBytes } = attempt
  if (kind === 'output') return `${decoded} bytes of output, at most ${outputBytesMax} expected`
  if (kind === 'slow') return `${ms.toFixed(0)} ms, at most ${msMax} expected`
  if (kind === 'allocation')
    return `${allocatedBytes} bytes allocated, at most ${allocatedBytesMax} expected`
  const error = thrown?.error
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** A lower bound on what is taken between two calls: a collection in between only makes it smaller. */
function usedBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics()
  return used_heap_size + external_memory
}
