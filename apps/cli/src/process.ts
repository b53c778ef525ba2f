// The process around one command line: its streams, its signals, its end.

import { describeError } from '@myelin/base'
import { runCli } from './cli.ts'

/**
 * Time after a signal for the last output to leave, and for connections that their peers do not close, in ms.
 * A pipe that nobody reads would else keep the process for ever.
 */
const lastWordsMs = 3000

/** Runs `process.argv` and sets the exit code. The process ends when nothing is left to do. */
export async function runProcess(): Promise<void> {
  endQuietlyWithoutReader(process.stdout)
  endQuietlyWithoutReader(process.stderr)
  // An error that nobody awaited must end the process as any other: one line, no stack, exit 1.
  process.on('uncaughtException', (error) => {
    const isDebugging = process.env.MYELIN_DEBUG === '1' && error instanceof Error
    process.stderr.write(`error: ${isDebugging ? error.stack : describeError(error)}\n`)
    process.exit(1)
  })
  process.exitCode = await runCli(process.argv.slice(2), {
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    signal: takeSignals,
  })
  if (controller?.signal.aborted) setTimeout(() => process.exit(), lastWordsMs).unref()
}

/** `myelin … | head` closes the pipe early: that is no error of ours, and nobody would read a message. */
function endQuietlyWithoutReader(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0)
    throw error
  })
}

let controller: AbortController | undefined

/** The first signal asks to finish, the second ends at once (128 + signal, as shells count). */
function takeSignals(): AbortSignal {
  if (controller !== undefined) return controller.signal
  const created = new AbortController()
  controller = created
  const numbers = { SIGINT: 2, SIGTERM: 15 } as const
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (created.signal.aborted) process.exit(128 + numbers[name])
      created.abort(new Error(`stopped by ${name}`))
    })
  }
  return created.signal
}
