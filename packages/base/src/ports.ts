// What the pure packages need from the world. The real implementations are in system.ts, the simulated
// ones in @myelin/testkit; nothing else in Myelin touches a clock, a timer, the OS random source or a disk.

/** A timer that has been set; `cancel` may be called at any time, also after it fired. */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Milliseconds since the Unix epoch. May jump. For timestamps that others read. */
  wallMs(): number
  /** Milliseconds from an arbitrary start, never backwards. For durations and deadlines. */
  monotonicMs(): number
  /**
   * Calls `callback` once after `delayMs`. The process may end before, unless `keepsAlive`: for waits that
   * are themselves the work.
   */
  setTimer(
    delayMs: number,
    callback: () => void,
    options?: { readonly keepsAlive?: boolean },
  ): Timer
  /** Calls `callback` in this turn of the event loop, after the current synchronous work. */
  defer(callback: () => void): void
}

export interface Random {
  /** Fills and returns `target` with bytes of cryptographic quality. */
  fill<Target extends Uint8Array>(target: Target): Target
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error'

export type LogFields = Readonly<Record<string, unknown>>

/** Structured events: a stable lowercase event name and fields. Fields never hold secrets. */
export interface Logger {
  log(level: LogLevel, event: string, fields?: LogFields): void
  /** A logger that adds `fields` to every event. */
  child(fields: LogFields): Logger
}

/** A small durable key-value store. `put` returns only when the value survives a crash. */
export interface Store {
  get(key: string): Promise<Uint8Array | undefined>
  put(key: string, value: Uint8Array): Promise<void>
  delete(key: string): Promise<void>
  /** Keys with the prefix, in order. */
  list(prefix: string): Promise<string[]>
}

export const silentLogger: Logger = {
  log: () => {},
  child: () => silentLogger,
}
