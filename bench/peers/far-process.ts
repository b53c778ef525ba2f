// The parent's handle on the other process: starts it, gives it a task, waits for its report.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { equalBytes } from '@myelin/base'
import type { Census } from './heap-census.ts'
import type { KindName } from './kinds.ts'
import type { Address } from './link.ts'
import type { Certificate } from './sockets.ts'

export type FarTask =
  /** `answer`: what is urgent is sent back at once, everything else dropped. */
  | { readonly do: 'drop' | 'echo' | 'answer' | 'memory' | 'census' }
  /** Reports when so many connections have been accepted since the start. */
  | { readonly do: 'accept'; readonly connections: number }
  /** Reports when so many messages have arrived; every `sumEvery`-th is summed up. */
  | { readonly do: 'count'; readonly messages: number; readonly sumEvery: number }
  /** Of a stream without messages: reports when so many bytes have arrived. */
  | { readonly do: 'bytes'; readonly bytes: number }

/** The mark of what is urgent: nothing else has it by accident. */
export const urgentPayload: Uint8Array = new TextEncoder().encode('urgent'.padEnd(64, '!'))

export function isUrgent(payload: Uint8Array): boolean {
  return payload.length === urgentPayload.length && equalBytes(payload, urgentPayload)
}

export interface Received {
  /** Or chunks, of a stream. */
  readonly messages: number
  readonly bytes: number
  readonly sum: number
}

export interface Memory {
  readonly rss: number
  /** Heap and buffers in use, after a collection. */
  readonly heap: number
}

export interface FarReport {
  readonly address?: Address
  readonly isReady?: true
  readonly received?: Received
  readonly memory?: Memory
  readonly census?: Census
}

export class FarProcess implements AsyncDisposable {
  readonly address: Address
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, address: Address) {
    this.#child = child
    this.address = address
  }

  static async start(kind: KindName, certificate?: Certificate): Promise<FarProcess> {
    const main = join(import.meta.dirname, 'far.ts')
    const words = certificate === undefined ? [kind] : [kind, JSON.stringify(certificate)]
    // Its standard output is our standard error: ours carries the result.
    const child = spawn(
      process.execPath,
      ['--conditions=@myelin/source', '--expose-gc', main, ...words],
      { stdio: ['ignore', 2, 2, 'ipc'] },
    )
    const { address } = await reportOf(child)
    return new FarProcess(child, address as Address)
  }

  /** Gives it a task; resolves when it has begun. */
  async begin(task: FarTask): Promise<void> {
    const begun = reportOf(this.#child)
    this.#child.send(task)
    await begun
  }

  /** What it says next: call it before that can happen. */
  report(): Promise<FarReport> {
    return reportOf(this.#child)
  }

  /** Once it has accepted so many connections since its start: diallers are done earlier. */
  accepted(connections: number): Promise<void> {
    return this.begin({ do: 'accept', connections })
  }

  async memory(): Promise<Memory> {
    return (await this.#ask('memory')).memory as Memory
  }

  async census(): Promise<Census> {
    return (await this.#ask('census')).census as Census
  }

  #ask(what: 'memory' | 'census'): Promise<FarReport> {
    const answer = reportOf(this.#child)
    this.#child.send({ do: what } satisfies FarTask)
    return answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.disconnect()
    await gone
  }
}

function reportOf(child: ChildProcess): Promise<FarReport> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => {
      child.off('message', onMessage)
      reject(new Error(`the other process of the bench ended with ${code}`))
    }
    const onMessage = (message: unknown) => {
      child.off('exit', onExit)
      resolve(message as FarReport)
    }
    child.once('message', onMessage)
    child.once('exit', onExit)
  })
}
