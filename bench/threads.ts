// Eight sessions in one worker thread beside eight in two (R085): each thread holds both ends of its sessions, so that
// nothing but the processor is shared between the threads.

import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Contest } from './harness.ts'
import type { FloodOrder, ThreadOrders } from './peers/pairs-worker.ts'

const sessions = 8
const payloadBytes = 1_024
/** Of one thread's rate. */
const scaleMin = 1.6
const oneThread = 'one thread'

export interface Threads extends AsyncDisposable {
  readonly contest: Contest
}

/** `messages` is for all sessions together. */
export async function openThreads(messages: number): Promise<Threads> {
  const one = await Promise.all([startThread(sessions)])
  const two = await Promise.all([startThread(sessions / 2), startThread(sessions / 2)])
  const title = `${sessions} sessions on one core and on two, 1 KiB messages in all`
  const each = Math.ceil(messages / sessions)
  const sampleOf = (workers: readonly Worker[]) => async () => {
    const startMs = performance.now()
    await Promise.all(workers.map((worker) => flood(worker, each)))
    return [(each * sessions) / ((performance.now() - startMs) / 1000)]
  }
  return {
    contest: {
      title,
      metrics: [
        { metric: title, unit: 'messages/s', goals: [{ peer: oneThread, atLeast: scaleMin }] },
      ],
      contenders: [
        { name: 'two threads', sample: sampleOf(two) },
        { name: oneThread, sample: sampleOf(one) },
      ],
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...one, ...two].map((worker) => worker.terminate()))
    },
  }
}

async function startThread(pairs: number): Promise<Worker> {
  const worker = new Worker(join(import.meta.dirname, 'peers/pairs-worker.ts'), {
    workerData: { pairs, payloadBytes } satisfies ThreadOrders,
    execArgv: ['--conditions=@myelin/source'],
  })
  await once(worker, 'message')
  return worker
}

/** Resolves when all have arrived at the other end. */
async function flood(worker: Worker, messages: number): Promise<void> {
  const arrived = once(worker, 'message')
  worker.postMessage({ messages } satisfies FloodOrder)
  await arrived
}
