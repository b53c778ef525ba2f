// What unreleased messages keep alive. A message is a view of the record it came in, so one short message holds
// 64 KiB as long as its handler runs, whatever it cost in credit: padding is free, and what came beside it may
// be long dealt with. So records are counted as long as a message of theirs is unreleased, and beyond the bound
// the messages that are short for their record are copied, which the hot path never needs.

/** A record that messages are views of. */
export interface Lease {
  readonly bytes: number
  /** Unreleased messages. */
  messages: number
}

export class Retention {
  readonly #bytesMax: number
  /** Bytes of records that are kept alive. */
  #bytes = 0
  #current: Lease = { bytes: 0, messages: 0 }

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** The messages that come next are views of a record of so many bytes. */
  begin(recordBytes: number): void {
    this.#current = { bytes: recordBytes, messages: 0 }
  }

  /** True: the message gets memory of its own. Else it counts on the record until its lease is given back. */
  mustCopy(payloadBytes: number): boolean {
    return this.#bytes > this.#bytesMax && payloadBytes * 2 < this.#current.bytes
  }

  take(): Lease {
    const lease = this.#current
    if (lease.messages === 0) this.#bytes += lease.bytes
    lease.messages += 1
    return lease
  }

  give(lease: Lease): void {
    lease.messages -= 1
    if (lease.messages === 0) this.#bytes -= lease.bytes
  }
}
