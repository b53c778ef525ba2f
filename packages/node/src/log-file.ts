// A log file that is rotated by size and kept to a count (R149): `agent.log` is the current one,
// `agent.log.1` the one before, up to `agent.log.(maxFiles - 1)`. Lines are appended synchronously: what was
// logged before a crash is in the file, and order is kept without a queue.

import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { LogSink } from './log-sink.ts'

export interface RotatingFileOptions {
  readonly path: string
  /** The file is rotated before a line would make it larger. One longer line gets a file of its own. */
  readonly maxBytes: number
  /** Files kept, the current one included. */
  readonly maxFiles: number
  /**
   * Told once when the file cannot be written, and again only after it could in between.
   * One line to the standard error by default.
   */
  readonly onFailure?: (message: string) => void
}

export interface RotatingFile extends LogSink {
  /** Lines lost because the file could not be written. */
  readonly linesLost: number
}

/** Opens at the first line; makes the folder (0700) and the file (0600). Never throws. */
export function rotatingFile(options: RotatingFileOptions): RotatingFile {
  return new FileSink(options)
}

class FileSink implements RotatingFile {
  readonly hasColour = false
  readonly #options: RotatingFileOptions
  #descriptor: number | undefined
  #size = 0
  #linesLost = 0
  #isFailing = false
  #isClosed = false

  constructor(options: RotatingFileOptions) {
    this.#options = options
  }

  get linesLost(): number {
    return this.#linesLost
  }

  write(lines: string): void {
    if (this.#isClosed) return
    try {
      this.#append(Buffer.from(lines))
      this.#isFailing = false
    } catch (error) {
      this.#fail(error)
    }
  }

  close(): void {
    this.#isClosed = true
    try {
      this.#shut()
    } catch {
      // The lines are written; only the descriptor's end failed.
    }
  }

  #append(bytes: Uint8Array): void {
    const { path, maxBytes, maxFiles } = this.#options
    let descriptor = this.#descriptor ?? this.#open()
    if (this.#size > 0 && this.#size + bytes.length > maxBytes) {
      this.#shut()
      shiftFiles(path, maxFiles)
      descriptor = this.#open()
    }
    for (let offset = 0; offset < bytes.length; ) {
      offset += writeSync(descriptor, bytes, offset)
    }
    this.#size += bytes.length
  }

  #open(): number {
    const { path } = this.#options
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const descriptor = openSync(path, 'a', 0o600)
    this.#descriptor = descriptor
    this.#size = fstatSync(descriptor).size
    return descriptor
  }

  #shut(): void {
    const descriptor = this.#descriptor
    if (descriptor === undefined) return
    this.#descriptor = undefined
    closeSync(descriptor)
  }

  #fail(error: unknown): void {
    this.#linesLost += 1
    try {
      // Whatever is wrong with the open file, the next line tries a new one.
      this.#shut()
      if (this.#isFailing) return
      this.#isFailing = true
      const { path, onFailure = tellStandardError } = this.#options
      const reason = error instanceof Error ? error.message : String(error)
      onFailure(
        `cannot write the log file ${path} (${reason}); check log.file, its folder and the disk`,
      )
    } catch {
      // The failure of a failure report has nowhere to go.
    }
  }
}

function tellStandardError(message: string): void {
  process.stderr.write(`${message}\n`)
}

/** The oldest goes, each other one moves up by one, the current one becomes `.1`. */
function shiftFiles(path: string, maxFiles: number): void {
  if (maxFiles <= 1) {
    truncateSync(path)
    return
  }
  rmSync(`${path}.${maxFiles - 1}`, { force: true })
  for (let index = maxFiles - 2; index >= 0; index -= 1) {
    const from = index === 0 ? path : `${path}.${index}`
    try {
      renameSync(from, `${path}.${index + 1}`)
    } catch (error) {
      // Gaps are normal: the first rotations, or somebody tidied up.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}
