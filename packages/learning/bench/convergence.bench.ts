// How fast the swarm learns: rounds of federated averaging in one process, accuracy per round, and
// beside it one worker that trains on its own shard alone for as many steps. Prints a table;
// `--json` prints one object per run.
//
//   node --conditions=@myelin/source packages/learning/bench/convergence.bench.ts [--rounds=N]
// [--examples=N]
//     [--seeds=N] [--classes=N] [--json] [DIRECTORY with the four MNIST files]

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  type Dataset,
  dataset,
  defaultPlan,
  evaluate,
  firstNetwork,
  loadShard,
  mnistPlan,
  networkFromWeights,
  parseIdxImages,
  parseIdxLabels,
  planRound,
  runTask,
  type SwarmPlan,
  type TaskResult,
  type TrainingTask,
  testDigits,
  weightAverage,
} from '@myelin/learning'

interface Run {
  readonly name: string
  readonly plan: SwarmPlan
  readonly test: Dataset
  readonly whole?: Dataset
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    examples: { type: 'string' },
    classes: { type: 'string' },
    seeds: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
})

for (const run of runsOf(positionals[0])) measure(run)

function* runsOf(directory: string | undefined): Generator<Run> {
  const changes = {
    ...(values.rounds === undefined ? {} : { rounds: Number(values.rounds) }),
    ...(values.examples === undefined ? {} : { examples: Number(values.examples) }),
    ...(values.classes === undefined ? {} : { classesPerShard: Number(values.classes) }),
  }
  if (directory !== undefined) {
    const whole = readIdx(directory, 'train')
    const test = readIdx(directory, 't10k')
    yield { name: 'mnist', plan: { ...mnistPlan, ...changes }, test, whole }
    return
  }
  for (let run = 0; run < Number(values.seeds); run += 1) {
    const { dataSeed, testSeed, seed } = defaultPlan
    const seeds = { dataSeed: dataSeed + 10 * run, testSeed: testSeed + 10 * run, seed: seed + run }
    const plan = { ...defaultPlan, ...changes, ...seeds }
    yield { name: `digits, seed ${plan.dataSeed}`, plan, test: testDigits(plan) }
  }
}

function measure({ name, plan, test, whole }: Run): void {
  const startedMs = performance.now()
  const shards = planRound(plan, 0).map((task) => loadShard(task, whole))
  const dataMs = performance.now() - startedMs
  let network = firstNetwork(plan)
  const alone = networkFromWeights(plan.shape, network.weights.slice())
  const rounds: { swarm: number; alone: number }[] = []
  let trainingMs = 0
  if (!values.json) console.log(`${name}: data in ${dataMs.toFixed(0)} ms\nround  swarm  alone`)
  for (let round = 0; round < plan.rounds; round += 1) {
    const tasks = planRound(plan, round)
    const average = weightAverage({ length: network.weights.length, examplesMax: plan.examples })
    const roundMs = performance.now()
    for (const [index, task] of tasks.entries()) {
      average.add(finish(task, network.weights, shards[index]!).update)
    }
    network = networkFromWeights(plan.shape, average.finish())
    trainingMs += performance.now() - roundMs
    alone.weights.set(finish(tasks[0]!, alone.weights, shards[0]!).update.weights)
    const row = { swarm: evaluate(network, test).accuracy, alone: evaluate(alone, test).accuracy }
    rounds.push(row)
    if (!values.json)
      console.log(`${String(round + 1).padStart(5)}  ${percent(row.swarm)}  ${percent(row.alone)}`)
  }
  const perSecond = (plan.examples * plan.epochs * plan.rounds * 1_000) / trainingMs
  if (values.json) console.log(JSON.stringify({ name, dataMs, trainingMs, perSecond, rounds }))
  else
    console.log(`swarm: ${(trainingMs / 1_000).toFixed(1)} s, ${perSecond.toFixed(0)} examples/s\n`)
}

function finish(task: TrainingTask, weights: Float32Array, shard: Dataset): TaskResult {
  const work = runTask(task, weights, shard)
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

function readIdx(directory: string, part: 'train' | 't10k'): Dataset {
  const read = (name: string) => readFileSync(join(directory, `${part}-${name}-ubyte.gz`))
  const images = parseIdxImages(read('images-idx3'))
  const labels = parseIdxLabels(read('labels-idx1'))
  if (!images.ok) throw new Error(`${part} images: ${images.fault}`)
  if (!labels.ok) throw new Error(`${part} labels: ${labels.fault}`)
  return dataset(images.value, labels.value)
}

function percent(share: number): string {
  return (100 * share).toFixed(2)
}
