// Structured logs (R122, R149): one event per line, as JSON for machines or coloured for people. What a field
// holds can never break a line, end another one or change the terminal: a peer cannot forge an event.

import type { Clock, LogFields, Logger, LogLevel } from '@myelin/base'
import { systemClock } from '@myelin/base/system'
import { type PlainValue, plainFields } from './log-fields.ts'
import type { LogSink } from './log-sink.ts'

export interface LoggerOptions {
  /** Events below this level are not written. */
  readonly level: LogLevel
  readonly format: 'json' | 'pretty'
  readonly sink: LogSink
  /** For the times; the system's clock by default. */
  readonly clock?: Pick<Clock, 'wallMs'>
  /** Further field names that hold secrets, beside those that are always known. */
  readonly redact?: readonly string[]
  /** Colours in the pretty format; what the sink can show by default. */
  readonly colour?: boolean
}

const ranks: Readonly<Record<LogLevel, number>> = { trace: 0, debug: 1, info: 2, warn: 3, error: 4 }

/** Names that each line carries itself. A field of that name is written as `field.NAME`. */
const ownNames: ReadonlySet<string> = new Set(['time', 'level', 'event'])

type Render = (time: string, level: LogLevel, event: string, fields: LogRecord) => string
type LogRecord = Readonly<Record<string, PlainValue>>

/** A logger in the sense of base's port. `log` and `child` never throw. */
export function createLogger(options: LoggerOptions): Logger {
  const { level, format, sink } = options
  const clock = options.clock ?? systemClock
  const render = format === 'json' ? renderJson : renderPretty(options.colour ?? sink.hasColour)
  const redact = new Set((options.redact ?? []).map((word) => word.toLowerCase()))
  const least = ranks[level]

  const loggerWith = (inherited: LogFields): Logger => ({
    log: (at, event, fields) => {
      if (ranks[at] < least) return
      try {
        const plain = plainFields(fields ? { ...inherited, ...fields } : inherited, { redact })
        sink.write(`${render(new Date(clock.wallMs()).toISOString(), at, event, plain)}\n`)
      } catch {
        // A log line is never worth the caller's work.
      }
    },
    child: (fields) => loggerWith({ ...inherited, ...fields }),
  })
  return loggerWith({})
}

const renderJson: Render = (time, level, event, fields) => {
  const line: Record<string, PlainValue> = Object.create(null)
  line.time = time
  line.level = level
  line.event = event
  for (const [name, value] of Object.entries(fields)) line[ownName(name)] = value
  return escapeInvisible(JSON.stringify(line))
}

function ownName(name: string): string {
  return ownNames.has(name) ? `field.${name}` : name
}

const colours: Readonly<Record<LogLevel, string>> = {
  trace: '\u001b[90m',
  debug: '\u001b[36m',
  info: '\u001b[32m',
  warn: '\u001b[33m',
  error: '\u001b[31m',
}
const dim = '\u001b[2m'
const reset = '\u001b[0m'

function renderPretty(hasColour: boolean): Render {
  const paint = (colour: string, text: string) => (hasColour ? `${colour}${text}${reset}` : text)
  return (time, level, event, fields) => {
    const pairs = Object.entries(fields).map(
      ([name, value]) => ` ${paint(dim, `${bare(name)}=`)}${bare(value)}`,
    )
    const label = paint(colours[level], level.toUpperCase().padEnd(5))
    return `${paint(dim, time)} ${label} ${bare(event)}${pairs.join('')}`
  }
}

/** As it is where that is unambiguous, else quoted as in JSON. */
function bare(value: PlainValue): string {
  if (typeof value === 'string' && /^[\w./:@+,-]+$/.test(value)) return value
  return escapeInvisible(JSON.stringify(value))
}

/**
 * JSON leaves alone what terminals obey and what some readers take for a line end: DEL, the C1 controls,
 * the line and paragraph separators, and the marks that turn the direction of writing.
 */
function escapeInvisible(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
