// Where log lines go. A sink takes whole lines and never throws; the file sink is in log-file.ts.

export interface LogSink {
  /** One or more whole lines, each with its newline. Never throws. */
  write(lines: string): void
  /** Whether a person watches who sees colours. */
  readonly hasColour: boolean
  /** Frees what the sink holds. Lines written later are dropped. */
  close(): void
}

/** What a sink needs of a stream such as `process.stderr`. */
export interface LogStream {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
}

/** Writes to a stream that others own: closing the sink leaves it open. */
export function streamSink(
  stream: LogStream,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): LogSink {
  let isClosed = false
  return {
    hasColour: wantsColour(stream, environment),
    write: (lines) => {
      if (!isClosed) stream.write(lines)
    },
    close: () => {
      isClosed = true
    },
  }
}

/** Colours only for a terminal, never under NO_COLOR (no-color.org) or in a terminal that has none. */
export function wantsColour(
  stream: Pick<LogStream, 'isTTY'>,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (environment.NO_COLOR !== undefined && environment.NO_COLOR !== '') return false
  return stream.isTTY === true && environment.TERM !== 'dumb'
}
