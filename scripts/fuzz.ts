// Fuzzes the decoders (fuzz/targets). The targets run in a worker; this thread watches it, so that an input that
// never ends is named too. Exits with 1 when something was found.
//
//   node --conditions=@myelin/source scripts/fuzz.ts --runs 1000000
//     --target NAME     only this one; several times for several
//     --seed N          the run to repeat; by default a fresh one, which is printed
//     --seconds N       no longer than this for one target
//     --replay FILE     one regression file (hex) against the one --target

import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import {
  describeFailure,
  type FuzzReport,
  type FuzzTarget,
  fuzzTarget,
  judge,
  parseRegression,
} from '@myelin/testkit'
import { fuzzTargets } from '../fuzz/targets/index.ts'

interface Orders {
  readonly names: readonly string[]
  readonly runs: number
  readonly seed: number
  readonly secondsMax: number | undefined
  /** Shared with the worker: inputs so far, length of the present one, and its bytes. */
  readonly watched: SharedArrayBuffer
}

const inputBytesMax = 1024 * 1024
const headBytes = 8
/** An input that has run for so long will not end. */
const stuckMs = 30_000

if (isMainThread) await main()
else await work(workerData as Orders)

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '100000' },
      target: { type: 'string', multiple: true, default: [] },
      seed: { type: 'string' },
      seconds: { type: 'string' },
      replay: { type: 'string' },
    },
  })
  const targets = values.target.length === 0 ? fuzzTargets : values.target.map(targetOf)
  if (values.replay !== undefined) await replay(targets, values.replay)
  const orders: Orders = {
    names: targets.map(({ name }) => name),
    runs: wholeNumber('--runs', values.runs),
    seed: values.seed === undefined ? randomInt(2 ** 32) : wholeNumber('--seed', values.seed),
    secondsMax: values.seconds === undefined ? undefined : wholeNumber('--seconds', values.seconds),
    watched: new SharedArrayBuffer(headBytes + inputBytesMax),
  }
  console.log(`${targets.length} targets, ${orders.runs} runs each, seed ${orders.seed}`)
  const failed = await watch(orders)
  console.log(failed === 0 ? 'nothing found' : `${failed} failures`)
  process.exit(failed === 0 ? 0 : 1)
}

/** Resolves to the number of failures, when the worker is done or stuck. */
function watch(orders: Orders): Promise<number> {
  const worker = new Worker(import.meta.filename, { workerData: orders })
  const counts = new Int32Array(orders.watched, 0, 2)
  let failed = 0
  let target = ''
  let last = -1
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const count = Atomics.load(counts, 0)
      if (count !== last) {
        last = count
        return
      }
      const length = Atomics.load(counts, 1)
      const input = new Uint8Array(orders.watched, headBytes, length).slice()
      const failure = { kind: 'slow', detail: `did not end within ${stuckMs} ms`, input } as const
      console.error(describeFailure(target, failure))
      void worker.terminate()
      settle(failed + 1)
    }, stuckMs)
    const settle = (result: number) => {
      clearInterval(timer)
      resolve(result)
    }
    worker.on('message', (message: string | FuzzReport) => {
      if (typeof message === 'string') target = message
      else {
        show(message)
        failed += message.failures.length
      }
    })
    worker.on('error', (error) => {
      console.error(target, error)
      failed += 1
    })
    worker.on('exit', () => settle(failed))
  })
}

function show(report: FuzzReport): void {
  const { name, runs, accepted, seconds, msPeak, allocatedBytesPeak, failures } = report
  const columns = [
    name.padEnd(26),
    `${String(runs).padStart(9)} runs`,
    `${Math.round(runs / seconds)} /s`.padStart(11),
    `${((100 * accepted) / runs).toFixed(1)} % accepted`.padStart(17),
    `${msPeak.toFixed(1)} ms`.padStart(9),
    `${Math.round(allocatedBytesPeak / 1024)} KiB at most`.padStart(17),
    report.samplesAccepted === 0 ? 'NO SAMPLE ACCEPTED' : '',
  ]
  console.log(columns.join(' '))
  for (const failure of failures) console.error(`${describeFailure(name, failure)}\n`)
}

async function work({ names, runs, seed, secondsMax, watched }: Orders): Promise<void> {
  const counts = new Int32Array(watched, 0, 2)
  const bytes = new Uint8Array(watched, headBytes)
  const onInput = (input: Uint8Array) => {
    Atomics.store(counts, 1, Math.min(input.length, inputBytesMax))
    bytes.set(input.subarray(0, inputBytesMax))
    Atomics.add(counts, 0, 1)
  }
  for (const name of names) {
    parentPort?.postMessage(name)
    const options = { runs, seed, onInput }
    const report = await fuzzTarget(
      targetOf(name),
      secondsMax === undefined ? options : { ...options, secondsMax },
    )
    parentPort?.postMessage(report)
  }
}

async function replay(targets: readonly FuzzTarget[], path: string): Promise<never> {
  const [target] = targets
  const input = parseRegression(readFileSync(path, 'utf8'))
  if (target === undefined || targets.length !== 1) stop('--replay needs one --target')
  if (input === undefined) stop(`${path} is not hex`)
  const { isAccepted, ms, failure } = await judge(target, input)
  console.log(
    failure === undefined
      ? `${isAccepted ? 'accepted' : 'refused'} in ${ms.toFixed(2)} ms`
      : describeFailure(target.name, failure),
  )
  process.exit(failure === undefined ? 0 : 1)
}

function targetOf(name: string): FuzzTarget {
  const found = fuzzTargets.find((target) => target.name === name)
  return found ?? stop(`no target ${name}; there are ${fuzzTargets.map((t) => t.name).join(', ')}`)
}

function wholeNumber(name: string, text: string): number {
  return /^\d{1,15}$/.test(text) ? Number(text) : stop(`${name} takes a whole number, not ${text}`)
}

function stop(message: string): never {
  console.error(`fuzz: ${message}`)
  process.exit(2)
}
