// One process of a swarm: started from this very program, read line by line, ended by its own handle.

import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { type ProcessLine, parseProcessLine } from './events.ts'

export interface ChildOptions {
  /** The words after `myelin`. */
  readonly words: readonly string[]
  /** Written to its standard input, which is then closed. */
  readonly input?: string
  readonly onLine: (line: ProcessLine) => void
  readonly onExit: (exit: {
    readonly code: number | null
    readonly signal: string | null
    readonly stderr: string
  }) => void
}

/** The end of a child's standard error is kept, to say why it died. */
const stderrKeptMax = 4096

export class Child {
  readonly pid: number
  readonly exited: Promise<void>
  readonly #process: ChildProcess

  constructor({ words, input, onLine, onExit }: ChildOptions) {
    const main = process.argv[1] as string
    const child = spawn(process.execPath, [...process.execArgv, main, ...words], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#process = child
    this.pid = child.pid ?? 0
    let stderr = ''
    createInterface({ input: child.stdout }).on('line', (text) => {
      const line = parseProcessLine(text)
      if (line !== undefined) onLine(line)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString('utf8')).slice(-stderrKeptMax)
    })
    // The child may be gone before it has read its input; its exit tells.
    child.stdin.on('error', () => {})
    child.stdin.end(input ?? '')
    this.exited = new Promise((resolve) => {
      child.on('error', (error) => {
        onExit({ code: null, signal: null, stderr: error.message })
        resolve()
      })
      child.on('close', (code, signal) => {
        onExit({ code, signal, stderr: stderr.trim() })
        resolve()
      })
    })
  }

  kill(signal: 'SIGKILL' | 'SIGTERM'): void {
    this.#process.kill(signal)
  }

  /** Asks it to end, and after `graceMs` ends it. */
  async stop(graceMs: number): Promise<void> {
    this.kill('SIGTERM')
    const timer = setTimeout(() => this.kill('SIGKILL'), graceMs)
    await this.exited
    clearTimeout(timer)
  }
}
