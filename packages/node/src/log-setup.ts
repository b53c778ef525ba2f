// From the settings `log.*` to a logger: level, format, and where the lines go (R149).

import { resolve } from 'node:path'
import type { Logger } from '@myelin/base'
import type { Configuration } from './config-settings.ts'
import { createLogger } from './log.ts'
import { rotatingFile } from './log-file.ts'
import { type LogSink, type LogStream, streamSink } from './log-sink.ts'

export interface LogStreams {
  /** Where the lines go when no file is configured. A command whose output is its result gives stderr. */
  readonly stdout: LogStream
  /** Hears when the file cannot be written. */
  readonly stderr: LogStream
  readonly environment?: Readonly<Record<string, string | undefined>>
}

export interface ConfiguredLogger extends Disposable {
  readonly logger: Logger
  /** Frees the file; lines logged later are dropped. */
  close(): void
}

export function configureLogger(
  { log }: Pick<Configuration, 'log'>,
  streams: LogStreams,
): ConfiguredLogger {
  const sink = sinkOf(log, streams)
  const logger = createLogger({ level: log.level, format: log.format, sink })
  const close = () => sink.close()
  return { logger, close, [Symbol.dispose]: close }
}

function sinkOf(
  { file, maxBytes, maxFiles }: Configuration['log'],
  { stdout, stderr, environment }: LogStreams,
): LogSink {
  if (file === undefined) return streamSink(stdout, environment)
  const onFailure = (message: string) => void stderr.write(`${message}\n`)
  return rotatingFile({ path: resolve(file), maxBytes, maxFiles, onFailure })
}
