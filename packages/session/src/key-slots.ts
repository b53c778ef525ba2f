// Memory for the keys of sessions: slots of equal size side by side in larger blocks, so that the state of a direction is
// some 110 bytes and not as many objects as it has keys (R065, B18). A slot that is given back has been wiped.

const slotsInBlock = 64

export class KeySlots {
  readonly #slotBytes: number
  readonly #free: Uint8Array[] = []

  constructor(slotBytes: number) {
    this.#slotBytes = slotBytes
  }

  take(): Uint8Array {
    if (this.#free.length === 0) this.#grow()
    return this.#free.pop() as Uint8Array
  }

  /** Wipes the slot; nobody else may hold a view on it. */
  give(slot: Uint8Array): void {
    slot.fill(0)
    this.#free.push(slot)
  }

  #grow(): void {
    const block = new Uint8Array(slotsInBlock * this.#slotBytes)
    for (let at = 0; at < block.length; at += this.#slotBytes)
      this.#free.push(block.subarray(at, at + this.#slotBytes))
  }
}
