// Runs the `myelin` command as a process of its own, from the sources.

import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'

const main = resolve(import.meta.dirname, '../src/main.ts')

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Closes the reading end of the standard output at once. */
  readonly withoutReader?: boolean
}

export interface RunResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Only what is passed reaches the process: no variable of this machine. */
export function runMyelin(words: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = spawn(process.execPath, ['--conditions=@myelin/source', main, ...words], {
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: process.env.PATH ?? '', ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  if (options.withoutReader) child.stdout.destroy()
  return new Promise((done, failed) => {
    child.on('error', failed)
    child.on('close', (code) => done({ code, stdout, stderr }))
  })
}
