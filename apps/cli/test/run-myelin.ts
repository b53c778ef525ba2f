// Runs the `myelin` command as a process of its own, from the sources.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'

const main = resolve(import.meta.dirname, '../src/main.ts')

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** What stands on the standard input; nothing by default. */
  readonly input?: string | Uint8Array
  /** Closes the reading end of the standard output at once. */
  readonly withoutReader?: boolean
}

export interface RunResult {
  readonly code: number | null
  readonly stdout: string
  /** The standard output before it was read as UTF-8. */
  readonly bytes: Uint8Array
  readonly stderr: string
}

/** Only what is passed reaches the process: no variable of this machine. */
export function runMyelin(words: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = spawnMyelin(words, options)
  child.stdin.on('error', () => {}).end(options.input ?? '')
  const chunks: Uint8Array[] = []
  let stderr = ''
  child.stdout.on('data', (chunk: Uint8Array) => void chunks.push(chunk))
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  if (options.withoutReader) child.stdout.destroy()
  return new Promise((done, failed) => {
    child.on('error', failed)
    child.on('close', (code) => {
      const bytes = Buffer.concat(chunks)
      done({ code, stdout: bytes.toString('utf8'), bytes, stderr })
    })
  })
}

export interface StartOptions extends RunOptions {
  /** Nobody reads the standard output: a pipe whose other end hangs. */
  readonly withStalledReader?: boolean
}

export interface RunningMyelin extends AsyncDisposable {
  /** Resolves to the first line of either stream, past or to come, that matches. */
  line(pattern: RegExp): Promise<string>
  /** All lines so far, of both streams. */
  readonly lines: readonly string[]
  kill(signal: NodeJS.Signals): void
  /** The exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals | null>
}

/** A process that a failing test leaves behind ends by itself, and so does the wait for its next line. */
const lifetimeMsMax = 180_000

/** Starts a command that runs until it is told to stop. Disposing kills it. */
export function startMyelin(words: readonly string[], options: StartOptions = {}): RunningMyelin {
  const child = spawnMyelin(words, { ...options, timeoutMs: lifetimeMsMax })
  child.stdin.end()
  const read = options.withStalledReader ? [child.stderr] : [child.stdout, child.stderr]
  const lines: string[] = []
  const waiting = new Set<() => void>()
  let open = read.length
  const tell = () => {
    for (const check of waiting) check()
  }
  for (const stream of read) {
    const reader = createInterface({ input: stream })
    reader.on('line', (line) => {
      lines.push(line)
      tell()
    })
    reader.on('close', () => {
      open -= 1
      tell()
    })
  }
  const exit = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? signal))
  })
  const line = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const check = () => {
        const found = lines.find((text) => pattern.test(text))
        if (found === undefined && open > 0) return
        waiting.delete(check)
        if (found !== undefined) resolve(found)
        else reject(new Error(`no line matches ${pattern}:\n${lines.join('\n')}`))
      }
      waiting.add(check)
      check()
    })
  return {
    line,
    lines,
    kill: (signal) => void child.kill(signal),
    exit,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      child.stdout.destroy()
      await exit
    },
  }
}

function spawnMyelin(
  words: readonly string[],
  options: RunOptions & { readonly timeoutMs?: number },
): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, ['--conditions=@myelin/source', main, ...words], {
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: process.env.PATH ?? '', ...options.environment },
    stdio: 'pipe',
    killSignal: 'SIGKILL',
    timeout: options.timeoutMs,
  })
}
