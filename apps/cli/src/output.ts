// What a command prints. Results go to the standard output, everything about the run to the standard error,
// so that a pipe carries results only. Under `--json` a result is one document.

export interface OutputStream {
  write(content: string | Uint8Array): unknown
  readonly isTTY?: boolean | undefined
}

export interface OutputOptions {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly isJson: boolean
}

export class Output {
  readonly isJson: boolean
  readonly #stdout: OutputStream
  readonly #stderr: OutputStream
  #progressLength = 0

  constructor({ stdout, stderr, isJson }: OutputOptions) {
    this.#stdout = stdout
    this.#stderr = stderr
    this.isJson = isJson
  }

  /** The result of a command: the document under `--json`, else the lines. */
  result(document: unknown, lines: () => Iterable<string>): void {
    this.#clearProgress()
    if (this.isJson) {
      this.#stdout.write(`${JSON.stringify(document, jsonValue, 2)}\n`)
      return
    }
    const text = [...lines()].join('\n')
    this.#stdout.write(`${text}\n`)
  }

  /** One of many results that come one after the other: one JSON value per line under `--json`. */
  record(value: unknown, line: () => string): void {
    this.#clearProgress()
    this.#stdout.write(`${this.isJson ? JSON.stringify(value, jsonValue) : line()}\n`)
  }

  /** Bytes as they are, for whoever reads a pipe; a person at a terminal gets `line`. */
  bytes(content: Uint8Array, line: () => string): void {
    this.#clearProgress()
    this.#stdout.write(this.#stdout.isTTY === true ? `${line()}\n` : content)
  }

  /** A line about the run, for people. */
  note(text: string): void {
    this.#clearProgress()
    this.#stderr.write(`${text}\n`)
  }

  /** A line that the next one replaces; shown only to a terminal. */
  progress(text: string): void {
    if (this.#stderr.isTTY !== true) return
    const line = text.slice(0, 78)
    this.#stderr.write(`\r${line.padEnd(this.#progressLength)}`)
    this.#progressLength = line.length
  }

  #clearProgress(): void {
    if (this.#progressLength === 0) return
    this.#stderr.write(`\r${' '.repeat(this.#progressLength)}\r`)
    this.#progressLength = 0
  }
}

/** Columns padded to the widest cell, two spaces between them. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  }
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** Text of others on one line, without anything that a terminal obeys. */
export function printable(text: string, lengthMax = 200): string {
  const short = text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text
  return short.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal.
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function jsonValue(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
