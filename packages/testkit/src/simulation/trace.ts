// What happened in a run, in order. Its hash is the run's identity: same seed, same code, same hash.

import { createHash, type Hash } from 'node:crypto'

/** Lines kept to print when a run fails; the hash covers all. */
const linesKeptMax = 400

export class Trace {
  readonly #hash: Hash = createHash('sha256')
  readonly #lines: string[] = []
  #count = 0
  #digest: string | undefined

  /** Adds an event. Arguments must be what the seed determines: no ciphertext, no real time. */
  add(atMs: number, ...parts: readonly (string | number)[]): void {
    const line = `${atMs.toFixed(3)} ${parts.join(' ')}`
    this.#hash.update(line).update('\n')
    this.#count += 1
    this.#lines.push(line)
    if (this.#lines.length > 2 * linesKeptMax) this.#lines.splice(0, linesKeptMax)
  }

  get count(): number {
    return this.#count
  }

  /** Ends the trace. */
  digest(): string {
    this.#digest ??= this.#hash.digest('hex')
    return this.#digest
  }

  /** The latest events. */
  tail(count = 40): string[] {
    return this.#lines.slice(-count)
  }
}
