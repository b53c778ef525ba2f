// What a coordinator remembers between rounds, so that it can stop at any moment and go on: the weights, the
// round, and the accuracy of the rounds before. One value, written whole after each round.
//
//   version(1) · plan digest(32) · rounds done(u32) · {accuracy(f64) · bytes(u64) · messages(u64)} per round
//   · weights (f32 LE) to the end

import { createHash } from 'node:crypto'
import { ByteReader, ByteWriter, equalBytes, type Store } from '@myelin/base'
import { weightsFromBytes, weightsToBytes } from './federated.ts'
import { taskRoundMax } from './limits.ts'
import type { SwarmPlan } from './plan.ts'

export interface RoundResult {
  /** From 1. */
  readonly round: number
  /** On the held test set, 0 to 1. */
  readonly accuracy: number
  /** On the coordinator's wire, both directions. */
  readonly bytes: number
  readonly messages: number
}

export interface Checkpoint {
  readonly weights: Float32Array
  readonly rounds: readonly RoundResult[]
}

const version = 1
const storePath = 'swarm.checkpoint'

export async function saveCheckpoint(
  store: Store,
  plan: SwarmPlan,
  checkpoint: Checkpoint,
): Promise<void> {
  const writer = new ByteWriter(1024).u8(version).put(digest(plan)).u32(checkpoint.rounds.length)
  for (const { accuracy, bytes, messages } of checkpoint.rounds)
    writer.f64(accuracy).u53(bytes).u53(messages)
  writer.put(weightsToBytes(checkpoint.weights))
  await store.put(storePath, writer.view())
}

/** Undefined where there is none, or one of another plan, or one that is damaged: the training starts anew. */
export async function loadCheckpoint(
  store: Store,
  plan: SwarmPlan,
  parameters: number,
): Promise<Checkpoint | undefined> {
  const bytes = await store.get(storePath)
  if (bytes === undefined) return undefined
  const reader = new ByteReader(bytes)
  const isOurs = reader.u8() === version && equalBytes(reader.take(32), digest(plan))
  const count = reader.u32()
  if (!isOurs || count > taskRoundMax) return undefined
  const rounds: RoundResult[] = []
  for (let round = 1; round <= count && reader.isValid; round += 1) {
    rounds.push({ round, accuracy: reader.f64(), bytes: reader.u53(), messages: reader.u53() })
  }
  const areShares = rounds.every(({ accuracy }) => accuracy >= 0 && accuracy <= 1)
  const weights = weightsFromBytes(reader.rest(), parameters)
  const isWhole = reader.isValid && areShares
  return isWhole && weights.ok ? { weights: weights.value, rounds } : undefined
}

export async function dropCheckpoint(store: Store): Promise<void> {
  await store.delete(storePath)
}

function digest(plan: SwarmPlan): Uint8Array {
  return createHash('sha256').update(JSON.stringify(plan)).digest()
}
