// What the contenders have in common: a connection that carries whole messages both ways. The tasks are written
// once, over this, so that every contender does the same work.

export interface Link {
  /** False: accepted, but wait for `drained` before the next. */
  send(payload: Uint8Array): boolean
  drained(): Promise<void>
  /** Ahead of all that waits to be sent, where the contender knows such a thing. */
  sendUrgent?(payload: Uint8Array): void
  /** Called with each message; set it before anything arrives. */
  receive: (payload: Uint8Array) => void
  /** Ends the connection at once, without a farewell. */
  destroy(): void
}

/** Plain data that reaches the other process as JSON. */
export type Address = Readonly<Record<string, string | number>>

export interface Kind {
  readonly name: string
  /** Opens a door; `onLink` is called for each connection that is ready for messages. */
  listen(onLink: (link: Link) => void): Promise<Address>
  /** Resolves when the other end has accepted us and messages may be sent. */
  dial(address: Address): Promise<Link>
}

export function ignore(): void {}
